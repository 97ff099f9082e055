"""The action `dynamoDB`, against moto."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.errors import InvalidRequest
from fogbank.ports import OutboundError
from fogbank.testing import FakeClock

Aws = Callable[[str], Any]


@pytest.fixture
def table(aws: Aws) -> str:
    """With a hash key `device` and a range key `at`, a number."""
    name = f"t-{uuid4()}"
    aws("dynamodb").create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "device", "KeyType": "HASH"},
            {"AttributeName": "at", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "device", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def dynamodb(table: str, **more: Any) -> dict[str, Any]:
    return {
        "dynamoDB": {
            "tableName": table,
            "roleArn": ROLE,
            "hashKeyField": "device",
            "hashKeyValue": "${topic(2)}",
            "rangeKeyField": "at",
            "rangeKeyValue": "${at}",
            "rangeKeyType": "NUMBER",
            **more,
        }
    }


def items(aws: Aws, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws("dynamodb").scan(TableName=table)["Items"]
    return sorted(found, key=lambda item: float(item["at"]["N"]))


@pytest.mark.parametrize(
    ("json", "stored"),
    [
        ("1", {"N": "1"}),
        ("-0.5", {"N": "-0.5"}),
        ("12345678901234567890.123456789", {"N": "12345678901234567890.123456789"}),
        ('"text"', {"S": "text"}),
        ('""', {"S": ""}),
        ("true", {"BOOL": True}),
        ("null", {"NULL": True}),
        ("[1,[]]", {"L": [{"N": "1"}, {"L": []}]}),
        ('{"b":{"c":"d"}}', {"M": {"b": {"M": {"c": {"S": "d"}}}}}),
    ],
)
async def test_json_becomes_values_of_their_types(
    bench: Workbench, aws: Aws, table: str, json: str, stored: dict[str, Any]
) -> None:
    bench.rule(dynamodb(table), sql="SELECT a FROM '#'")
    assert await bench.send(f'{{"at":7,"a":{json}}}'.encode()) == []
    assert items(aws, table) == [{"device": {"S": "lamp"}, "at": {"N": "7"}, "payload": {"M": {"a": stored}}}]


async def test_what_is_not_json_is_binary(bench: Workbench, aws: Aws, table: str) -> None:
    bench.rule(dynamodb(table, rangeKeyValue="1", payloadField="raw_${topic(1)}"))
    assert await bench.send(b"\x00\xff") == []
    assert items(aws, table) == [{"device": {"S": "lamp"}, "at": {"N": "1"}, "raw_t": {"B": b"\x00\xff"}}]


async def test_insert_replaces_the_item_update_keeps_the_rest_delete_removes_it(
    bench: Workbench, aws: Aws, table: str
) -> None:
    bench.rule(dynamodb(table, operation="${op}", payloadField="${field}"), sql="SELECT v FROM '#'")
    key = {"device": {"S": "lamp"}, "at": {"N": "1"}}
    assert await bench.send({"at": 1, "op": "INSERT", "field": "a", "v": 1}) == []
    assert await bench.send({"at": 1, "op": "update", "field": "b", "v": 2}) == []
    assert items(aws, table) == [{**key, "a": {"M": {"v": {"N": "1"}}}, "b": {"M": {"v": {"N": "2"}}}}]
    assert await bench.send({"at": 1, "op": "INSERT", "field": "c", "v": 3}) == []
    assert items(aws, table) == [{**key, "c": {"M": {"v": {"N": "3"}}}}]
    assert await bench.send({"at": 1, "op": "DELETE", "field": "c"}) == []
    assert items(aws, table) == []
    assert "operation must be one of" in (await bench.send({"at": 1, "op": "DROP", "field": "c"}))[0]


async def test_every_item_of_a_flood_is_stored(bench: Workbench, aws: Aws, table: str) -> None:
    bench.rule(dynamodb(table), sql="SELECT n FROM '#'")
    assert await bench.send(*({"at": n % 60, "n": n} for n in range(100))) == []
    assert [item["at"]["N"] for item in items(aws, table)] == [str(n) for n in range(60)]


async def test_one_item_that_is_not_valid_does_not_take_its_batch_along(bench: Workbench, aws: Aws, table: str) -> None:
    bench.rule(dynamodb(table))
    [failed] = await bench.send({"at": 1}, {"at": "x"}, {"at": 3})
    assert failed.startswith("Failed to write to DynamoDB table")
    assert [item["at"]["N"] for item in items(aws, table)] == ["1", "3"]


async def test_items_that_were_not_processed_are_tried_again(recorded: Workbench, clock: FakeClock) -> None:
    item = {"payload": {"M": {"at": {"N": "2"}}}, "device": {"S": "lamp"}, "at": {"N": "2"}}
    recorded.aws.answers["BatchWriteItem"] = [{"UnprocessedItems": {"t": [{"PutRequest": {"Item": item}}]}}]
    recorded.rule(dynamodb("t"))
    for at in (1, 2):
        recorded.publish({"at": at})
    await clock.advance(10)
    assert recorded.aws.calls[1:] == [("dynamodb:PutItem", {"TableName": "t", "Item": item})]
    assert recorded.counters.success == 2


async def test_no_batch_holds_a_key_twice(recorded: Workbench) -> None:
    recorded.rule(dynamodb("t"))
    assert await recorded.send({"at": 1}, {"at": 2}, {"at": 1}) == []
    sizes = [len(params.get("RequestItems", {}).get("t", [1])) for _, params in recorded.aws.calls]
    assert sizes == [2, 1]


async def test_a_table_that_is_not_there(bench: Workbench) -> None:
    bench.rule(dynamodb("gone"))
    [failed] = await bench.send({"at": 1})
    assert "ResourceNotFoundException" in failed


async def test_throttling_is_tried_again(recorded: Workbench, clock: FakeClock) -> None:
    slow = OutboundError("slow down", code="ProvisionedThroughputExceededException", status=400, transient=True)
    recorded.aws.answers["PutItem"] = [slow, slow, {}]
    recorded.rule(dynamodb("t"))
    recorded.publish({"at": 1})
    await clock.advance(10)
    assert recorded.counters.success == 1


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"operation": "UPSERT"}, "operation must be one of INSERT, UPDATE, DELETE"),
        ({"hashKeyType": "BINARY"}, "hashKeyType must be STRING or NUMBER, it is 'BINARY'"),
        ({"rangeKeyValue": None}, "rangeKeyField and rangeKeyValue belong together"),
        ({"hashKeyField": None}, "hashKeyField"),
        ({"sortKey": "x"}, "sortKey"),
    ],
)
def test_parameters_that_are_refused(recorded: Workbench, more: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        recorded.compile(dynamodb("t", **more))
