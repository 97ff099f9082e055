"""Fleet metrics: aggregations that are worked out again and again (developer guide, iot-fleet-metrics).

Here they are kept; `fleet_metric_runs` works them out.
"""

import enum
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound, VersionConflict
from fogbank.ports import Documents
from fogbank.registry.changes import settle
from fogbank.registry.constraints import Constraint
from fogbank.registry.errors import InvalidAggregation
from fogbank.registry.index.configuration import FieldType, IndexingConfiguration, IndexName
from fogbank.registry.index.service import IndexService
from fogbank.registry.tags import Tags
from fogbank.search import parse
from fogbank.storage.collection import Collection, Stored
from fogbank.storage.paging import Page, Paging

MOST = 100
"""Per account (general reference, IoT Device Management fleet indexing limits)."""
PERIODS = range(60, 86_401, 60)
"""Seconds (API reference, CreateFleetMetric)."""
QUERY_VERSION = "2017-09-30"
PERCENTILES = ("1", "5", "25", "50", "75", "95", "99")
"""Where a request names none (developer guide, index-aggregate)."""
CARDINALITY = "cardinality"

NAME = Constraint("metricName", r"[a-zA-Z0-9_\-.]+", 128)
_PERCENTILE = re.compile(r"[pP]?(\d{1,3})")


class Aggregation(enum.Enum):
    """What is made of the values of a field."""

    STATISTICS = "Statistics"
    PERCENTILES = "Percentiles"
    CARDINALITY = "Cardinality"


STATISTICS: Mapping[str, str] = {
    "count": "count",
    "average": "average",
    "sum": "sum",
    "minimum": "minimum",
    "maximum": "maximum",
    "sumOfSquares": "sum_of_squares",
    "variance": "variance",
    "stdDeviation": "std_deviation",
}
"""By the API's names, the engine's (API reference, Statistics)."""


class FleetMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet metric. Times are seconds since the epoch."""

    name: str
    query: str
    aggregation: Aggregation
    values: tuple[str, ...]
    """The statistics, or percentiles, that are emitted, as the request has them."""
    period: int
    """Seconds from one emission to the next."""
    field: str
    index: str
    created: float
    modified: float
    query_version: str = QUERY_VERSION
    description: str | None = None
    unit: str | None = None
    version: int = 1


class FleetMetricChange(msgspec.Struct, frozen=True, kw_only=True):
    """What CreateFleetMetric and UpdateFleetMetric say of a metric; None: nothing."""

    query: str | None = None
    aggregation: str | None = None
    values: tuple[str, ...] | None = None
    period: int | None = None
    field: str | None = None
    index: str | None = None
    query_version: str | None = None
    description: str | None = None
    unit: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Members of `FleetMetric`. What is emitted goes with the aggregation."""
        found = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        if self.aggregation is not None:
            found["aggregation"] = aggregation = Aggregation(self.aggregation)
            found["values"] = self.values or _DEFAULTS[aggregation]
        return found


_DEFAULTS: Mapping[Aggregation, tuple[str, ...]] = {
    Aggregation.STATISTICS: tuple(STATISTICS),
    Aggregation.PERCENTILES: PERCENTILES,
    Aggregation.CARDINALITY: (CARDINALITY,),
}


class FleetMetrics:
    """The fleet metrics of the account."""

    def __init__(
        self,
        documents: Documents,
        index: IndexService,
        tags: Tags,
        arns: Arns,
        clock: Clock,
        changed: Callable[[str, FleetMetric | None], None],
    ) -> None:
        """`changed` is told of each metric as it is made or changed, and with None of each that is removed."""
        self._documents = documents
        self._metrics = Collection(documents, "fleet-metric", FleetMetric)
        self._index = index
        self._tags = tags
        self._arns = arns
        self._clock = clock
        self._changed = changed
        self._making: Counter[str] = Counter()
        """Names of metrics that are being made at this moment."""
        tags.register("fleetmetric", self._metrics.presence)
        index.object_to(self._object_to)

    def arn(self, name: str) -> str:
        return self._arns.iot("fleetmetric", name)

    async def all(self) -> list[FleetMetric]:
        """In order of their names."""
        return [stored.value for stored in await self._metrics.scan()]

    async def create(self, name: str, given: FleetMetricChange, tags: Mapping[str, str]) -> FleetMetric:
        """Make a metric; the same name with the same configuration succeeds and changes nothing.

        Raises InvalidRequest, InvalidQuery, InvalidAggregation, LimitExceeded, ResourceAlreadyExists, IndexNotReady,
        ResourceNotFound (the index).
        """
        NAME.check(name)
        now = self._clock.time()
        members = {"index": IndexName.THINGS.value, **given.given}
        wanted = FleetMetric(name=name, created=now, modified=now, **members)
        await self._check(wanted)

        async def attempt() -> FleetMetric:
            stored = await self._metrics.get(name)
            if stored is not None:
                there = stored.value
                if msgspec.structs.replace(wanted, created=there.created, modified=there.modified) != there:
                    raise ResourceAlreadyExists(
                        f"Fleet metric {name} already exists in account with different configuration",
                        resourceId=name,
                        resourceArn=self.arn(name),
                    )
                return there
            there_are = {one.key for one in await self._metrics.scan(limit=MOST)}
            if len({*there_are, *self._making, name}) > MOST:
                raise LimitExceeded(f"There are {MOST} fleet metrics, which is the most")
            self._making[name] += 1
            try:
                await self._documents.commit(
                    self._metrics.putting(name, wanted, expect=0), self._tags.putting(self.arn(name), tags)
                )
            finally:
                self._making -= Counter((name,))
            self._changed(name, wanted)
            return wanted

        return await settle(attempt)

    async def describe(self, name: str) -> FleetMetric:
        """Raises ResourceNotFound, InvalidRequest."""
        return (await self._stored(name)).value

    async def page(self, paging: Paging) -> Page[FleetMetric]:
        """In order of their names."""
        return await paging.values("fleet metrics", lambda after, limit: self._metrics.scan(after=after, limit=limit))

    async def update(self, name: str, given: FleetMetricChange, *, expected_version: int | None = None) -> FleetMetric:
        """Change what is given and raise the version by one.

        Raises InvalidRequest, InvalidQuery, InvalidAggregation, ResourceNotFound, VersionConflict, IndexNotReady.
        """

        async def attempt() -> FleetMetric:
            stored = await self._stored(name)
            before = stored.value
            _check_version(before, expected_version)
            changes = {**given.given, "version": before.version + 1, "modified": self._clock.time()}
            after = msgspec.structs.replace(before, **changes)
            await self._check(after)
            await self._documents.commit(self._metrics.putting(name, after, expect=stored.version))
            self._changed(name, after)
            return after

        return await settle(attempt)

    async def delete(self, name: str, *, expected_version: int | None = None) -> None:
        """Remove a metric; one that does not exist is no error. Raises InvalidRequest, VersionConflict."""

        async def attempt() -> None:
            stored = await self._metrics.get(NAME.check(name))
            if stored is None:
                return
            _check_version(stored.value, expected_version)
            await self._documents.commit(
                self._metrics.deleting(name, expect=stored.version), self._tags.deleting(self.arn(name))
            )
            self._changed(name, None)

        await settle(attempt)

    async def _stored(self, name: str) -> Stored[FleetMetric]:
        found = await self._metrics.get(NAME.check(name))
        if found is None:
            raise ResourceNotFound(f"Fleet metric {name} not found")
        return found

    async def _check(self, metric: FleetMetric) -> None:
        if metric.period not in PERIODS:
            raise InvalidRequest(
                f"period must be a multiple of 60 from {PERIODS[0]} to {PERIODS[-1]} seconds, not {metric.period}"
            )
        if metric.query_version != QUERY_VERSION:
            raise InvalidRequest(f"queryVersion {metric.query_version} is not supported; there is {QUERY_VERSION}")
        parse(metric.query)
        index = await self._index.ready(metric.index)
        _check_values(metric, self._index.configuration.of(index).type_of(metric.field))

    async def _object_to(self, configuration: IndexingConfiguration) -> None:
        """Raises InvalidRequest where a metric would lose its field (developer guide, fleet-indexing-troubleshooting,
        Troubleshooting fleet metrics)."""
        for stored in await self._metrics.scan():
            metric = stored.value
            try:
                _check_values(metric, configuration.of(IndexName(metric.index)).type_of(metric.field))
            except InvalidAggregation as lost:
                raise InvalidRequest(f"Fleet metric {metric.name} needs what is configured: {lost}") from None


def percent(value: str) -> float:
    """The percentile that `95` or `p95` is. Raises InvalidAggregation."""
    match = _PERCENTILE.fullmatch(value)
    if match is None or int(match[1]) > 100:
        raise InvalidAggregation(f"{value} is not a percentile from 0 to 100")
    return float(match[1])


def _check_values(metric: FleetMetric, type_: FieldType | None) -> None:
    """Raises InvalidAggregation where the field is not there, or cannot be aggregated so."""
    if type_ is None:
        raise InvalidAggregation(
            f"The field {metric.field[:200]} cannot be aggregated: it is neither a managed field nor a custom one of"
            f" the index {metric.index}; see UpdateIndexingConfiguration"
        )
    match metric.aggregation:
        case Aggregation.STATISTICS:
            if unknown := [value for value in metric.values if value not in STATISTICS]:
                raise InvalidAggregation(f"There is no statistic {unknown[0]}; there are {', '.join(STATISTICS)}")
        case Aggregation.PERCENTILES:
            if type_ is not FieldType.NUMBER:
                raise InvalidAggregation(f"Percentiles are of numbers, and {metric.field[:200]} is a {type_.value}")
            for value in metric.values:
                percent(value)
        case Aggregation.CARDINALITY:
            if unknown := [value for value in metric.values if value.lower() != CARDINALITY]:
                raise InvalidAggregation(f"{unknown[0]} is not a value of Cardinality; leave it out")


def _check_version(metric: FleetMetric, expected: int | None) -> None:
    if expected is not None and expected != metric.version:
        raise VersionConflict(f"The version of fleet metric {metric.name} is {metric.version}, expected {expected}")
