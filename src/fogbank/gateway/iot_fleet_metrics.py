"""The IoT API of fleet metrics (developer guide, managing-fleet-metrics)."""

from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.index.fleet_metrics import FleetMetric, FleetMetricChange, FleetMetrics
from fogbank.registry.tags import checked_tags
from fogbank.storage.paging import Paging


class IotFleetMetricsApi:
    """CreateFleetMetric to ListFleetMetrics."""

    def __init__(self, metrics: FleetMetrics) -> None:
        self._metrics = metrics

    @operation("iot", "CreateFleetMetric")
    async def create_fleet_metric(self, call: Call) -> Members:
        name = call.params["metricName"]
        metric = await self._metrics.create(name, _given(call.params), checked_tags(call.params.get("tags")))
        return self._reference(metric)

    @operation("iot", "UpdateFleetMetric")
    async def update_fleet_metric(self, call: Call) -> Members:
        expected = call.params.get("expectedVersion")
        await self._metrics.update(call.params["metricName"], _given(call.params), expected_version=expected)
        return {}

    @operation("iot", "DeleteFleetMetric")
    async def delete_fleet_metric(self, call: Call) -> Members:
        await self._metrics.delete(call.params["metricName"], expected_version=call.params.get("expectedVersion"))
        return {}

    @operation("iot", "DescribeFleetMetric")
    async def describe_fleet_metric(self, call: Call) -> Members:
        metric = await self._metrics.describe(call.params["metricName"])
        return {
            **self._reference(metric),
            "queryString": metric.query,
            "aggregationType": {"name": metric.aggregation.value, "values": list(metric.values)},
            "period": metric.period,
            "aggregationField": metric.field,
            "description": metric.description,
            "queryVersion": metric.query_version,
            "indexName": metric.index,
            "creationDate": metric.created,
            "lastModifiedDate": metric.modified,
            "unit": metric.unit,
            "version": metric.version,
        }

    @operation("iot", "ListFleetMetrics")
    async def list_fleet_metrics(self, call: Call) -> Members:
        page = await self._metrics.page(Paging(call.params.get("nextToken"), call.params.get("maxResults")))
        return {"fleetMetrics": [self._reference(one) for one in page.items], "nextToken": page.next}

    def _reference(self, metric: FleetMetric) -> Members:
        return {"metricName": metric.name, "metricArn": self._metrics.arn(metric.name)}


def _given(params: Members) -> FleetMetricChange:
    aggregation = params.get("aggregationType") or {}
    values = aggregation.get("values")
    return FleetMetricChange(
        query=params.get("queryString"),
        aggregation=aggregation.get("name"),
        values=None if values is None else tuple(values),
        period=params.get("period"),
        field=params.get("aggregationField"),
        index=params.get("indexName"),
        query_version=params.get("queryVersion"),
        description=params.get("description"),
        unit=params.get("unit"),
    )
