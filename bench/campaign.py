"""One benchmark from start to end: which brokers, which scenarios, in which order."""

import contextlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench import brokers, footprint
from bench.affinity import Cores
from bench.brokers import Broker
from bench.driver import RunError, build_generator, drive
from bench.footprint import Footprint
from bench.report import Report, Result, Run, conclude
from bench.scenario import Scenario


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    scenarios: list[Scenario]
    with_footprint: bool
    contestants: list[str]
    command: list[str]
    seconds: float
    warm_up: float
    repeat: int
    cores: Cores


def progress(text: str) -> None:
    """Progress goes to stderr, so that stdout is the report alone."""
    print(text, file=sys.stderr, flush=True)


def contestants(names: Sequence[str]) -> list[str]:
    """The named brokers, without Mosquitto where it is not installed."""
    if "mosquitto" in names and brokers.mosquitto_path() is None:
        progress("mosquitto is not installed (Debian: apt install mosquitto): no ratios, the others run alone")
        return [name for name in names if name != "mosquitto"]
    return list(names)


@contextlib.contextmanager
def started(plan: Plan, directory: Path) -> Iterator[list[Broker]]:
    """All contestants, running side by side on the same core: the one not being driven only sleeps."""
    with contextlib.ExitStack() as stack:
        running = []
        for name in plan.contestants:
            progress(f"starting {name}")
            running.append(stack.enter_context(_start(name, plan, directory / name)))
        yield running


def _start(name: str, plan: Plan, directory: Path) -> contextlib.AbstractContextManager[Broker]:
    core = plan.cores.broker
    if name == "fogbank":
        return brokers.fogbank(directory, plan.command, core)
    if name == "mosquitto":
        return brokers.mosquitto(directory, brokers.mosquitto_path() or name, core)
    return brokers.reflector(directory, core)


def take_turn(generator: Path, scenario: Scenario, broker: Broker, plan: Plan) -> Run:
    """One run; a failure is a result too, and the others go on."""
    try:
        outcome = drive(
            generator,
            scenario,
            host=broker.host,
            port=broker.port,
            pid=broker.pid,
            core=plan.cores.generator,
            seconds=plan.seconds,
            warm_up=plan.warm_up,
        )
    except RunError as error:
        return Run(broker=broker.name, outcome=None, error=str(error))
    return Run(broker=broker.name, outcome=outcome)


def measure(generator: Path, running: Sequence[Broker], plan: Plan) -> Iterator[Result]:
    """Every scenario: the brokers alternate, so that a slow minute of the machine hits all of them."""
    total = len(plan.scenarios) * plan.repeat * len(running)
    done = 0
    for scenario in plan.scenarios:
        runs = []
        for _ in range(plan.repeat):
            for broker in running:
                run = take_turn(generator, scenario, broker, plan)
                runs.append(run)
                done += 1
                said = f"{run.outcome.rate:12,.0f} msg/s" if run.outcome else f"failed: {run.error}"
                progress(f"[{done:2}/{total}] {scenario.name:13} {broker.name:10} {said}")
        yield conclude(scenario, runs)


def machine() -> str:
    """Processor and kernel in one line."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def carry_out(plan: Plan) -> Report:
    """The whole benchmark, in a directory that is gone afterwards."""
    generator = build_generator()
    with tempfile.TemporaryDirectory(prefix="fogbank-bench-") as temporary:
        directory = Path(temporary)
        weight = _weigh(plan, directory) if plan.with_footprint else None
        results, versions = [], {}
        if plan.scenarios:
            with started(plan, directory) as running:
                versions = {broker.name: broker.version for broker in running}
                results = list(measure(generator, running, plan))
    return Report(
        machine=machine(),
        cores=plan.cores,
        brokers=versions,
        seconds=plan.seconds,
        repeat=plan.repeat,
        results=results,
        footprint=weight,
    )


def _weigh(plan: Plan, directory: Path) -> Footprint:
    progress("start-up time and idle memory")
    place = directory / "footprint"
    place.mkdir()
    return footprint.measure(place, plan.command)
