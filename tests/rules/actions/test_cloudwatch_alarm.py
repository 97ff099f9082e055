"""The action `cloudwatchAlarm`, against moto."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.errors import InvalidRequest

Aws = Callable[[str], Any]


@pytest.fixture
def alarm(aws: Aws) -> str:
    name = f"a-{uuid4()}"
    aws("cloudwatch").put_metric_alarm(
        AlarmName=name,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="m",
        Namespace="n",
        Period=60,
        Statistic="Sum",
        Threshold=1.0,
    )
    return name


def action(name: str, **more: Any) -> dict[str, Any]:
    members = {"roleArn": ROLE, "alarmName": name, "stateReason": "told by ${topic(2)}", "stateValue": "${state}"}
    return {"cloudwatchAlarm": {**members, **more}}


@pytest.mark.parametrize("state", ["OK", "ALARM", "INSUFFICIENT_DATA"])
async def test_the_state_that_is_set(bench: Workbench, aws: Aws, alarm: str, state: str) -> None:
    bench.rule(action(alarm))
    assert await bench.send({"state": state}) == []
    [found] = aws("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    assert (found["StateValue"], found["StateReason"]) == (state, "told by lamp")


async def test_a_state_that_there_is_not(recorded: Workbench) -> None:
    recorded.rule(action("a"))
    assert await recorded.send({"state": "FINE"}) == [
        "stateValue must be one of OK, ALARM, INSUFFICIENT_DATA, it is 'FINE'"
    ]


async def test_an_alarm_that_is_not_there(bench: Workbench, alarm: str) -> None:
    bench.rule(action(alarm + "-gone"))
    [failed] = await bench.send({"state": "OK"})
    assert "Failed to set the state of CloudWatch alarm" in failed


def test_parameters_that_are_refused(recorded: Workbench) -> None:
    with pytest.raises(InvalidRequest, match=r"stateValue must be one of .*'FINE'"):
        recorded.compile(action("a", stateValue="FINE"))
