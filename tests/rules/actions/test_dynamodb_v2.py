"""The action `dynamoDBv2`, against moto."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.errors import InvalidRequest
from fogbank.message import Message
from fogbank.rules.actions.base import ActionFailed, Firing
from fogbank.sql import Event

Aws = Callable[[str], Any]


@pytest.fixture
def table(aws: Aws) -> str:
    name = f"t-{uuid4()}"
    aws("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def dynamodb(table: str, **more: Any) -> dict[str, Any]:
    return {"dynamoDBv2": {"roleArn": ROLE, "putItem": {"tableName": table}, **more}}


async def test_every_attribute_is_a_column(bench: Workbench, aws: Aws, table: str) -> None:
    bench.rule(dynamodb(table), sql="SELECT id, v AS value, tags, o, nothing, on FROM '#'")
    assert await bench.send(b'{"id":"x","v":21.5,"tags":["a",1],"o":{"p":null},"nothing":null,"on":false,"z":1}') == []
    [item] = aws("dynamodb").scan(TableName=table)["Items"]
    assert item == {
        "id": {"S": "x"},
        "value": {"N": "21.5"},
        "tags": {"L": [{"S": "a"}, {"N": "1"}]},
        "o": {"M": {"p": {"NULL": True}}},
        "nothing": {"NULL": True},
        "on": {"BOOL": False},
    }


async def test_the_table_comes_from_the_message(bench: Workbench, aws: Aws, table: str) -> None:
    bench.rule(dynamodb("${table}"))
    assert await bench.send({"id": "x", "table": table}) == []
    assert aws("dynamodb").scan(TableName=table)["Count"] == 1


@pytest.mark.parametrize("payload", [b"[1]", b"7", b"\xff", b"{"])
async def test_what_is_no_object_has_no_columns(recorded: Workbench, payload: bytes) -> None:
    recorded.rule(dynamodb("t"))
    [failed] = await recorded.send(payload)
    assert failed == "Failed to write to DynamoDB table. The payload is not a JSON object"
    assert recorded.aws.calls == []


async def test_an_item_without_its_key(bench: Workbench, table: str) -> None:
    bench.rule(dynamodb(table))
    [failed] = await bench.send({"other": 1})
    assert "ValidationException" in failed


@pytest.mark.parametrize("members", [{"roleArn": ROLE}, {"roleArn": ROLE, "putItem": {"tableName": "t", "key": "x"}}])
def test_parameters_that_are_refused(recorded: Workbench, members: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match='"dynamoDBv2"'):
        recorded.compile({"dynamoDBv2": members})


@pytest.mark.parametrize(("depth", "told"), [(40, "deeper than 32 levels"), (9000, "not a JSON object")])
async def test_a_payload_that_nests_too_deep(recorded: Workbench, depth: int, told: str) -> None:
    plan = recorded.rule(dynamodb("t")).plan
    document = b'{"id":' + b"[" * depth + b"]" * depth + b"}"
    with pytest.raises(ActionFailed, match=told):
        plan(Firing(Message("t", document), Event(topic="t", payload=document), document))


async def test_what_was_foreseen_is_logged_without_a_traceback(
    recorded: Workbench, caplog: pytest.LogCaptureFixture
) -> None:
    recorded.rule(dynamodb("t"))
    await recorded.send(b"[1]", b"[2]")
    [record] = caplog.records
    assert record.exc_info is None
