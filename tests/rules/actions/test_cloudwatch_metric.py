"""The action `cloudwatchMetric`, against moto."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.errors import InvalidRequest

Aws = Callable[[str], Any]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def metric(namespace: str, **more: Any) -> dict[str, Any]:
    return {
        "cloudwatchMetric": {
            "roleArn": ROLE,
            "metricNamespace": namespace,
            "metricName": "${topic(2)}",
            "metricValue": "${temperature}",
            "metricUnit": "${unit}",
            **more,
        }
    }


async def test_the_data_point(bench: Workbench, aws: Aws) -> None:
    namespace = f"n/{uuid4()}"
    bench.rule(metric(namespace, metricTimestamp="${at}"))
    at = int(NOON.timestamp())
    assert await bench.send({"temperature": 21.5, "unit": "Percent", "at": at}) == []
    [point] = aws("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName="lamp",
        StartTime=NOON,
        EndTime=NOON.replace(hour=13),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert (point["Sum"], point["Unit"], point["Timestamp"]) == (21.5, "Percent", NOON)


async def test_without_a_timestamp_it_is_now(recorded: Workbench) -> None:
    recorded.rule(metric("n", metricUnit="None", metricValue="1E3"))
    assert await recorded.send({}) == []
    [(operation, params)] = recorded.aws.calls
    assert operation == "cloudwatch:PutMetricData"
    assert params == {
        "Namespace": "n",
        "MetricData": [{"MetricName": "lamp", "Value": 1000.0, "Unit": "None", "Timestamp": recorded.clock.time()}],
    }


@pytest.mark.parametrize("value", ["warm", "", "NaN", "inf", True, None, [1]])
async def test_a_value_that_is_no_number(recorded: Workbench, value: object) -> None:
    recorded.rule(metric("n"))
    [failed] = await recorded.send({"temperature": value, "unit": "None"})
    assert failed.startswith("metricValue must be a number")


async def test_a_unit_that_cloudwatch_does_not_know(recorded: Workbench) -> None:
    recorded.rule(metric("n"))
    assert await recorded.send({"temperature": 1}) == ["metricUnit '${unit}' is empty for this message"]


def test_parameters_that_are_refused(recorded: Workbench) -> None:
    with pytest.raises(InvalidRequest, match="metricValue"):
        recorded.compile(metric("n", metricValue=1))
