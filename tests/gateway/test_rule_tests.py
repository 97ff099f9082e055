"""`POST /_fogbank/rules/NAME/test` on a socket: who may, what is asked and what is answered."""

import msgspec
import pytest
from tests.gateway.toy import ARNS, send, serving
from tests.rules.conftest import ROLE, Platform

from fogbank.awswire.http import Request
from fogbank.gateway.rule_tests import RuleTests
from fogbank.ports import Identity
from fogbank.rules.rehearsal import Rehearsal

PATH = "/_fogbank/rules/r/test"
DEVICE = Identity("c", ARNS.iot("cert", "c"), active=True)


@pytest.fixture
async def tests() -> RuleTests:
    platform = Platform()
    await platform.create(
        "r", "SELECT *, 1.50 AS n FROM 'a/+' WHERE ok", {"republish": {"topic": "out", "roleArn": ROLE}}
    )
    return RuleTests(platform.rules, Rehearsal(platform.invoker, platform.arns, platform.clock))


async def test_the_report(tests: RuleTests) -> None:
    async with serving(pages=[tests.page]) as toy:
        body = msgspec.json.encode({"topic": "a/b", "payload": '{"ok": true}', "clientId": None})
        answer = await send(toy.port, toy.signed("POST", PATH, body=body))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == {
        "rule": "r",
        "enabled": True,
        "topicFilter": "a/+",
        "matches": True,
        "fires": True,
        "failed": False,
        "why": "ok was true",
        "output": {"ok": True, "n": 1.5},
        "actions": [
            {
                "action": "republish",
                "target": "out",
                "resource": "out",
                "request": {"topic": "out", "payload": {"ok": True, "n": 1.5}, "origin": {"hops": 1}},
                "role": ROLE,
                "needs": f"iot:Publish on {ARNS.iot('topic', 'out')}",
                "problem": None,
            }
        ],
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no message to try a rule on"),
        (b"{}", "required field `topic`"),
        (b'{"topic": "a", "extra": 1}', "unknown field `extra`"),
        (b'{"topic": 1}', "Expected `str`"),
    ],
)
async def test_what_is_no_message_is_refused(tests: RuleTests, body: bytes, reason: str) -> None:
    async with serving(pages=[tests.page]) as toy:
        answer = await send(toy.port, toy.signed("POST", PATH, body=body))
    assert answer.status == 400
    assert reason in answer.json["message"]


async def test_a_rule_that_is_not_there(tests: RuleTests) -> None:
    async with serving(pages=[tests.page]) as toy:
        answer = await send(toy.port, toy.signed("POST", "/_fogbank/rules/x/test", body=b'{"topic": "a"}'))
        assert (answer.status, "'x'" in answer.json["message"]) == (401, True)
        odd = await send(toy.port, toy.signed("POST", "/_fogbank/rules/x%2Fy/test", body=b'{"topic": "a"}'))
        assert odd.status == 400
        assert (await send(toy.port, toy.signed("GET", PATH))).status == 404


@pytest.mark.parametrize("stranger", [None, DEVICE], ids=["nobody", "a device"])
async def test_it_is_for_the_roots_keys_alone(tests: RuleTests, stranger: Identity | None) -> None:
    async with serving(stranger, pages=[tests.page]) as toy:
        request = Request("POST", PATH, headers={"host": "x", "content-length": "14"}, body=b'{"topic": "a"}')
        answer = await send(toy.port, request)
    assert answer.status in (403, 404)
    assert b"topicFilter" not in answer.body
