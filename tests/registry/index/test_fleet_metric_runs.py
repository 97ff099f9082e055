"""Fleet metrics as they run (developer guide, iot-fleet-metrics, fleet-indexing-troubleshooting)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest
from tests.registry.index.fleet import Fleet

from fogbank.ports import OutboundError
from fogbank.registry.index.configuration import Field, FieldType, IndexingConfiguration
from fogbank.registry.index.fleet_metric_runs import FleetMetricRuns
from fogbank.registry.index.fleet_metrics import Aggregation, FleetMetric
from fogbank.testing.clock import FakeClock

CELSIUS = Field("attributes.celsius", FieldType.NUMBER)
START = FakeClock().time()
COUNT = FleetMetric(
    name="warm",
    query="attributes.celsius>30",
    aggregation=Aggregation.STATISTICS,
    values=("count", "maximum"),
    period=60,
    field="attributes.celsius",
    index="AWS_Things",
    created=START,
    modified=START,
)


class CloudWatch:
    """Port AwsServices, with CloudWatch alone."""

    def __init__(self) -> None:
        self.reachable = True
        self.error: OutboundError | None = None
        self.hanging: asyncio.Event | None = None
        self.calls: list[Mapping[str, Any]] = []
        self.asked = asyncio.Event()

    def obstacle(self, service: str) -> str | None:
        return None if self.reachable and service == "cloudwatch" else f"no endpoint for {service}"

    def url(self, service: str) -> str | None:
        return None

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        assert (service, operation) == ("cloudwatch", "PutMetricData")
        self.calls.append(params)
        self.asked.set()
        if self.hanging is not None:
            await self.hanging.wait()
        if self.error is not None:
            raise self.error
        return {}

    def data(self) -> list[tuple[str, str, float, str, float]]:
        """Metric, aggregation, value, unit and time of all that was put."""
        return [
            (one["MetricName"], one["Dimensions"][0]["Value"], one["Value"], one["Unit"], one["Timestamp"] - START)
            for call in self.calls
            for one in call["MetricData"]
        ]


@pytest.fixture
def cloudwatch() -> CloudWatch:
    return CloudWatch()


@pytest.fixture
async def stopped(fleet: Fleet, cloudwatch: CloudWatch, clock: FakeClock) -> AsyncIterator[FleetMetricRuns]:
    await fleet.index.configure(
        things=msgspec.structs.replace(IndexingConfiguration().things, custom_fields=(CELSIUS,))
    )
    await fleet.complete()
    for name, celsius in (("attic", "35"), ("roof", "40"), ("cellar", "12")):
        await fleet.registry.things.create(name, attributes={"celsius": celsius})
    await fleet.index.settled()
    runs = FleetMetricRuns(fleet.index, cloudwatch, clock)
    yield runs
    await runs.close()


@pytest.fixture
async def runs(stopped: FleetMetricRuns) -> FleetMetricRuns:
    stopped.start([])
    return stopped


async def worked_out(runs: FleetMetricRuns, cloudwatch: CloudWatch) -> None:
    """Until the emission that is due has been made."""
    await asyncio.wait_for(cloudwatch.asked.wait(), 10)
    cloudwatch.asked.clear()


async def test_what_it_comes_to_is_told(runs: FleetMetricRuns, cloudwatch: CloudWatch) -> None:
    runs.follow("warm", COUNT)
    await worked_out(runs, cloudwatch)
    assert runs.figures == {"warm": {"count": 2, "maximum": 40}}
    assert cloudwatch.calls[0]["Namespace"] == "IoTFleetMetrics"
    assert cloudwatch.calls[0]["MetricData"][0]["Dimensions"][0]["Name"] == "AggregationType"
    assert cloudwatch.data() == [("warm", "count", 2, "None", 0), ("warm", "maximum", 40, "None", 0)]


async def test_once_a_period(runs: FleetMetricRuns, cloudwatch: CloudWatch, clock: FakeClock, fleet: Fleet) -> None:
    runs.follow("warm", COUNT)
    await worked_out(runs, cloudwatch)
    await clock.advance(59)
    assert len(cloudwatch.calls) == 1
    await fleet.registry.things.create("boiler", attributes={"celsius": "70"})
    await fleet.index.settled()
    await clock.advance(1)
    await worked_out(runs, cloudwatch)
    assert cloudwatch.data()[2:] == [("warm", "count", 3, "None", 60), ("warm", "maximum", 70, "None", 60)]


async def test_after_a_restart_the_times_are_the_same(
    stopped: FleetMetricRuns, cloudwatch: CloudWatch, clock: FakeClock
) -> None:
    await clock.advance(130)
    stopped.start([COUNT])
    await clock.advance(49)
    assert cloudwatch.calls == []
    await clock.advance(1)
    await worked_out(stopped, cloudwatch)
    assert cloudwatch.data()[0][4] == 180


async def test_one_that_is_made_runs_at_once_and_then_in_step(
    runs: FleetMetricRuns, cloudwatch: CloudWatch, clock: FakeClock
) -> None:
    await clock.advance(0.25)  # between its record and its first run
    runs.follow("warm", COUNT)
    await worked_out(runs, cloudwatch)
    await clock.advance(59.75)
    await worked_out(runs, cloudwatch)
    assert [one[4] for one in cloudwatch.data()[::2]] == [0.25, 60]


async def test_a_deleted_one_runs_no_more(runs: FleetMetricRuns, cloudwatch: CloudWatch, clock: FakeClock) -> None:
    runs.follow("warm", COUNT)
    await worked_out(runs, cloudwatch)
    runs.follow("warm", None)
    await clock.advance(600)
    assert len(cloudwatch.calls) == 1
    assert runs.figures == {}


async def test_where_nothing_matches_there_is_a_count_alone(runs: FleetMetricRuns, cloudwatch: CloudWatch) -> None:
    """Developer guide: the count is always 0, and of other values there are no data points."""
    runs.follow("warm", msgspec.structs.replace(COUNT, query="attributes.celsius>90"))
    await worked_out(runs, cloudwatch)
    assert runs.figures == {"warm": {"count": 0}}


@pytest.mark.parametrize(
    ("aggregation", "values", "figures"),
    [
        (Aggregation.PERCENTILES, ("50", "p50"), {"50": 37.5, "p50": 37.5}),
        (Aggregation.CARDINALITY, ("cardinality",), {"cardinality": 2}),
    ],
)
async def test_other_aggregations(
    runs: FleetMetricRuns,
    cloudwatch: CloudWatch,
    aggregation: Aggregation,
    values: tuple[str, ...],
    figures: dict[str, float],
) -> None:
    runs.follow("warm", msgspec.structs.replace(COUNT, aggregation=aggregation, values=values, unit="Count"))
    await worked_out(runs, cloudwatch)
    assert runs.figures == {"warm": pytest.approx(figures)}
    assert {one[3] for one in cloudwatch.data()} == {"Count"}


async def test_without_cloudwatch_there_is_the_page(
    runs: FleetMetricRuns, cloudwatch: CloudWatch, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    def obstacle(service: str) -> str | None:
        asked.set()
        return "no endpoint"

    monkeypatch.setattr(cloudwatch, "obstacle", obstacle)
    runs.follow("warm", COUNT)
    await asyncio.wait_for(asked.wait(), 10)
    assert runs.figures == {"warm": {"count": 2, "maximum": 40}}
    assert cloudwatch.calls == []


async def test_a_target_that_fails_or_hangs_holds_up_nothing(
    runs: FleetMetricRuns, cloudwatch: CloudWatch, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    cloudwatch.error = OutboundError("no route", code="Connection")
    runs.follow("warm", COUNT)
    await worked_out(runs, cloudwatch)
    await clock.advance(0)
    assert "no route" in caplog.text
    cloudwatch.error, cloudwatch.hanging = None, asyncio.Event()
    await clock.advance(60)
    await worked_out(runs, cloudwatch)
    runs.follow("other", msgspec.structs.replace(COUNT, name="other", modified=START + 60))
    await worked_out(runs, cloudwatch)
    assert [call["MetricData"][0]["MetricName"] for call in cloudwatch.calls] == ["warm", "warm", "other"]


async def test_a_metric_that_cannot_be_worked_out_does_not_stop_others(
    runs: FleetMetricRuns, cloudwatch: CloudWatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs.follow("broken", msgspec.structs.replace(COUNT, name="broken", index="AWS_Nothing"))
    runs.follow("warm", COUNT)
    await worked_out(runs, cloudwatch)
    assert list(runs.figures) == ["warm"]
    assert "fleet metric broken: Index AWS_Nothing does not exist" in caplog.text
