"""The engine over the real SQL and the real actions: from a message on a topic to what comes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest

from fogbank.errors import ServiceUnavailable
from fogbank.message import Message, Origin
from fogbank.rules.definition import Rule, RulePayload, rules_of
from fogbank.sql import Value, Version, event
from fogbank.sql.values import from_json

if TYPE_CHECKING:
    from tests.rules.conftest import Platform

Action = dict[str, Any]

VERBATIM = (
    "SELECT *, newuuid() AS requestId, clientId() AS clientId, timestamp() AS timestamp, topic(2) AS deviceId, "
    "topic(4) AS sensorId FROM 'device/+/sensor/+/v1' WHERE temperature > 50 AND color <> 'red'"
)


async def test_the_statement_of_the_first_milestone(platform: Platform, invoke: Callable[[str], Action]) -> None:
    platform.watch()
    await platform.create("hot", VERBATIM, invoke("alarm"), awsIotSqlVersion="2015-10-08")

    await platform.send("device/lamp/sensor/s7/v1", {"temperature": 49, "color": "blue"})
    await platform.send("device/lamp/sensor/s7/v1", {"temperature": 51, "color": "red"})
    assert platform.invoker.calls == []
    [cold, red] = platform.stories("rule")
    assert cold[:2] == ("hot", "skipped")
    assert "temperature > 50" in cold[2]
    assert "49" in cold[2]
    assert red[:2] == ("hot", "skipped")
    assert "color <> 'red'" in red[2]

    await platform.send("device/lamp/sensor/s7/v1", {"temperature": 51, "color": "blue"}, client_id="lamp")
    [augmented] = platform.invoker.events
    assert UUID(augmented.pop("requestId")).version == 4
    assert augmented == {
        "temperature": 51,
        "color": "blue",
        "clientId": "lamp",
        "timestamp": 1_700_000_000_000,
        "deviceId": "lamp",
        "sensorId": "s7",
    }
    assert platform.stories("rule")[2][:2] == ("hot", "success")
    assert platform.stories("action") == [("hot/lambda", "success", "")]


async def test_topics_that_from_does_not_match_cost_nothing(
    platform: Platform, invoke: Callable[[str], Action]
) -> None:
    await platform.create("hot", VERBATIM, invoke("alarm"))
    await platform.send("device/lamp/sensor/s7/v2", {"temperature": 51, "color": "blue"})
    assert platform.engine.counters["hot"].matched == 0


async def test_rules_that_match_one_message_share_its_parsed_payload(
    platform: Platform, invoke: Callable[[str], Action], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = []

    def counting(text: bytes | str, version: Version) -> Value:
        parsed.append(text)
        return from_json(text, version)

    monkeypatch.setattr(event, "from_json", counting)
    for number in range(5):
        await platform.create(f"r{number}", "SELECT a FROM 't'", invoke("f"))
    await platform.send("t", {"a": 1})
    await platform.send("t", {"a": 2})
    assert parsed == [b'{"a":1}', b'{"a":2}']
    assert sorted(one["a"] for one in platform.invoker.events) == [1] * 5 + [2] * 5


async def test_a_hanging_target_holds_back_no_other_rule(platform: Platform, invoke: Callable[[str], Action]) -> None:
    await platform.create("hangs", "SELECT * FROM 't'", invoke("dead"))
    await platform.create("works", "SELECT * FROM 't'", invoke("alive"))
    platform.invoker.hold("dead")
    for number in range(50):
        await platform.send("t", {"n": number})
    assert [one["n"] for one in platform.invoker.events] == list(range(50))
    assert platform.engine.counters["hangs"].fired == 50
    assert platform.engine.counters["hangs"].success == 0


async def test_all_ten_actions_are_done(platform: Platform, invoke: Callable[[str], Action]) -> None:
    await platform.create("r", "SELECT * FROM 'a'", *[invoke(f"f{number}") for number in range(10)])
    await platform.send("a", {})
    assert len(platform.invoker.calls) == 10


async def test_a_disabled_rule_is_no_subscriber(platform: Platform, invoke: Callable[[str], Action]) -> None:
    await platform.create("off", "SELECT * FROM 't'", invoke("f"), ruleDisabled=True)
    await platform.send("t", {})
    assert platform.router.filters == []
    assert platform.invoker.calls == []

    await platform.rules.enable("off")
    await platform.send("t", {})
    assert len(platform.invoker.calls) == 1

    await platform.rules.disable("off")
    await platform.send("t", {})
    assert platform.router.filters == []
    assert len(platform.invoker.calls) == 1


async def test_replacing_switches_from_one_message_to_the_next(
    platform: Platform, invoke: Callable[[str], Action]
) -> None:
    await platform.create("r", "SELECT * FROM 'old'", invoke("one"))
    await platform.rules.replace("r", {"sql": "SELECT v AS w FROM 'new'", "actions": [invoke("two")]})
    await platform.send("old", {"v": 1})
    await platform.send("new", {"v": 2})
    [call] = platform.invoker.calls
    assert call.function.endswith(":two")
    assert call.event == {"w": 2}
    assert platform.router.filters == ["new"]
    assert platform.engine.counters["r"].fired == 1


async def test_deleting_ends_it(platform: Platform, invoke: Callable[[str], Action]) -> None:
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    await platform.rules.delete("r")
    await platform.send("t", {})
    assert platform.router.filters == []
    assert platform.invoker.calls == []
    assert "r" not in platform.engine.counters


async def test_a_restart_loads_the_rules(platform: Platform, invoke: Callable[[str], Action]) -> None:
    await platform.create("on", "SELECT * FROM 't'", invoke("f"))
    await platform.create("off", "SELECT * FROM 't'", invoke("g"), ruleDisabled=True)
    await platform.restart()
    await platform.send("t", {"a": 1})
    assert [call.function.rpartition(":")[2] for call in platform.invoker.calls] == ["f"]


async def test_a_stored_rule_that_no_longer_compiles_does_not_stop_the_others(
    platform: Platform, invoke: Callable[[str], Action], caplog: pytest.LogCaptureFixture
) -> None:
    await platform.create("good", "SELECT * FROM 't'", invoke("f"))
    broken = Rule("bad", RulePayload(sql="SELEKT", actions=()), "t", 0.0)
    await rules_of(platform.documents).put("bad", broken)
    await platform.restart()
    await platform.send("t", {})
    assert len(platform.invoker.calls) == 1
    assert "rule bad does not run" in caplog.text


async def test_a_closed_engine_takes_no_messages(platform: Platform, invoke: Callable[[str], Action]) -> None:
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    platform.invoker.hold("f")
    await platform.send("t", {})
    await platform.engine.close()
    assert platform.router.filters == []


async def test_draining_waits_for_the_actions_under_way(platform: Platform, invoke: Callable[[str], Action]) -> None:
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    await platform.router.publish(Message("t", b"{}"))
    assert platform.invoker.calls == []
    await platform.engine.drain()
    assert len(platform.invoker.calls) == 1


async def test_a_will_reaches_the_shadow(platform: Platform, republish: Callable[..., Action]) -> None:
    """How smart-home vendors keep `connected` in the shadow: the will has a topic of its own, a rule takes it on."""
    await platform.create(
        "offline",
        "SELECT * FROM 'things/+/will'",
        republish("$$aws/things/${topic(2)}/shadow/update", qos=1),
    )
    will = b'{"state":{"reported":{"connected":false}}}'
    await platform.router.publish(Message("things/lamp/will", will, origin=Origin("cert1", "lamp"), will=True))
    await platform.engine.drain()
    [_, update] = platform.router.published
    assert update.topic == "$aws/things/lamp/shadow/update"
    assert msgspec.json.decode(update.payload) == msgspec.json.decode(will)
    assert not update.will  # else the shadow service would ignore it
    assert (update.qos, update.retain) == (1, False)
    assert (update.origin.principal, update.origin.client_id, update.origin.hops) == ("", None, 1)


async def test_a_rule_that_feeds_itself_is_stopped_and_named(
    platform: Platform, republish: Callable[..., Action], caplog: pytest.LogCaptureFixture
) -> None:
    platform.watch()
    await platform.create("ouroboros", "SELECT * FROM 'loop/#'", republish("loop/again"))
    await platform.send("loop", {"a": 1})
    assert len(platform.router.published) == 1 + 16
    assert platform.stories("action")[-1][1] == "failure"
    assert "rule ouroboros is part of a loop" in platform.stories("action")[-1][2]
    assert caplog.text.count("is part of a loop") == 1
    assert platform.engine.counters["ouroboros"].failure == 1


async def test_two_rules_that_feed_each_other_end_too(platform: Platform, republish: Callable[..., Action]) -> None:
    await platform.create("ping", "SELECT * FROM 'a'", republish("b"))
    await platform.create("pong", "SELECT * FROM 'b'", republish("a"))
    await platform.send("a", {})
    assert len(platform.router.published) == 17


@pytest.mark.parametrize("payload", [b"", b"\x00\xff", b"{", b"80", b"[" * 100_000, b'"text"'])
async def test_no_payload_hurts(
    platform: Platform, invoke: Callable[[str], Action], payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await platform.create("r", "SELECT a.b AS c FROM 't' WHERE temperature > 50", invoke("f"))
    platform.watch()
    await platform.send("t", payload)
    assert platform.invoker.calls == []
    [(name, status, reason)] = platform.stories("rule")
    assert (name, status) == ("r", "skipped")
    assert "temperature > 50" in reason
    assert caplog.text == ""


async def test_bytes_that_are_not_json_pass_unchanged(platform: Platform, republish: Callable[..., Action]) -> None:
    """Developer Guide, "Working with binary payloads": SELECT * alone hands the raw payload to the action."""
    await platform.create("raw", "SELECT * FROM 't'", republish("u"))
    await platform.send("t", b"\x00\xff")
    assert platform.router.published[-1].payload == b"\x00\xff"


async def test_a_failing_publisher_is_tried_again(platform: Platform, republish: Callable[..., Action]) -> None:
    await platform.create("r", "SELECT * FROM 't'", republish("u"))
    platform.watch()
    [(_, subscriber)] = platform.router.subscribed
    platform.router.error = ServiceUnavailable("the disk is full")
    subscriber.deliver(Message("t", b"{}"))
    await platform.clock.advance(0)
    platform.router.error = None
    await platform.clock.advance(60)
    assert [message.topic for message in platform.router.published] == ["u"]
    assert platform.engine.counters["r"].success == 1
