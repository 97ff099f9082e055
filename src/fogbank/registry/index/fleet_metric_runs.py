"""Works out fleet metrics, each on its period, and tells what they come to.

The figures are kept for the platform's own metrics page, and sent to CloudWatch where the operator has named an
endpoint for it. A metric is worked out when it is made or changed, and then once a period, whenever the server starts:
what was due while it was down is not made up for, since nobody knows what it would have been.
"""

import asyncio
import logging
import math
from collections.abc import Iterable, Mapping

from fogbank.clock import Clock
from fogbank.errors import ServiceError
from fogbank.patience import wait_for
from fogbank.ports import AwsServices, OutboundError
from fogbank.registry.index.configuration import FieldType
from fogbank.registry.index.fleet_metrics import STATISTICS, Aggregation, FleetMetric, percent
from fogbank.registry.index.service import IndexService
from fogbank.search import parse
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

SERVICE = "cloudwatch"
NAMESPACE = "IoTFleetMetrics"
DIMENSION = "AggregationType"
"""(developer guide, fleet-metrics-get-started, View fleet metrics in CloudWatch)"""


class FleetMetricRuns:
    """Runs all fleet metrics of the account."""

    def __init__(self, index: IndexService, aws: AwsServices, clock: Clock) -> None:
        self._index = index
        self._aws = aws
        self._clock = clock
        self._metrics: dict[str, FleetMetric] = {}
        self._due: dict[str, float] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._figures: dict[str, Mapping[str, float]] = {}
        self._changed = asyncio.Event()
        self._tasks = Tasks("fleet-metrics")

    @property
    def figures(self) -> Mapping[str, Mapping[str, float]]:
        """By metric and value (`count`, `95`, ...) what the last run came to."""
        return self._figures

    def follow(self, name: str, metric: FleetMetric | None) -> None:
        """Run this metric, which was made or changed just now; None: no more."""
        if metric is None:
            for kept in (self._metrics, self._due, self._figures):
                kept.pop(name, None)
        else:
            self._metrics[name] = metric
            self._due[name] = metric.modified
            self._changed.set()

    def start(self, metrics: Iterable[FleetMetric]) -> None:
        """Run these, which have run before."""
        for metric in metrics:
            self._metrics[metric.name] = metric
            self._due[metric.name] = self._next(metric)
        self._tasks.start(self._run(), "run")

    async def close(self) -> None:
        await self._tasks.close()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            now = self._clock.time()
            for name in [name for name, due in self._due.items() if due <= now]:
                await self._emit(name)
            changed = self._tasks.start(self._changed.wait(), "changed")
            if self._due:
                await wait_for(changed, min(self._due.values()) - self._clock.time(), self._clock, self._tasks)
            else:
                await changed

    async def _emit(self, name: str) -> None:
        """Run one metric. What goes wrong is logged, and does not stop those to come."""
        metric = self._metrics.get(name)
        if metric is None:
            return
        self._due[name] = self._next(metric)
        try:
            found = await self._work_out(metric)
        except ServiceError as error:
            log.warning("fleet metric %s: %s", name, error)
            return
        except Exception:
            log.exception("fleet metric %s could not be worked out", name)
            return
        if name in self._metrics:
            self._figures[name] = found
            self._send(metric, found)

    async def _work_out(self, metric: FleetMetric) -> dict[str, float]:
        """The values asked for; those that there are not, where nothing matches, are left out."""
        index = await self._index.ready(metric.index)
        await self._index.settled()
        engine, query = self._index.engine, parse(metric.query)
        type_ = self._index.configuration.of(index).type_of(metric.field) or FieldType.STRING
        match metric.aggregation:
            case Aggregation.STATISTICS:
                statistics = await engine.statistics(index, query, metric.field, type_)
                found = {value: getattr(statistics, STATISTICS[value]) for value in metric.values}
            case Aggregation.PERCENTILES:
                percents = {value: percent(value) for value in metric.values}
                by_percent = await engine.percentiles(index, query, metric.field, sorted({*percents.values()}))
                found = {value: by_percent.get(percents[value]) for value in metric.values}
            case Aggregation.CARDINALITY:
                count = await engine.cardinality(index, query, metric.field, type_)
                found = dict.fromkeys(metric.values, count)
        return {value: float(figure) for value, figure in found.items() if figure is not None}

    def _send(self, metric: FleetMetric, found: Mapping[str, float]) -> None:
        """To CloudWatch, if it can be reached. A target that hangs costs the emissions meanwhile, and nothing else."""
        sending = self._sending.get(metric.name)
        if not found or self._aws.obstacle(SERVICE) is not None or (sending is not None and not sending.done()):
            return
        self._sending[metric.name] = self._tasks.start(self._put(metric, found), metric.name)

    async def _put(self, metric: FleetMetric, found: Mapping[str, float]) -> None:
        data = [
            {
                "MetricName": metric.name,
                "Dimensions": [{"Name": DIMENSION, "Value": value}],
                "Timestamp": self._clock.time(),
                "Value": figure,
                "Unit": metric.unit or "None",
            }
            for value, figure in found.items()
        ]
        try:
            await self._aws.call(SERVICE, "PutMetricData", {"Namespace": NAMESPACE, "MetricData": data})
        except OutboundError as error:
            log.warning("fleet metric %s was not taken by CloudWatch: %s", metric.name, error)
        finally:
            self._sending.pop(metric.name, None)

    def _next(self, metric: FleetMetric) -> float:
        """When it is due next, after now."""
        periods = math.floor((self._clock.time() - metric.modified) / metric.period) + 1
        return metric.modified + periods * metric.period
