"""Fleet metrics as they are kept (developer guide, managing-fleet-metrics; API reference)."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from tests.registry.index.fleet import Fleet, Site

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound, VersionConflict
from fogbank.registry.errors import InvalidAggregation
from fogbank.registry.index.configuration import Field, FieldType, IndexingConfiguration, ThingIndexing, ThingMode
from fogbank.registry.index.fleet_metrics import Aggregation, FleetMetric, FleetMetricChange, FleetMetrics
from fogbank.search import InvalidQuery
from fogbank.storage.paging import Paging

EVERYTHING = msgspec.structs.replace(
    IndexingConfiguration().things, custom_fields=(Field("attributes.celsius", FieldType.NUMBER),)
)
SUM = FleetMetricChange(query="*", aggregation="Statistics", values=("sum",), period=60, field="registry.version")


class Followed:
    """What the metrics tell."""

    def __init__(self) -> None:
        self.metrics: dict[str, FleetMetric] = {}

    def __call__(self, name: str, metric: FleetMetric | None) -> None:
        if metric is None:
            del self.metrics[name]
        else:
            self.metrics[name] = metric


@pytest.fixture
def followed() -> Followed:
    return Followed()


@pytest.fixture
def kept(site: Site, arns: Arns) -> Callable[[Fleet, Followed], FleetMetrics]:
    def kept(fleet: Fleet, followed: Followed) -> FleetMetrics:
        return FleetMetrics(site.documents, fleet.index, fleet.registry.tags, arns, site.clock, followed)

    return kept


@pytest.fixture
def metrics(fleet: Fleet, followed: Followed, kept: Callable[[Fleet, Followed], FleetMetrics]) -> FleetMetrics:
    return kept(fleet, followed)


async def test_the_guides_example(metrics: FleetMetrics, followed: Followed, site: Site) -> None:
    made = await metrics.create("YourFleetMetricName", SUM, {})
    assert metrics.arn(made.name) == "arn:aws:iot:eu-west-1:123456789012:fleetmetric/YourFleetMetricName"
    created = site.clock.time()
    assert await metrics.describe(made.name) == FleetMetric(
        name="YourFleetMetricName",
        query="*",
        query_version="2017-09-30",
        aggregation=Aggregation.STATISTICS,
        values=("sum",),
        period=60,
        field="registry.version",
        index="AWS_Things",
        created=created,
        modified=created,
        version=1,
    )
    await site.clock.advance(30)
    change = FleetMetricChange(
        query="*", period=120, field="registry.version", aggregation="Statistics", values=("sum", "count"),
        index="AWS_Things",
    )  # fmt: skip
    await metrics.update(made.name, change, expected_version=1)
    changed = await metrics.describe(made.name)
    assert (changed.version, changed.period, changed.values) == (2, 120, ("sum", "count"))
    assert (changed.created, changed.modified) == (created, created + 30)
    assert followed.metrics == {made.name: changed}
    await metrics.delete(made.name)
    await metrics.delete(made.name)
    assert followed.metrics == {}
    with pytest.raises(ResourceNotFound):
        await metrics.describe(made.name)


async def test_an_update_changes_what_it_names(metrics: FleetMetrics) -> None:
    await metrics.create("m", msgspec.structs.replace(SUM, description="d", unit="Count"), {})
    changed = await metrics.update("m", FleetMetricChange(period=180, index="AWS_Things"))
    assert (changed.period, changed.description, changed.unit, changed.values) == (180, "d", "Count", ("sum",))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"period": 59}, InvalidRequest),
        ({"period": 61}, InvalidRequest),
        ({"period": 86_460}, InvalidRequest),
        ({"query": 'thingName:"a'}, InvalidQuery),
        ({"query_version": "2038-01-19"}, InvalidRequest),
        ({"index": "AWS_Nothing"}, ResourceNotFound),
        ({"field": "attributes.unknown"}, InvalidAggregation),
        ({"values": ("mode",)}, InvalidAggregation),
        ({"aggregation": "Percentiles", "values": ("sum",)}, InvalidAggregation),
        ({"aggregation": "Percentiles", "values": ("101",)}, InvalidAggregation),
        ({"aggregation": "Percentiles", "values": ("50",), "field": "thingName"}, InvalidAggregation),
        ({"aggregation": "Cardinality", "values": ("sum",)}, InvalidAggregation),
    ],
)
async def test_what_is_refused(metrics: FleetMetrics, change: dict[str, object], error: type[Exception]) -> None:
    wrong = msgspec.structs.replace(SUM, **change)
    with pytest.raises(error):
        await metrics.create("m", wrong, {})
    with pytest.raises(ResourceNotFound):
        await metrics.describe("m")
    await metrics.create("m", SUM, {})
    with pytest.raises(error):
        await metrics.update("m", wrong)
    assert (await metrics.describe("m")).version == 1


@pytest.mark.parametrize(
    ("aggregation", "values"),
    [
        (
            "Statistics",
            ("count", "average", "sum", "minimum", "maximum", "sumOfSquares", "variance", "stdDeviation"),
        ),
        ("Percentiles", ("1", "5", "25", "50", "75", "95", "99")),
        ("Cardinality", ("cardinality",)),
    ],
)
async def test_what_is_emitted_where_nothing_is_said(
    metrics: FleetMetrics, aggregation: str, values: tuple[str, ...]
) -> None:
    made = await metrics.create("m", msgspec.structs.replace(SUM, aggregation=aggregation, values=None), {})
    assert made.values == values


async def test_versions_conflict(metrics: FleetMetrics) -> None:
    await metrics.create("m", SUM, {})
    with pytest.raises(VersionConflict):
        await metrics.update("m", FleetMetricChange(period=120), expected_version=2)
    with pytest.raises(VersionConflict):
        await metrics.delete("m", expected_version=2)
    await metrics.delete("m", expected_version=1)


async def test_the_same_once_more_is_no_error(metrics: FleetMetrics, site: Site) -> None:
    first = await metrics.create("m", SUM, {})
    await site.clock.advance(5)
    assert await metrics.create("m", SUM, {}) == first
    with pytest.raises(ResourceAlreadyExists):
        await metrics.create("m", msgspec.structs.replace(SUM, period=120), {})


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "a/b", "ü"])
async def test_names_are_checked(metrics: FleetMetrics, name: str) -> None:
    with pytest.raises(InvalidRequest):
        await metrics.create(name, SUM, {})
    with pytest.raises(InvalidRequest):
        await metrics.describe(name)


async def test_a_hundred_are_the_most_however_many_come_at_once(metrics: FleetMetrics) -> None:
    made = await asyncio.gather(*(metrics.create(f"m{n}", SUM, {}) for n in range(103)), return_exceptions=True)
    assert [type(one) for one in made if isinstance(one, Exception)] == [LimitExceeded] * 3
    assert len(await metrics.all()) == 100


async def test_a_hundred_are_the_most_and_lists_are_paged(metrics: FleetMetrics) -> None:
    for number in range(100):
        await metrics.create(f"m{number:03}", SUM, {})
    with pytest.raises(LimitExceeded):
        await metrics.create("more", SUM, {})
    first = await metrics.page(Paging(size=60))
    second = await metrics.page(Paging(first.next, 60))
    assert [one.name for one in first.items + second.items] == [f"m{number:03}" for number in range(100)]
    assert second.next is None


async def test_they_are_tagged(metrics: FleetMetrics, fleet: Fleet) -> None:
    made = await metrics.create("m", SUM, {"team": "heat"})
    assert await fleet.registry.tags.list(metrics.arn(made.name)) == {"team": "heat"}
    await metrics.delete("m")
    with pytest.raises(ResourceNotFound):
        await fleet.registry.tags.list(metrics.arn(made.name))


async def test_their_fields_cannot_be_taken_from_them(metrics: FleetMetrics, fleet: Fleet) -> None:
    """Developer guide, fleet-indexing-troubleshooting: modifying custom fields used by fleet metrics."""
    await fleet.index.configure(things=EVERYTHING)
    await metrics.create("m", msgspec.structs.replace(SUM, field="attributes.celsius"), {})
    for without in (
        IndexingConfiguration().things,
        ThingIndexing(mode=ThingMode.OFF),
        msgspec.structs.replace(EVERYTHING, custom_fields=(Field("attributes.other", FieldType.NUMBER),)),
    ):
        with pytest.raises(InvalidRequest, match="Fleet metric m"):
            await fleet.index.configure(things=without)
    await fleet.index.configure(things=msgspec.structs.replace(EVERYTHING, connectivity=False))
    await metrics.delete("m")
    await fleet.index.configure(things=IndexingConfiguration().things)


async def test_they_outlive_the_server(site: Site, kept: Callable[[Fleet, Followed], FleetMetrics]) -> None:
    async with site.up() as fleet:
        made = await kept(fleet, Followed()).create("m", SUM, {})
    async with site.up() as fleet:
        assert await kept(fleet, Followed()).all() == [made]
