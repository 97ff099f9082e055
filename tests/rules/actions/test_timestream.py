"""The action `timestream`, against moto and by what it sends."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.errors import InvalidRequest

Aws = Callable[[str], Any]


def timestream(**more: Any) -> dict[str, Any]:
    members = {
        "roleArn": ROLE,
        "databaseName": "d",
        "tableName": "t",
        "dimensions": [{"name": "device", "value": "${topic(2)}"}],
    }
    return {"timestream": {**members, **more}}


async def test_every_attribute_is_a_measure(recorded: Workbench) -> None:
    recorded.rule(timestream(timestamp={"value": "${at}", "unit": "SECONDS"}), sql="SELECT i, d, s, b, o, n FROM '#'")
    assert await recorded.send(b'{"at":7,"i":1,"d":2.5,"s":"x","b":true,"o":{"p":[1.5]},"n":null}') == []
    assert recorded.aws.calls == [
        (
            "timestream-write:WriteRecords",
            {
                "DatabaseName": "d",
                "TableName": "t",
                "CommonAttributes": {
                    "Dimensions": [{"Name": "device", "Value": "lamp"}],
                    "Time": "7",
                    "TimeUnit": "SECONDS",
                },
                "Records": [
                    {"MeasureName": "i", "MeasureValue": "1", "MeasureValueType": "BIGINT"},
                    {"MeasureName": "d", "MeasureValue": "2.5", "MeasureValueType": "DOUBLE"},
                    {"MeasureName": "s", "MeasureValue": "x", "MeasureValueType": "VARCHAR"},
                    {"MeasureName": "b", "MeasureValue": "true", "MeasureValueType": "BOOLEAN"},
                    {"MeasureName": "o", "MeasureValue": '{"p":[1.5]}', "MeasureValueType": "VARCHAR"},
                ],
            },
        )
    ]


async def test_without_a_timestamp_it_is_now(recorded: Workbench) -> None:
    recorded.rule(timestream())
    assert await recorded.send({"a": 1}) == []
    common = recorded.aws.calls[0][1]["CommonAttributes"]
    assert (common["Time"], common["TimeUnit"]) == (str(int(recorded.clock.time() * 1000)), "MILLISECONDS")


async def test_moto_takes_it(bench: Workbench, aws: Aws) -> None:
    client = aws("timestream-write")
    database = f"d-{uuid4()}"
    # Moto has no answer to the look-up of endpoints that this service's own client begins with.
    await bench.outside.aws.call("timestream-write", "CreateDatabase", {"DatabaseName": database})
    await bench.outside.aws.call("timestream-write", "CreateTable", {"DatabaseName": database, "TableName": "t"})
    assert client is not None
    bench.rule(timestream(databaseName=database))
    assert await bench.send({"a": 1}) == []
    bench.rule(timestream(databaseName=database, tableName="gone"))
    [failed] = await bench.send({"a": 1})
    assert "Failed to write to Timestream table" in failed


@pytest.mark.parametrize(
    ("payload", "told"),
    [(b"7", "not a JSON object"), (b"{}", "0 attributes"), (b"\xff", "not a JSON object")],
)
async def test_payloads_without_measures(recorded: Workbench, payload: bytes, told: str) -> None:
    recorded.rule(timestream())
    [failed] = await recorded.send(payload)
    assert told in failed


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"dimensions": []}, "1 to 128 dimensions"),
        ({"dimensions": [{"name": "n"}]}, "value"),
        ({"timestamp": {"value": "1", "unit": "HOURS"}}, "timestamp.unit"),
        ({"timestamp": {"value": "1"}}, "unit"),
    ],
)
def test_parameters_that_are_refused(recorded: Workbench, more: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        recorded.compile(timestream(**more))
