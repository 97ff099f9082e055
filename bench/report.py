"""From single runs to the figures that count: medians, spreads, ratios beside their aims, and what went wrong."""

import statistics
from collections.abc import Sequence

import msgspec

from bench.affinity import Cores
from bench.driver import Outcome
from bench.footprint import Footprint
from bench.scenario import Scenario

OURS = "fogbank"
PEER = "mosquitto"

GENERATOR_BOUND = 0.95
"""Share of its core from which on the generator may have been what was measured."""
IDLE = 0.85
"""Share of its core below which the broker was waiting for something else."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One broker's turn at one scenario."""

    broker: str
    outcome: Outcome | None
    error: str | None = None
    """Why there is no outcome."""


class Spread(msgspec.Struct, frozen=True):
    """The runs of one broker at one scenario, at a glance."""

    low: float
    median: float
    high: float


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one broker did at one scenario; None throughout where no run came to an end."""

    broker: str
    rate: Spread | None
    """Distinct messages delivered per second."""
    cpu_user: float | None
    cpu_system: float | None
    """Median microseconds of CPU per delivered message."""
    broker_share: float | None
    generator_share: float | None
    """Median share of its core that each used."""
    missing_share: float | None
    """Of all expected deliveries over all runs; lawful at QoS 0."""
    duplicated: int
    failures: list[str]

    @property
    def cpu(self) -> float | None:
        """Median microseconds of CPU, user and system, per delivered message."""
        return None if self.cpu_user is None or self.cpu_system is None else self.cpu_user + self.cpu_system


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario with all its runs and what they say."""

    scenario: Scenario
    standings: list[Standing]
    ratio: float | None
    """Median rate, ours by the peer's; None where one of them is not there or failed."""
    cpu_ratio: float | None
    """The peer's CPU time per message by ours: how much further the same core goes."""
    runs: list[Run]

    @property
    def met(self) -> bool | None:
        """Whether the ratio reaches its aim; None where there is none."""
        return None if self.ratio is None else self.ratio >= self.scenario.aim


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `--json` writes."""

    machine: str
    cores: Cores
    brokers: dict[str, str]
    """Name to version."""
    seconds: float
    repeat: int
    results: list[Result]
    footprint: Footprint | None

    @property
    def failed(self) -> bool:
        """A run did not finish or broke a promise; how fast it was plays no part."""
        return any(standing.failures for result in self.results for standing in result.standings)


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(low=min(values), median=statistics.median(values), high=max(values))


def stand(scenario: Scenario, broker: str, runs: Sequence[Run]) -> Standing:
    """Sum up one broker's runs."""
    outcomes = [run.outcome for run in runs if run.outcome is not None]
    failures = [run.error for run in runs if run.error is not None]
    for outcome in outcomes:
        failures += outcome.broken_promises(scenario.qos)
    delivering = [outcome for outcome in outcomes if outcome.delivered]
    if not delivering:
        unknown = ("rate", "cpu_user", "cpu_system", "broker_share", "generator_share", "missing_share")
        nothing: dict[str, None] = dict.fromkeys(unknown)
        return Standing(broker=broker, duplicated=0, failures=failures, **nothing)
    return Standing(
        broker=broker,
        rate=spread([outcome.rate for outcome in delivering]),
        cpu_user=statistics.median(outcome.broker_cpu.user / outcome.delivered * 1e6 for outcome in delivering),
        cpu_system=statistics.median(outcome.broker_cpu.system / outcome.delivered * 1e6 for outcome in delivering),
        broker_share=statistics.median(outcome.broker_share for outcome in delivering),
        generator_share=statistics.median(outcome.generator_share for outcome in delivering),
        missing_share=sum(outcome.missing for outcome in outcomes) / sum(outcome.expected for outcome in outcomes),
        duplicated=sum(outcome.duplicated for outcome in outcomes),
        failures=failures,
    )


def conclude(scenario: Scenario, runs: Sequence[Run]) -> Result:
    """Compare the brokers of one scenario."""
    names = list(dict.fromkeys(run.broker for run in runs))
    standings = {name: stand(scenario, name, [run for run in runs if run.broker == name]) for name in names}
    ours, peer = standings.get(OURS), standings.get(PEER)
    ratio = cpu_ratio = None
    if ours is not None and peer is not None and not ours.failures and not peer.failures:
        if ours.rate is not None and peer.rate is not None:
            ratio = ours.rate.median / peer.rate.median
        if ours.cpu and peer.cpu:
            cpu_ratio = peer.cpu / ours.cpu
    return Result(
        scenario=scenario, standings=list(standings.values()), ratio=ratio, cpu_ratio=cpu_ratio, runs=list(runs)
    )
