"""From single runs to the figures that count: medians, spreads, ratios beside their aims, and what went wrong."""

import statistics
from collections.abc import Callable, Sequence

import msgspec

from bench.affinity import Cores
from bench.driver import LONGEST_QOS_0_DRAIN, Outcome
from bench.figure import OURS, PEER, Aim, Figure, Spread, spread
from bench.scenario import Scenario

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
    late: bool
    """Whether a run ended while messages still arrived."""
    failures: list[str]

    @property
    def cpu(self) -> float | None:
        """Median microseconds of CPU, user and system, per delivered message."""
        return None if self.cpu_user is None or self.cpu_system is None else self.cpu_user + self.cpu_system


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario with all its runs and what they say."""

    scenario: Scenario
    standings: list[Standing]
    cpu_ratio: float | None
    """The peer's CPU time per message by ours: how much further the same core goes."""
    runs: list[Run]

    def figures(self) -> list[Figure]:
        """The rate; on a schedule, where the rate is given, how long messages took."""
        scenario = self.scenario
        if not scenario.rate:
            return [self._figure("", "/s", lambda outcome: outcome.rate, scenario.aim)]
        return [
            self._figure(" p50", "ms", lambda outcome: outcome.delay_p50 * 1e3, None),
            self._figure(" p99", "ms", lambda outcome: outcome.delay_p99 * 1e3, scenario.aim),
        ]

    def _figure(self, suffix: str, unit: str, of: Callable[[Outcome], float], aim: Aim | None) -> Figure:
        values: dict[str, list[float]] = {}
        for run in self.runs:
            if run.outcome is not None and run.outcome.delivered:
                values.setdefault(run.broker, []).append(of(run.outcome))
        return Figure(
            name=self.scenario.name + suffix.replace(" ", "-"),
            title=self.scenario.title + suffix,
            unit=unit,
            values={broker: spread(each) for broker, each in values.items()},
            aim=aim,
            failures={standing.broker: standing.failures for standing in self.standings if standing.failures},
        )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `--json` writes."""

    machine: str
    cores: Cores
    brokers: dict[str, str]
    """Name to version."""
    seconds: float
    repeat: int
    results: list[Result]
    """The traffic, run by run."""
    figures: list[Figure]
    """Every figure beside what is asked of it."""
    load: float = 0.0
    """Processes that ran or wanted to when it began: the load average of a minute."""
    skipped: list[str] = []
    """What was not measured, and why."""

    @property
    def failed(self) -> bool:
        """A run did not finish or broke a promise; how fast it was plays no part."""
        return any(figure.failures for figure in self.figures)


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
        return Standing(broker=broker, duplicated=0, late=False, failures=failures, **nothing)
    return Standing(
        broker=broker,
        rate=spread([outcome.rate for outcome in delivering]),
        cpu_user=statistics.median(outcome.broker_cpu.user / outcome.delivered * 1e6 for outcome in delivering),
        cpu_system=statistics.median(outcome.broker_cpu.system / outcome.delivered * 1e6 for outcome in delivering),
        broker_share=statistics.median(outcome.broker_share for outcome in delivering),
        generator_share=statistics.median(outcome.generator_share for outcome in delivering),
        missing_share=sum(outcome.missing for outcome in outcomes) / max(1, sum(each.expected for each in outcomes)),
        duplicated=sum(outcome.duplicated for outcome in outcomes),
        late=any(outcome.missing and outcome.drain_seconds >= LONGEST_QOS_0_DRAIN for outcome in outcomes),
        failures=failures,
    )


def conclude(scenario: Scenario, runs: Sequence[Run]) -> Result:
    """Compare the brokers of one scenario."""
    names = list(dict.fromkeys(run.broker for run in runs))
    standings = {name: stand(scenario, name, [run for run in runs if run.broker == name]) for name in names}
    ours, peer = standings.get(OURS), standings.get(PEER)
    cpu_ratio = None
    if ours is not None and peer is not None and not ours.failures and not peer.failures and ours.cpu and peer.cpu:
        cpu_ratio = peer.cpu / ours.cpu
    return Result(scenario=scenario, standings=list(standings.values()), cpu_ratio=cpu_ratio, runs=list(runs))
