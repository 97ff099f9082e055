"""The action `sqs`, against moto."""

import base64
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
def queue(aws: Aws) -> str:
    url: str = aws("sqs").create_queue(QueueName=f"q-{uuid4()}")["QueueUrl"]
    return url


def sqs(queue: str, **more: Any) -> dict[str, Any]:
    return {"sqs": {"queueUrl": queue, "roleArn": ROLE, **more}}


def received(aws: Aws, queue: str) -> list[str]:
    found: list[str] = []
    while messages := aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
    return found


async def test_the_message_that_arrives(bench: Workbench, aws: Aws, queue: str) -> None:
    bench.rule(sqs(queue), sql="SELECT temperature AS t FROM '#'")
    assert await bench.send({"temperature": 21.5, "b": 1}) == []
    assert received(aws, queue) == ['{"t":21.5}']


async def test_base64(bench: Workbench, aws: Aws, queue: str) -> None:
    bench.rule(sqs(queue, useBase64=True))
    assert await bench.send(b"\x00\xff") == []
    assert [base64.b64decode(body) for body in received(aws, queue)] == [b"\x00\xff"]


async def test_bytes_that_are_no_text_need_base64(bench: Workbench, queue: str) -> None:
    bench.rule(sqs(queue))
    [failed] = await bench.send(b"\xff")
    assert "not UTF-8" in failed


async def test_every_message_of_a_flood_arrives_once(bench: Workbench, aws: Aws, queue: str) -> None:
    bench.rule(sqs(queue))
    assert await bench.send(*({"n": n} for n in range(137))) == []
    assert sorted(received(aws, queue)) == sorted(f'{{"n":{n}}}' for n in range(137))
    assert bench.counters.success == 137


async def test_the_queue_comes_from_the_message(bench: Workbench, aws: Aws) -> None:
    queues = [aws("sqs").create_queue(QueueName=f"q{n}-{uuid4()}")["QueueUrl"] for n in range(2)]
    base, names = queues[0].rpartition("/")[0], [queue.rpartition("/")[2] for queue in queues]
    bench.rule(sqs(base + "/${queue}"))
    assert await bench.send(*({"queue": names[n % 2], "n": n} for n in range(6))) == []
    assert [len(received(aws, queue)) for queue in queues] == [3, 3]


async def test_a_queue_that_is_not_there(bench: Workbench, queue: str) -> None:
    bench.rule(sqs(queue + "-gone"))
    [failed] = await bench.send({})
    assert failed.startswith("Failed to send message to SQS queue. The error received was The specified queue does not")


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"roleArn": ROLE}, "queueUrl"),
        ({"queueUrl": "http://x/q"}, "roleArn"),
        ({"queueUrl": "http://x/q.fifo", "roleArn": ROLE}, "FIFO"),
        ({"queueUrl": "http://x/q", "roleArn": ROLE, "useBase64": "yes"}, "useBase64"),
        ({"queueUrl": "http://x/q", "roleArn": ROLE, "delay": 1}, "delay"),
        ({"queueUrl": "http://x/q", "roleArn": "me"}, "'me' is not the ARN of a role"),
    ],
)
async def test_parameters_that_are_refused(recorded: Workbench, members: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        recorded.compile({"sqs": members})


async def test_what_waits_goes_by_tens(recorded: Workbench) -> None:
    recorded.rule(sqs("http://x/1/q"))
    assert await recorded.send(*range(25)) == []
    sizes = [len(params.get("Entries", [1])) for _, params in recorded.aws.calls]
    assert sorted(sizes) == [5, 10, 10]


async def test_batches_are_bounded_in_bytes(recorded: Workbench) -> None:
    recorded.rule(sqs("http://x/1/q"))
    assert await recorded.send(*["x" * 100_000] * 5) == []
    assert sorted(len(params.get("Entries", [1])) for _, params in recorded.aws.calls) == [1, 2, 2]


async def test_an_item_that_is_refused_fails_alone(recorded: Workbench, clock: FakeClock) -> None:
    """SendMessageBatch answers 200 and names those it did not take; what was not the sender's fault is tried again."""
    recorded.aws.answers["SendMessageBatch"] = [
        {
            "Successful": [{"Id": "0"}],
            "Failed": [
                {"Id": "1", "Code": "InvalidMessageContents", "Message": "bad", "SenderFault": True},
                {"Id": "2", "Code": "InternalError", "Message": "busy", "SenderFault": False},
            ],
        }
    ]
    recorded.rule(sqs("http://x/1/q"))
    for n in range(3):
        recorded.publish(n)
    await clock.advance(10)
    [failed] = recorded.failures
    assert failed.endswith("The error received was bad (Service: sqs; Error Code: InvalidMessageContents)")
    assert recorded.aws.calls[1] == ("sqs:SendMessage", {"QueueUrl": "http://x/1/q", "MessageBody": "2"})
    assert (recorded.counters.success, recorded.counters.failure) == (2, 1)


async def test_one_message_that_is_not_valid_does_not_take_its_batch_along(recorded: Workbench) -> None:
    invalid = OutboundError("bad character", code="InvalidMessageContents", status=400)
    recorded.aws.answers["SendMessageBatch"] = [invalid]
    recorded.aws.answers["SendMessage"] = [{}, invalid, {}]
    recorded.rule(sqs("http://x/1/q"))
    [failed] = await recorded.send(0, 1, 2)
    assert "bad character" in failed
    assert recorded.aws.operations == ["sqs:SendMessageBatch", *["sqs:SendMessage"] * 3]


@pytest.mark.parametrize(
    ("url", "arn"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/210987654321/q", "arn:aws:sqs:eu-west-1:210987654321:q"),
        ("http://localhost:9324/123456789012/q", "arn:aws:sqs:us-east-1:123456789012:q"),
        ("http://localhost:9324/q", "arn:aws:sqs:us-east-1:123456789012:q"),
    ],
)
async def test_the_right_that_its_role_needs(recorded: Workbench, url: str, arn: str) -> None:
    needed: list[tuple[str, str, str]] = []

    class Rights:
        async def check(self, role_arn: str, action: str, resource: str, *, source: str | None = None) -> None:
            needed.append((role_arn, action, resource))

    made = Workbench(rights=Rights())
    made.rule(sqs(url))
    assert await made.send({}) == []
    assert needed == [(ROLE, "sqs:SendMessage", arn)]
