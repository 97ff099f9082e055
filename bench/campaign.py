"""One benchmark from start to end: which brokers, which scenarios, in which order."""

import contextlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from bench import brokers, footprint, memory, offline
from bench.affinity import Cores
from bench.broker import Broker, Endpoint, Setup, Starter
from bench.driver import RunError, build_generator, drive, has_openssl
from bench.figure import OURS, Figure
from bench.report import Report, Result, Run, conclude
from bench.rules import ministack
from bench.rules.site import Site
from bench.rules.trials import TRIALS as RULES
from bench.rules.trials import measure as measure_rules
from bench.scenario import Scenario
from bench.shadows.trials import TRIALS as SHADOWS
from bench.shadows.trials import measure as measure_shadows

TRIALS = ("memory", "tls-memory", "offline", "footprint", *RULES, *SHADOWS)
"""What is measured otherwise than by traffic."""
BESIDE_MINISTACK = {"rules-sqs", "shadows-mqtt-tls", "shadows-http"}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    scenarios: list[Scenario]
    trials: list[str]
    contestants: list[str]
    command: list[str]
    seconds: float
    warm_up: float
    repeat: int
    connections: int
    """Idle ones, whose memory is measured."""
    count: int
    """Messages for an offline session."""
    cores: Cores

    def starters(self) -> dict[str, Starter]:
        """How each contestant is started."""
        return {name: brokers.starter(name, self.command) for name in self.contestants}


def progress(text: str) -> None:
    """Progress goes to stderr, so that stdout is the report alone."""
    print(text, file=sys.stderr, flush=True)


def possible(plan: Plan) -> tuple[Plan, list[str]]:
    """The plan without what this machine lacks, and what that is."""
    lacking = [why for name in plan.contestants if (why := brokers.missing(name)) is not None]
    contestants = [name for name in plan.contestants if brokers.missing(name) is None]
    scenarios = plan.scenarios
    if not has_openssl() and any(scenario.tls for scenario in scenarios):
        scenarios = [scenario for scenario in scenarios if not scenario.tls]
        lacking.append("no traffic over TLS, for OpenSSL's headers are not installed (Debian: libssl-dev)")
    if BESIDE_MINISTACK & set(plan.trials) and OURS in contestants and not ministack.installed():
        progress("installing ministack, a peer for rules and shadows")
        if (why := ministack.install()) is not None:
            lacking.append(f"no peer for rules and shadows: {why}")
    return msgspec.structs.replace(plan, contestants=contestants, scenarios=scenarios), lacking


@contextlib.contextmanager
def started(plan: Plan, directory: Path) -> Iterator[list[Broker]]:
    """All contestants, running side by side on the same cores: the ones not being driven only sleep."""
    setup = Setup(tls=any(scenario.tls for scenario in plan.scenarios))
    with contextlib.ExitStack() as stack:
        running = []
        for name, starter in plan.starters().items():
            progress(f"starting {name}")
            running.append(stack.enter_context(starter(directory / name, plan.cores.broker, setup)))
        yield running


def take_turn(generator: Path, scenario: Scenario, name: str, endpoint: Endpoint, plan: Plan) -> Run:
    """One run; a failure is a result too, and the others go on."""
    try:
        outcome = drive(
            generator, scenario, endpoint, core=plan.cores.generator, seconds=plan.seconds, warm_up=plan.warm_up
        )
    except RunError as error:
        return Run(broker=name, outcome=None, error=str(error))
    return Run(broker=name, outcome=outcome)


def measure(generator: Path, running: Sequence[Broker], plan: Plan) -> Iterator[Result]:
    """Every scenario: the brokers alternate, so that a slow minute of the machine hits all of them."""
    for number, scenario in enumerate(plan.scenarios, 1):
        runs = []
        for _ in range(plan.repeat):
            for broker in running:
                endpoint = broker.endpoint(tls=scenario.tls)
                if endpoint is None:
                    continue
                run = take_turn(generator, scenario, broker.name, endpoint, plan)
                runs.append(run)
                said = f"{run.outcome.rate:12,.0f} /s" if run.outcome else f"failed: {run.error}"
                progress(f"[{number:2}/{len(plan.scenarios)}] {scenario.name:20} {broker.name:10} {said}")
        if runs:
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
    load = os.getloadavg()[0]
    plan, lacking = possible(plan)
    for line in lacking:
        progress(f"skipped: {line}")
    generator = build_generator()
    with tempfile.TemporaryDirectory(prefix="fogbank-bench-") as temporary:
        directory = Path(temporary)
        results, versions = [], {}
        if plan.scenarios:
            with started(plan, directory) as running:
                versions = {broker.name: broker.version for broker in running}
                results = list(measure(generator, running, plan))
        figures = [figure for result in results for figure in result.figures()]
        for trial in plan.trials:
            progress(f"measuring {trial}")
            place = directory / f"trial-{trial}"
            place.mkdir()
            figures += _try(trial, generator, place, plan)
    if any(ministack.NAME in figure.values for figure in figures):
        versions[ministack.NAME] = ministack.version()
    return Report(
        machine=machine(),
        cores=plan.cores,
        brokers=versions,
        seconds=plan.seconds,
        repeat=plan.repeat,
        results=results,
        figures=figures,
        load=load,
        skipped=lacking,
    )


def _try(trial: str, generator: Path, directory: Path, plan: Plan) -> list[Figure]:
    """Each broker alone, started for the purpose. The reflector has nothing to show here."""
    if trial in RULES:
        return measure_rules(trial, _site(generator, directory, plan)) if OURS in plan.contestants else []
    if trial in SHADOWS:
        return measure_shadows(trial, _site(generator, directory, plan)) if OURS in plan.contestants else []
    starters: Mapping[str, Starter] = {
        name: starter for name, starter in plan.starters().items() if name != "reflector"
    }
    if trial == "offline":
        return offline.measure(generator, directory, starters, plan.cores, count=plan.count, repeat=plan.repeat)
    if trial == "footprint":
        return footprint.measure(directory, starters, plan.repeat)
    return memory.measure(
        directory, starters, plan.cores.broker, tls=trial == "tls-memory", connections=plan.connections
    )


def _site(generator: Path, directory: Path, plan: Plan) -> Site:
    return Site(
        generator=generator,
        directory=directory,
        fogbank=plan.starters()[OURS],
        cores=plan.cores,
        seconds=plan.seconds,
        warm_up=plan.warm_up,
        repeat=plan.repeat,
        count=plan.count,
    )
