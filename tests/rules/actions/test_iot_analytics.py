"""The action `iotAnalytics`, by what arrives at a server: AWS has closed the service; botocore and moto lack it."""

from typing import Any

import msgspec
import pytest
from tests.outbound.server import Server
from tests.rules.actions.workbench import ROLE, Workbench, reaching

from fogbank.errors import InvalidRequest


def analytics(**more: Any) -> dict[str, Any]:
    return {"iotAnalytics": {"channelName": "c", "roleArn": ROLE, **more}}


async def test_what_goes_over_the_wire(server: Server, credentials: None) -> None:
    server.answer(200, b'{"batchPutMessageErrorEntries":[]}')
    outbound = reaching(server.url)
    bench = Workbench(outbound)
    bench.rule(analytics(), sql="SELECT a FROM '#'")
    assert await bench.send({"a": 1}) == []
    await outbound.close()
    [received] = server.received
    assert (received.method, received.url) == ("POST", "/messages/batch")
    body = msgspec.json.decode(received.body)
    assert (body["channelName"], body["messages"][0]["payload"]) == ("c", "eyJhIjoxfQ==")


async def test_in_batch_mode_elements_go_by_the_hundred(recorded: Workbench) -> None:
    recorded.rule(analytics(batchMode=True))
    assert await recorded.send(list(range(250))) == []
    assert [len(params["messages"]) for _, params in recorded.aws.calls] == [100, 100, 50]


async def test_the_channel_may_be_given_by_its_arn(recorded: Workbench) -> None:
    recorded.rule({"iotAnalytics": {"channelArn": "arn:aws:iotanalytics:us-east-1:123456789012:channel/c"}})
    assert await recorded.send({}) == []
    assert recorded.aws.calls[0][1]["channelName"] == "c"


def test_a_channel_is_needed(recorded: Workbench) -> None:
    with pytest.raises(InvalidRequest, match="channelName is missing"):
        recorded.compile({"iotAnalytics": {"roleArn": ROLE}})
