"""The action `iotEvents`, by what arrives at a server: AWS has closed the service; botocore and moto lack it."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.outbound.server import Server
from tests.rules.actions.workbench import ROLE, Workbench, reaching

from fogbank.errors import InvalidRequest


def events(**more: Any) -> dict[str, Any]:
    return {"iotEvents": {"inputName": "motor", "roleArn": ROLE, **more}}


async def test_what_goes_over_the_wire(server: Server, credentials: None) -> None:
    server.answer(200, b'{"BatchPutMessageErrorEntries":[]}')
    outbound = reaching(server.url)
    bench = Workbench(outbound)
    bench.rule(events(messageId="${id}"), sql="SELECT a FROM '#'")
    assert await bench.send({"id": "m1", "a": 1}) == []
    await outbound.close()
    [received] = server.received
    assert (received.method, received.url) == ("POST", "/inputs/messages")
    assert "/ioteventsdata/aws4_request" in received.headers["authorization"]
    assert msgspec.json.decode(received.body) == {
        "messages": [{"messageId": "m1", "inputName": "motor", "payload": "eyJhIjoxfQ=="}]
    }


async def test_in_batch_mode_every_element_is_a_message_with_an_id_of_its_own(recorded: Workbench) -> None:
    recorded.rule(events(batchMode=True))
    assert await recorded.send([{"n": 1}, {"n": 2}]) == []
    [(operation, params)] = recorded.aws.calls
    assert operation == "iotevents-data:BatchPutMessage"
    first, second = params["messages"]
    assert (first["payload"], second["payload"]) == (b'{"n":1}', b'{"n":2}')
    assert UUID(first["messageId"]) != UUID(second["messageId"])


async def test_ten_elements_are_the_most(recorded: Workbench) -> None:
    recorded.rule(events(batchMode=True))
    [failed] = await recorded.send(list(range(11)))
    assert "at most 10 elements, these are 11" in failed


async def test_a_message_that_is_refused_fails_alone(recorded: Workbench) -> None:
    recorded.aws.answers["BatchPutMessage"] = [
        {"BatchPutMessageErrorEntries": [{"messageId": "b", "errorCode": "ResourceNotFound", "errorMessage": "none"}]}
    ]
    recorded.rule(events(messageId="${id}"))
    [failed] = await recorded.send({"id": "a"}, {"id": "b"})
    assert "none" in failed
    assert recorded.counters.success == 1


async def test_messages_of_one_id_never_go_together(recorded: Workbench) -> None:
    recorded.rule(events(messageId="same"))
    assert await recorded.send(1, 2) == []
    assert [len(params["messages"]) for _, params in recorded.aws.calls] == [1, 1]


def test_batch_mode_chooses_the_ids(recorded: Workbench) -> None:
    with pytest.raises(InvalidRequest, match="messageId cannot be given in batchMode"):
        recorded.compile(events(batchMode=True, messageId="x"))
