"""A device that is away: what is published for it meanwhile, how fast it gets that when it returns, and what a kill of
the broker in between takes away."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from bench.affinity import Cores
from bench.broker import Broker, Setup, Starter
from bench.driver import Outcome, RunError, drive
from bench.figure import Aim, Bound, Figure, Tally
from bench.process import BrokerError
from bench.scenario import SATURATING_WINDOW, Mode, Scenario, Topology

DRAIN_AIM = Aim(Bound.LEAST, 1.0)
LOSS_AIM = Aim(Bound.MOST, 0.0, None)

STORE = Scenario(
    name="store",
    title="store",
    mode=Mode.STORE,
    topology=Topology.PAIRS,
    qos=1,
    window=SATURATING_WINDOW,
)
DRAIN = msgspec.structs.replace(STORE, name="drain", title="drain", mode=Mode.DRAIN)

Run = Callable[[Scenario, Broker], Outcome]


def measure(
    generator: Path, directory: Path, starters: Mapping[str, Starter], cores: Cores, *, count: int, repeat: int
) -> list[Figure]:
    """`count` QoS 1 messages stored and drained, `repeat` times; and once more with SIGKILL in between."""

    def run(scenario: Scenario, broker: Broker) -> Outcome:
        scenario = msgspec.structs.replace(scenario, count=count)
        return drive(generator, scenario, broker.plain, core=cores.generator, seconds=0, warm_up=0, patience=3)

    tally = Tally()
    for turn in range(repeat):
        for name, starter in starters.items():
            try:
                _store_and_drain(starter, directory / f"{name}-{turn}", cores, run, tally)
            except (BrokerError, RunError) as error:
                tally.fail(name, str(error))
    for name, starter in starters.items():
        try:
            _kill(starter, directory / f"{name}-kill", cores, run, tally)
        except (BrokerError, RunError) as error:
            tally.fail(name, str(error))
    shape = f"{count:,} QoS 1 messages"
    return [
        tally.figure("offline-store", f"{shape} stored for an offline session", "/s"),
        tally.figure("offline-drain", f"{shape} drained when it returns", "/s", DRAIN_AIM),
        tally.figure("offline-missing", "of these missing", "msg", LOSS_AIM),
        tally.figure("offline-killed-missing", "missing after kill -9 in between", "msg", LOSS_AIM),
    ]


def _store_and_drain(starter: Starter, directory: Path, cores: Cores, run: Run, tally: Tally) -> None:
    with starter(directory, cores.broker, Setup(persistent=True)) as broker:
        stored = run(STORE, broker)
        _check(stored)
        drained = run(DRAIN, broker)
        _check_drained(drained)
        tally.add("offline-store", broker.name, stored.rate)
        tally.add("offline-missing", broker.name, drained.missing)
        if not drained.missing:
            tally.add("offline-drain", broker.name, drained.rate)


def _kill(starter: Starter, directory: Path, cores: Cores, run: Run, tally: Tally) -> None:
    setup = Setup(persistent=True)
    with starter(directory, cores.broker, setup) as broker:
        _check(run(STORE, broker))
        os.kill(broker.plain.pid, signal.SIGKILL)
    with starter(directory, cores.broker, setup) as broker:
        drained = run(DRAIN, broker)
        _check_drained(drained)
        tally.add("offline-killed-missing", broker.name, drained.missing)


def _check(stored: Outcome) -> None:
    if stored.acknowledged < stored.published or not stored.published:
        raise RunError(f"of {stored.published:,} messages {stored.acknowledged:,} were acknowledged")


def _check_drained(drained: Outcome) -> None:
    """What is missing is a figure; what is wrong is a failure."""
    if drained.corrupt or drained.out_of_order:
        raise RunError(f"{drained.corrupt:,} of the messages were corrupt, {drained.out_of_order:,} out of order")
