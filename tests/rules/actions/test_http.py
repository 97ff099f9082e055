"""The action `http`: what is posted, when it is tried again, and what goes together."""

import asyncio
from typing import Any, cast

import msgspec
import pytest
from tests.outbound.server import Server
from tests.rules.actions.workbench import ROLE, Workbench, reaching

from fogbank.errors import InvalidRequest
from fogbank.message import Message
from fogbank.ports import HttpAnswer, OutboundError, Signing
from fogbank.rules.actions.base import Firing
from fogbank.rules.actions.http import TIMEOUT
from fogbank.sql import Answers, Event, Version
from fogbank.testing import FakeClock


def http(url: str, **more: Any) -> dict[str, Any]:
    return {"http": {"url": url, **more}}


async def test_what_arrives(server: Server) -> None:
    outbound = reaching("http://127.0.0.1:1")
    bench = Workbench(outbound)
    headers = [{"key": "X-Device", "value": "${topic(2)}"}, {"key": "X-Plain", "value": "p"}]
    bench.rule(
        http(server.url + "/in/${topic(2)}?a=b", confirmationUrl=server.url + "/in", headers=headers),
        sql="SELECT a FROM '#'",
    )
    assert await bench.send({"a": 1, "b": 2}) == []
    await outbound.close()
    [received] = server.received
    assert (received.method, received.url, received.body) == ("POST", "/in/lamp?a=b", b'{"a":1}')
    assert received.headers["content-type"] == "application/json"
    assert (received.headers["x-device"], received.headers["x-plain"]) == ("lamp", "p")


@pytest.mark.parametrize(
    ("payload", "headers", "type_"),
    [
        (b"{}", [], "application/json"),
        (b'"text"', [], "application/json"),
        (b"text", [], "application/octet-stream"),
        (b"\xff", [], "application/octet-stream"),
        (b"text", [{"key": "content-type", "value": "text/plain"}], "text/plain"),
    ],
)
async def test_the_content_type(recorded: Workbench, payload: bytes, headers: list[Any], type_: str) -> None:
    recorded.rule(http("http://h/", headers=headers))
    assert await recorded.send(payload) == []
    [request] = recorded.http.requests
    assert [value for name, value in request.headers if name.lower() == "content-type"] == [type_]
    assert (request.timeout, request.limit) == (TIMEOUT, 16384)


@pytest.mark.parametrize(
    ("answer", "tries"),
    [
        (HttpAnswer(500, "Internal Server Error", {}, b""), 3),
        (HttpAnswer(503, "Busy", {}, b""), 3),
        (HttpAnswer(429, "Slow", {}, b""), 3),
        (HttpAnswer(404, "Not Found", {}, b""), 1),
        (HttpAnswer(302, "Found", {}, b""), 1),
        (OutboundError("too long", code="Timeout", transient=True), 1),
        (OutboundError("refused", code="Connection", transient=True), 1),
        (OutboundError("too large", code="AnswerTooLarge"), 1),
    ],
)
async def test_when_it_is_tried_again(
    recorded: Workbench, clock: FakeClock, answer: HttpAnswer | OutboundError, tries: int
) -> None:
    """Developer Guide, "HTTP action retry logic"."""
    recorded.http.answers = [answer]
    recorded.rule(http("http://h/"))
    recorded.publish({})
    await clock.advance(60)
    assert len(recorded.http.requests) == tries
    [failed] = recorded.failures
    assert failed.startswith("HttpAction failed to make a request to the specified endpoint. ")
    if isinstance(answer, HttpAnswer):
        assert failed.endswith(f"StatusCode: {answer.status}. Reason: {answer.reason}.")


async def test_only_where_it_is_wanted(recorded: Workbench) -> None:
    recorded.destinations.refused["http://h/victim"] = "http://h/victim has no topic rule destination"
    recorded.rule(http("http://h/${path}", confirmationUrl="http://h/"))
    assert await recorded.send({"path": "victim"}, {"path": "friend"}) == [
        "http://h/victim has no topic rule destination"
    ]
    assert [request.url for request in recorded.http.requests] == ["http://h/friend"]


async def test_headers_cannot_be_smuggled_in(recorded: Workbench) -> None:
    recorded.rule(http("http://h/", headers=[{"key": "X", "value": "${v}"}]))
    [failed] = await recorded.send({"v": "a\r\nHost: b"})
    assert "line break" in failed
    assert recorded.http.requests == []


async def test_sigv4(recorded: Workbench) -> None:
    sigv4 = {"signingRegion": "eu-west-1", "serviceName": "execute-api", "roleArn": ROLE}
    action = recorded.rule(http("http://h/", auth={"sigv4": sigv4}))
    assert await recorded.send({}) == []
    assert recorded.http.requests[0].signing == Signing("execute-api", "eu-west-1")
    assert action.role == ROLE


async def test_a_batch_waits_for_a_moment_and_goes_as_an_array(recorded: Workbench, clock: FakeClock) -> None:
    headers = [{"key": "X-N", "value": "${n}"}]
    recorded.rule(http("http://h/", enableBatching=True, batchConfig={"maxBatchOpenMs": 100}, headers=headers))
    for payload in ({"n": 1}, b'text with "quotes"', {"n": 3}):
        recorded.publish(payload)
    await clock.advance(0.099)
    assert recorded.http.requests == []
    await clock.advance(0.001)
    [request] = recorded.http.requests
    assert msgspec.json.decode(request.body) == [{"n": 1}, 'text with "quotes"', {"n": 3}]
    assert ("X-N", "3") in request.headers
    assert recorded.counters.success == 3


async def test_a_full_batch_goes_at_once(recorded: Workbench, clock: FakeClock) -> None:
    recorded.rule(http("http://h/", enableBatching=True, batchConfig={"maxBatchSize": 3, "maxBatchOpenMs": 200}))
    for n in range(7):
        recorded.publish(n)
    await clock.advance(0)
    assert [request.body for request in recorded.http.requests] == [b"[0,1,2]", b"[3,4,5]"]
    await clock.advance(0.2)
    assert recorded.http.requests[-1].body == b"[6]"


@pytest.mark.parametrize(("across", "bodies"), [(False, [b"[1]", b"[2]"]), (True, [b"[1,2]"])])
async def test_topics_and_urls_part_batches(
    recorded: Workbench, clock: FakeClock, across: bool, bodies: list[bytes]
) -> None:
    recorded.rule(http("http://h/", enableBatching=True, batchConfig={"batchAcrossTopics": across}))
    recorded.publish(1, "a")
    recorded.publish(2, "b")
    await clock.advance(1)
    assert [request.body for request in recorded.http.requests] == bodies


async def test_bytes_bound_batches(recorded: Workbench, clock: FakeClock) -> None:
    recorded.rule(http("http://h/", enableBatching=True, batchConfig={"maxBatchSizeBytes": 100}))
    for _ in range(3):
        recorded.publish("x" * 46)
    await clock.advance(1)
    assert [len(msgspec.json.decode(request.body)) for request in recorded.http.requests] == [2, 1]
    assert all(len(request.body) <= 100 for request in recorded.http.requests)


async def test_what_is_no_text_cannot_be_in_a_batch(recorded: Workbench, clock: FakeClock) -> None:
    recorded.rule(http("http://h/", enableBatching=True))
    recorded.publish(b"\xff")
    recorded.publish(b"1")
    await clock.advance(1)
    assert recorded.failures == ["only UTF-8 text can be sent in batches"]
    assert [request.body for request in recorded.http.requests] == [b"[1]"]


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({}, "url"),
        ({"url": "h/"}, "not an http or https URL"),
        ({"url": "http://user:secret@h/"}, "not an http or https URL"),
        ({"url": "http://h/${a}"}, "needs a confirmationUrl"),
        ({"url": "http://h/a", "confirmationUrl": "http://h/b"}, "prefix"),
        ({"url": "http://h/" + "x" * 2000}, "2000"),
        ({"url": "http://h/", "headers": [{"key": "a b", "value": ""}]}, "'a b'"),
        ({"url": "http://h/", "headers": [{"key": "a", "value": ""}] * 101}, "100 headers"),
        ({"url": "http://h/", "batchConfig": {"maxBatchSize": 11}}, "maxBatchSize must be 2 to 10"),
        ({"url": "http://h/", "batchConfig": {"maxBatchOpenMs": 4}}, "maxBatchOpenMs must be 5 to 200"),
        ({"url": "http://h/", "auth": {"basic": {}}}, "basic"),
        (
            {"url": "http://h/", "auth": {"sigv4": {"signingRegion": "r", "serviceName": "s", "roleArn": "me"}}},
            "'me' is not the ARN of a role",
        ),
    ],
)
def test_parameters_that_are_refused(recorded: Workbench, members: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        recorded.compile({"http": members})


async def test_a_target_that_hangs_holds_back_no_other_action(server: Server) -> None:
    server.respond = server.hang
    outbound = reaching("http://127.0.0.1:1")
    bench = Workbench(outbound)
    bench.rule(http(server.url), {"republish": {"topic": "u", "roleArn": ROLE}})
    for n in range(100):
        bench.publish(n)
    async with asyncio.timeout(TIMEOUT):
        await bench.publisher.reached(100)
    await bench.tasks.close()
    await outbound.close()


async def test_templates_may_ask_the_world_and_a_further_try_asks_nothing_again(
    recorded: Workbench, clock: FakeClock
) -> None:
    """`get_secret` in a header: the statement's answers are the templates' answers too."""
    asked: list[str] = []

    class Secrets:
        async def secret(self, secret_id: str, role_arn: str) -> bytes:
            asked.append(secret_id)
            return b'{"SecretString": "s3cr3t"}'

    secret = f"${{get_secret('token', 'SecretString', '{ROLE}')}}"
    compiled = recorded.compile(http("http://h/", headers=[{"key": "Authorization", "value": secret}]))
    assert (set(compiled.asks), set(compiled.roles)) == ({"get_secret"}, {ROLE})
    recorded.http.answers = [HttpAnswer(500, "Oops", {}, b""), HttpAnswer(200, "OK", {}, b"")]
    recorded.rule(http("http://h/", headers=[{"key": "Authorization", "value": secret}]))
    assert recorded.executor is not None
    message = Message("t", b"{}")
    answers = Answers(cast(Any, Secrets()), Version.V2016_03_23)
    recorded.executor.submit(Firing(message, Event(topic="t", payload=b"{}"), b"{}", answers))
    await clock.advance(10)
    assert asked == ["token"]
    assert [dict(request.headers)["Authorization"] for request in recorded.http.requests] == ["s3cr3t"] * 2
    assert recorded.counters.success == 1
