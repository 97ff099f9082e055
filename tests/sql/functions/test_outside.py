"""Functions that ask the world (developer guide: "Functions"): what they ask, and what they make of the answers."""

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.sql.outside.world import World

from fogbank.errors import FogbankError
from fogbank.sql import (
    UNDEFINED,
    Answers,
    Event,
    OutsideFailed,
    SqlError,
    Value,
    Version,
    compile_expression,
    compile_statement,
    parse,
)

U = UNDEFINED
ROLE = "arn:aws:iam::123456789012:role/r"
PAYLOAD = {"attribute1": 21, "attribute2": "value", "id": "d1", "n": 5.0, "deep": {"innerKey1": "value1"}}
SHADOW = {"state": {"reported": {"alarm": "ON", "level": 5.0}}, "version": 3}


async def ask(text: str, world: World, version: str = "2016-03-23") -> Value:
    expression = compile_expression(text, version)
    event = Event(topic="t", payload=json.dumps(PAYLOAD).encode())
    return await expression.evaluate_asking(event, Answers(world, Version(version)))


# expression, what the service answers, its value, what was asked
CALLS: list[tuple[str, dict[str, Any], Value, tuple[Any, ...]]] = [
    # the guide's two examples of aws_lambda
    (
        "aws_lambda('arn:f', {'payload': attribute1}).some.value",
        {"invoke": {"some": {"value": 7}}},
        7,
        ("invoke", "arn:f", b'{"payload":21}'),
    ),
    (
        "aws_lambda('arn:f', *)",
        {"invoke": [1, 2.0]},
        [1, 2],
        (
            "invoke",
            "arn:f",
            b'{"attribute1":21,"attribute2":"value","id":"d1","n":5,"deep":{"innerKey1":"value1"}}',
        ),
    ),
    ("aws_lambda('arn:f', null)", {"invoke": b"null"}, None, ("invoke", "arn:f", b"null")),
    # and of get_thing_shadow
    (
        f"get_thing_shadow('MyThing', 'MyThingShadow', '{ROLE}').state.reported.alarm",
        {"thing_shadow": SHADOW},
        "ON",
        ("thing_shadow", "MyThing", "MyThingShadow", ROLE),
    ),
    (
        f"get_thing_shadow(id, '{ROLE}').state.reported.level",
        {"thing_shadow": SHADOW},
        5,
        ("thing_shadow", "d1", None, ROLE),
    ),
    (
        f"get_registry_data('DescribeThing', id, '{ROLE}').attributes.model",
        {"registry_data": {"thingName": "d1", "attributes": {"model": "123"}}},
        "123",
        ("registry_data", "DescribeThing", "d1", ROLE),
    ),
    (
        f"get(get_registry_data('ListThingGroupsForThing', id, '{ROLE}').thingGroups, 0).groupName",
        {"registry_data": {"thingGroups": [{"groupName": "g"}]}},
        "g",
        ("registry_data", "ListThingGroupsForThing", "d1", ROLE),
    ),
    # the guide's example of get_dynamodb
    (
        f"get_dynamodb('InServiceDevices', 'deviceId', id, '{ROLE}').location",
        {"item": {"Item": {"location": {"S": "Berlin"}}}},
        "Berlin",
        ("item", "InServiceDevices", {"deviceId": {"S": "d1"}}, ROLE),
    ),
    (
        f"get_dynamodb('t', 'pk', n, 'sk', 1.5, '{ROLE}')",
        {"item": {"Item": {}}},
        {},
        ("item", "t", {"pk": {"N": "5"}, "sk": {"N": "1.5"}}, ROLE),
    ),
    # the guide's list of what get_secret returns
    (
        f"get_secret('API_KEY', 'SecretString', 'API_KEY_VALUE', '{ROLE}')",
        {"secret": {"SecretString": '{"API_KEY_VALUE": "k"}'}},
        "k",
        ("secret", "API_KEY", ROLE),
    ),
    (
        f"get_secret('s', 'SecretString', '{ROLE}')",
        {"secret": {"SecretString": '{"a": 1}'}},
        {"a": 1},
        ("secret", "s", ROLE),
    ),
    (f"get_secret('s', 'SecretString', '{ROLE}')", {"secret": {"SecretString": "5"}}, "5", ("secret", "s", ROLE)),
    (f"get_secret('s', 'SecretBinary', '{ROLE}')", {"secret": {"SecretBinary": "aGk="}}, "aGk=", ("secret", "s", ROLE)),
    # the guide's example of a record that is flattened
    (
        f"machinelearning_predict('m', '{ROLE}', {{'key1': deep, 'key2': 0, 'key3': null}}).predictedLabel",
        {"predict": {"Prediction": {"predictedLabel": "yes", "details": {"PredictiveModelType": "BINARY"}}}},
        "yes",
        ("predict", "m", {"key1": '{"innerKey1":"value1"}', "key2": "0"}, ROLE),
    ),
]


@pytest.mark.parametrize(("text", "answers", "value", "asked"), CALLS)
async def test_calls(text: str, answers: dict[str, Any], value: Value, asked: tuple[Any, ...]) -> None:
    world = World(**answers)
    actual = await ask(text, world)
    assert (type(actual), actual) == (type(value), value)
    assert world.asked == [asked]


# Invalid arguments are Undefined (developer guide: "Data types"), and nobody is asked.
@pytest.mark.parametrize(
    "text",
    [
        "aws_lambda(missing, 1)",
        "aws_lambda('arn:f', missing)",
        "aws_lambda('arn:f')",
        f"get_thing_shadow(missing, '{ROLE}')",
        f"get_thing_shadow('t', null, '{ROLE}')",
        "get_thing_shadow('t')",
        f"get_registry_data(attribute2, 't', '{ROLE}')",
        f"get_registry_data('DescribeThing', missing, '{ROLE}')",
        f"get_dynamodb('t', 'pk', missing, '{ROLE}')",
        f"get_dynamodb('t', 'pk', true, '{ROLE}')",
        f"get_dynamodb('t', 5, 'x', '{ROLE}')",
        f"get_dynamodb('t', 'pk', 'x', 'sk', '{ROLE}')",
        f"get_secret('s', attribute2, '{ROLE}')",
        f"get_secret(missing, 'SecretString', '{ROLE}')",
        f"machinelearning_predict('m', '{ROLE}', 5)",
        "decode(missing, 'proto', 'b', 'k', 'f', 'M')",
        "decode('aGk=', attribute2, 'b', 'k', 'f', 'M')",
        "decode('aGk=', 'base64', 'b')",
    ],
)
async def test_invalid_arguments(text: str) -> None:
    world = World()
    # Where a template may not call it, a statement may.
    query = compile_statement(parse(f"SELECT VALUE {text} FROM 't'", "2016-03-23"))
    outcome = await query.evaluate_asking(
        Event(topic="t", payload=json.dumps(PAYLOAD).encode()), Answers(world, query.version)
    )
    assert (outcome.fires, outcome.output, outcome.failure) == (True, None, None)
    assert world.asked == []


@pytest.mark.parametrize(
    ("text", "answers", "message"),
    [
        (f"get_thing_shadow('t', '{ROLE}')", {}, "get_thing_shadow() failed: there is no such thing"),
        (
            f"get_thing_shadow('t', '{ROLE}')",
            {"thing_shadow": b"\xff"},
            "get_thing_shadow() failed: the answer is not JSON",
        ),
        ("aws_lambda('f', 1)", {"invoke": b""}, "aws_lambda() failed: the answer is not JSON"),
        (f"get_dynamodb('t', 'k', 1, '{ROLE}')", {"item": {}}, "get_dynamodb() failed: the table t has no such item"),
        (
            f"get_dynamodb('t', 'k', 1, '{ROLE}')",
            {"item": {"Item": {"a": {"X": 1}}}},
            "get_dynamodb() failed: the answer has a value of the type 'X', which DynamoDB does not know",
        ),
        (
            f"get_dynamodb('t', 'k', 1, '{ROLE}')",
            {"item": {"Item": {"a": 5}}},
            "get_dynamodb() failed: the answer is not DynamoDB's JSON",
        ),
        (
            f"get_dynamodb('t', 'k', 1, '{ROLE}')",
            {"item": {"Item": {"a": {"N": "NaN"}}}},
            "get_dynamodb() failed: the answer's number 'NaN' is none",
        ),
        (
            f"get_dynamodb('t', 'k', 1, '{ROLE}')",
            {"item": {"Item": {"a": {"N": "true"}}}},
            "get_dynamodb() failed: the answer's number 'true' is none",
        ),
        (
            f"get_dynamodb('t', 'k', 1, '{ROLE}')",
            {"item": {"Item": {"a": {"NS": ["1", "[1]"]}}}},
            "get_dynamodb() failed: the answer's number '[1]' is none",
        ),
        # the guide: "this function fails with an exception"
        (
            f"get_secret('s', 'SecretString', 'k', '{ROLE}')",
            {"secret": {"SecretString": "plain"}},
            "get_secret() failed: the secret s is no JSON object, so it has no key 'k'",
        ),
        (
            f"get_secret('s', 'SecretString', 'k', '{ROLE}')",
            {"secret": {"SecretString": "{}"}},
            "get_secret() failed: the secret s has no key 'k'",
        ),
        (
            f"get_secret('s', 'SecretBinary', 'k', '{ROLE}')",
            {"secret": {"SecretBinary": "aGk="}},
            "get_secret() failed: SecretBinary has no keys",
        ),
        (
            f"get_secret('s', 'SecretBinary', '{ROLE}')",
            {"secret": {"SecretString": "x"}},
            "get_secret() failed: the secret s has no SecretBinary",
        ),
        (
            f"machinelearning_predict('m', '{ROLE}', {{'a': 1}})",
            {"predict": {}},
            "machinelearning_predict() failed: the answer holds no Prediction",
        ),
    ],
)
async def test_failures(text: str, answers: dict[str, Any], message: str) -> None:
    with pytest.raises(OutsideFailed) as caught:
        await ask(text, World(**answers))
    assert str(caught.value) == message
    # A failure that the statement guards against is no failure (developer guide: `get_or_default`).
    assert await ask(f"get_or_default({text}, 'd')", World(**answers)) == "d"
    assert await ask(f"get_or_default({text})", World(**answers)) is U


async def test_what_dynamodb_holds_stays_exact() -> None:
    item = {
        "s": {"S": "x"},
        "n": {"N": "0.12345678901234567890123456789"},
        "i": {"N": "12345678901234567890123456789012345678"},
        "w": {"N": "5.0"},
        "b": {"B": "aGk="},
        "t": {"BOOL": True},
        "z": {"NULL": True},
        "l": {"L": [{"S": "a"}, {"M": {"k": {"N": "1"}}}]},
        "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["1", "2.5"]},
        "bs": {"BS": ["aGk="]},
    }
    value = await ask(f"get_dynamodb('t', 'k', 1, '{ROLE}')", World(item={"Item": item}))
    assert value == {
        "s": "x",
        "n": Decimal("0.12345678901234567890123456789"),
        "i": 12345678901234567890123456789012345678,
        "w": 5,
        "b": "aGk=",
        "t": True,
        "z": None,
        "l": ["a", {"k": 1}],
        "ss": ["a", "b"],
        "ns": [1, Decimal("2.5")],
        "bs": ["aGk="],
    }
    assert isinstance(value, dict)
    assert isinstance(value["w"], int)


ERRORS = [
    ("SELECT get_thing_shadow('t', r) AS a FROM 't'", 30, "get_thing_shadow(): the role has to be a string literal"),
    ("SET @r = 'x' SELECT get_secret('s', 'SecretString', @r) AS a", 53, "get_secret(): the role has to be"),
    ("SELECT machinelearning_predict('m', topic(), a) AS a", 37, "machinelearning_predict(): the role has to be"),
    ("SELECT get_registry_data('Delete', 't', 'r') AS a", 8, "get_registry_data(): there is DescribeThing and ListT"),
    ("SELECT get_secret('s', 'Binary', 'r') AS a", 8, "get_secret(): there is SecretString and SecretBinary"),
    (
        "SELECT get_dynamodb('t', 'k', 1, 'r') AS a WHERE get_dynamodb('t', 'k', 1, 'r').x = 1",
        8,
        "get_dynamodb() may ask another service once in a statement",
    ),
    (
        "SELECT get_registry_data('DescribeThing', 'a', 'r') AS a, get_registry_data('DescribeThing', 'b', 'r') AS b",
        59,
        "get_registry_data() may ask another service once",
    ),
    (
        "SELECT " + ", ".join(f"decode(*, 'proto', 'b', 'k', 'f', 'M') AS a{n}" for n in range(3)),
        100,
        "decode() may ask another service 2 times",
    ),
    ("SELECT get_or_default(a, aws_lambda('f', 1)) AS a", 26, "the default of get_or_default() cannot be what another"),
    ("SELECT decode(*, 'proto') AS a", 8, "decode(): 'proto' needs a bucket, a key"),
    ("SELECT decode(*, 'base64', 'b', 'k', 'f', 'M') AS a", 8, "decode(): decode takes six arguments for 'proto'"),
]


@pytest.mark.parametrize(("text", "column", "message"), ERRORS)
def test_what_may_not_be_asked_is_refused(text: str, column: int, message: str) -> None:
    with pytest.raises(SqlError) as caught:
        compile_statement(parse(text, "2016-03-23"))
    assert caught.value.message.startswith(message)
    assert caught.value.column == column


def test_protobuf_is_not_for_templates() -> None:
    text = "decode(*, 'proto', 'b', 'k', 'f', 'M')"
    with pytest.raises(SqlError, match="cannot stand in a substitution template"):
        compile_expression(text, "2016-03-23")


@pytest.mark.parametrize("name", ["get_thing_shadow", "get_registry_data", "get_dynamodb"])
def test_what_came_with_2016(name: str) -> None:
    with pytest.raises(SqlError, match=rf"function {name}\(\) needs SQL version 2016-03-23"):
        compile_statement(parse(f"SELECT {name}('DescribeThing', 'b', 'c', 'd') AS a"))


async def test_in_2015_numbers_keep_their_point() -> None:
    world = World(invoke={"a": 5.0})
    value = await ask("aws_lambda('f', 1).a", world, "2015-10-08")
    assert str(value) == "5.0"


def test_asked_without_anybody_there_it_fails() -> None:
    query = compile_statement(parse(f"SELECT get_thing_shadow('t', '{ROLE}') AS a FROM 't'", "2016-03-23"))
    with pytest.raises(OutsideFailed, match=r"get_thing_shadow\(\) asks another service"):
        query.evaluate(Event(topic="t", payload=b""))


def test_errors_of_services_are_errors_of_the_platform() -> None:
    assert issubclass(OutsideFailed, FogbankError)
