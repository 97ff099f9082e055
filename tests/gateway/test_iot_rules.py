"""The rule operations, held against botocore's model: parameters and answers must fit its shapes."""

import gzip
import json
from pathlib import Path
from typing import Any

import botocore
import pytest
import pytest_asyncio
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, Unauthorized
from fogbank.gateway.call import Call, Caller, Handler, Members, operations
from fogbank.gateway.iot_rules import IotRulesApi
from fogbank.message import Message
from fogbank.ports import InvocationResult, Subscriber
from fogbank.registry.tags import Tags
from fogbank.rules.engine import RuleEngine
from fogbank.rules.service import TopicRules
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock
from fogbank.trace import Trace

ARNS = Arns("us-east-1", "123456789012")
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


class Nowhere:
    """The platform's ports, with nothing behind them."""

    def subscribe(self, filter_: str, subscriber: Subscriber) -> None: ...

    def unsubscribe(self, filter_: str, subscriber: Subscriber) -> None: ...

    async def publish(self, message: Message) -> None: ...

    async def invoke(self, function: str, payload: bytes, **options: Any) -> InvocationResult:
        return InvocationResult(202)


class Client:
    """Calls operations by name, holding parameters and answers against the model."""

    def __init__(self, api: IotRulesApi, model: ServiceModel) -> None:
        self._handlers: dict[tuple[str, str], Handler] = dict(operations(api))
        self._model = model

    async def call(self, name: str, **params: Any) -> Members:
        shapes = self._model.operation_model(name)
        self._check(params, shapes.input_shape)
        answer = await self._handlers["iot", name](Call("iot", name, params, Caller("AKIA", "arn"), "request"))
        given = {key: value for key, value in answer.items() if value is not None}
        if shapes.output_shape is None:
            assert given == {}
        else:
            self._check(_without_none(given), shapes.output_shape)
        return given

    @staticmethod
    def _check(value: Any, shape: Any) -> None:
        report = ParamValidator().validate(value, shape)
        assert not report.has_errors(), report.generate_report()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(member) for key, member in value.items() if member is not None}
    return value


@pytest.fixture(scope="module")
def model() -> ServiceModel:
    path = Path(botocore.__file__).parent / "data/iot/2015-05-28/service-2.json.gz"
    return ServiceModel(json.loads(gzip.decompress(path.read_bytes())), "iot")


@pytest.fixture
def documents() -> MemoryDocuments:
    return MemoryDocuments()


@pytest.fixture
def tags(documents: MemoryDocuments) -> Tags:
    return Tags(documents, ARNS)


@pytest_asyncio.fixture
async def client(model: ServiceModel, fake_clock: FakeClock, documents: MemoryDocuments, tags: Tags) -> Client:
    arns, nowhere = ARNS, Nowhere()
    engine = RuleEngine(documents, nowhere, nowhere, nowhere, arns, fake_clock, Trace(fake_clock))
    return Client(IotRulesApi(TopicRules(documents, engine, arns, fake_clock, tags=tags)), model)


PAYLOAD = {
    "sql": "SELECT * FROM 'a/+'",
    "actions": [{"lambda": {"functionArn": FUNCTION}}],
    "description": "d",
    "awsIotSqlVersion": "2016-03-23",
    "errorAction": {"republish": {"topic": "failed", "roleArn": "arn:aws:iam::123456789012:role/r", "qos": 1}},
}


async def test_a_rule_comes_back_as_it_was_given(client: Client) -> None:
    assert await client.call("CreateTopicRule", ruleName="r", topicRulePayload=PAYLOAD) == {}
    assert await client.call("GetTopicRule", ruleName="r") == {
        "ruleArn": "arn:aws:iot:us-east-1:123456789012:rule/r",
        "rule": {"ruleName": "r", "createdAt": 1_700_000_000.0, "ruleDisabled": False, **PAYLOAD},
    }


async def test_the_list_shows_what_the_model_says(client: Client) -> None:
    await client.call("CreateTopicRule", ruleName="r", topicRulePayload=PAYLOAD)
    assert await client.call("ListTopicRules") == {
        "rules": [
            {
                "ruleArn": "arn:aws:iot:us-east-1:123456789012:rule/r",
                "ruleName": "r",
                "topicPattern": "a/+",
                "createdAt": 1_700_000_000.0,
                "ruleDisabled": False,
            }
        ]
    }


async def test_the_parameters_of_the_list(client: Client) -> None:
    for name in ("a", "b", "c"):
        await client.call("CreateTopicRule", ruleName=name, topicRulePayload=PAYLOAD)
    await client.call("DisableTopicRule", ruleName="b")
    page = await client.call("ListTopicRules", topic="a/x", ruleDisabled=False, maxResults=1)
    assert [rule["ruleName"] for rule in page["rules"]] == ["a"]
    page = await client.call("ListTopicRules", ruleDisabled=False, maxResults=1, nextToken=page["nextToken"])
    assert [rule["ruleName"] for rule in page["rules"]] == ["c"]
    assert "nextToken" not in page
    assert (await client.call("ListTopicRules", topic="elsewhere"))["rules"] == []


async def test_a_life_of_a_rule(client: Client) -> None:
    async def disabled() -> bool:
        state = (await client.call("GetTopicRule", ruleName="r"))["rule"]["ruleDisabled"]
        assert isinstance(state, bool)
        return state

    await client.call("CreateTopicRule", ruleName="r", topicRulePayload={**PAYLOAD, "ruleDisabled": True})
    assert await disabled()
    await client.call("EnableTopicRule", ruleName="r")
    assert not await disabled()
    await client.call("DisableTopicRule", ruleName="r")
    assert await disabled()
    await client.call("ReplaceTopicRule", ruleName="r", topicRulePayload={"sql": "SELECT b FROM 'b'", "actions": []})
    rule = (await client.call("GetTopicRule", ruleName="r"))["rule"]
    assert (rule["sql"], rule["actions"], rule["awsIotSqlVersion"]) == ("SELECT b FROM 'b'", [], "2015-10-08")
    await client.call("DeleteTopicRule", ruleName="r")
    with pytest.raises(Unauthorized):
        await client.call("GetTopicRule", ruleName="r")


async def test_tags_come_in_a_header_and_go_with_the_rule(client: Client, tags: Tags) -> None:
    with pytest.raises(InvalidRequest, match="aws:"):
        await client.call("CreateTopicRule", ruleName="r", topicRulePayload=PAYLOAD, tags="aws:a=b")
    assert (await client.call("ListTopicRules"))["rules"] == []
    await client.call("CreateTopicRule", ruleName="r", topicRulePayload=PAYLOAD, tags="team=night%20shift&empty=")
    assert await tags.list(ARNS.iot("rule", "r")) == {"empty": "", "team": "night shift"}
    await client.call("DeleteTopicRule", ruleName="r")
    assert await tags.of(ARNS.iot("rule", "r")) == {}
