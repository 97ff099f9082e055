"""The action `sns`, against moto, with a queue that subscribes."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.errors import InvalidRequest

Aws = Callable[[str], Any]


@pytest.fixture
def topic(aws: Aws) -> tuple[str, str]:
    """The ARN of a topic, and the URL of a queue that gets its messages."""
    sqs, sns = aws("sqs"), aws("sns")
    queue = sqs.create_queue(QueueName=f"q-{uuid4()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=f"t-{uuid4()}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue


def sns(arn: str, **more: Any) -> dict[str, Any]:
    return {"sns": {"targetArn": arn, "roleArn": ROLE, **more}}


def received(aws: Aws, queue: str) -> list[str]:
    messages = aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"])["Message"] for message in messages]


@pytest.mark.parametrize("format_", [{}, {"messageFormat": "RAW"}])
async def test_raw(bench: Workbench, aws: Aws, topic: tuple[str, str], format_: dict[str, str]) -> None:
    bench.rule(sns(topic[0], **format_), sql="SELECT a FROM '#'")
    assert await bench.send({"a": "é", "b": 2}) == []
    assert received(aws, topic[1]) == ['{"a":"é"}']


async def test_json_says_what_goes_to_whom(bench: Workbench, aws: Aws, topic: tuple[str, str]) -> None:
    bench.rule(sns(topic[0], messageFormat="JSON"))
    assert await bench.send({"default": "for all", "sqs": "for queues"}) == []
    assert received(aws, topic[1]) == ["for queues"]


async def test_a_topic_that_is_not_there(bench: Workbench, topic: tuple[str, str]) -> None:
    bench.rule(sns(topic[0] + "x"))
    [failed] = await bench.send({})
    assert "NotFound" in failed


@pytest.mark.parametrize(("more", "told"), [({"messageFormat": "XML"}, "'XML'"), ({"targetArn": None}, "targetArn")])
def test_parameters_that_are_refused(recorded: Workbench, more: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        recorded.compile(sns("arn", **more))
