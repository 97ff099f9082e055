"""Where a message meets the WHERE clause: nothing that happens here reaches the router."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from fogbank.message import Message, Origin
from fogbank.rules import subscriber
from fogbank.rules.faults import QUIET
from fogbank.rules.subscriber import MAX_OUTPUT_BYTES, Events
from fogbank.sql import Outcome, Query
from fogbank.testing import FakeClock

if TYPE_CHECKING:
    from tests.rules.conftest import Platform

Action = dict[str, Any]


async def test_an_evaluation_that_raises_is_logged_once_until_one_succeeds(
    platform: Platform,
    invoke: Callable[[str], Action],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform.watch()
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))

    def broken(self: Events, message: Message) -> Any:
        raise ArithmeticError("a bug of ours")

    monkeypatch.setattr(subscriber.Events, "of", broken)
    await platform.send("t", {})
    await platform.send("t", {})
    assert caplog.text.count("rule r: the statement: the evaluation failed: ArithmeticError('a bug of ours')") == 1
    assert [status for _, status, _ in platform.stories("rule")] == ["failure", "failure"]
    assert platform.engine.counters["r"].broken == 2

    monkeypatch.undo()
    await platform.clock.advance(QUIET)
    await platform.send("t", {})
    assert len(platform.invoker.calls) == 1
    monkeypatch.setattr(subscriber.Events, "of", broken)
    await platform.send("t", {})
    assert caplog.text.count("rule r: the statement: the evaluation failed: ArithmeticError('a bug of ours')") == 2


async def test_a_result_too_large_for_an_action_is_refused(platform: Platform, invoke: Callable[[str], Action]) -> None:
    """AWS IoT quotas: 128 KiB of SQL output."""
    platform.watch()
    await platform.create("r", "SELECT *, * AS again FROM 't'", invoke("f"))
    await platform.send("t", {"a": "x" * (MAX_OUTPUT_BYTES // 2)})
    assert platform.invoker.calls == []
    [(_, status, reason)] = platform.stories("rule")
    assert status == "failure"
    assert str(MAX_OUTPUT_BYTES) in reason


async def test_a_statement_that_cannot_be_evaluated_is_told_and_does_nothing(
    platform: Platform,
    invoke: Callable[[str], Action],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Developer Guide, "Error handling": no error action either, which is for actions."""
    platform.watch()
    await platform.create("r", "SELECT * FROM 't'", invoke("f"), errorAction=invoke("errors"))
    monkeypatch.setattr(Query, "evaluate", lambda *_: Outcome(False, failure="it nests too deep"))
    await platform.send("t", {})
    await platform.send("t", {})
    assert platform.invoker.calls == []
    assert platform.stories("rule") == [("r", "failure", "it nests too deep")] * 2
    assert caplog.text.count("rule r: the statement: it nests too deep") == 1
    assert platform.engine.counters["r"].broken == 2


async def test_payloads_that_are_not_json_are_counted(platform: Platform, invoke: Callable[[str], Action]) -> None:
    """Developer Guide, "Rule metrics": ParseError."""
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    for payload in (b"{}", b"", b"not json", b"[1", b"\xff"):
        await platform.send("t", payload)
    assert platform.engine.counters["r"].unparsed == 3
    assert platform.engine.counters["r"].fired == 5


async def test_trace_events_say_who_and_where(platform: Platform, invoke: Callable[[str], Action]) -> None:
    platform.watch()
    await platform.create("r", "SELECT * FROM 't'", invoke("f"))
    await platform.send("t", {}, client_id="lamp")
    for event in platform.traced:
        assert (event.topic, event.client_id, event.principal) == ("t", "lamp", "cert1")


async def test_the_last_message_keeps_its_event(fake_clock: FakeClock) -> None:
    events = Events("123456789012", fake_clock)
    message = Message("t", b"{}", origin=Origin("cert1", "c1", "192.0.2.1"))
    first = events.of(message)
    await fake_clock.advance(1)
    assert events.of(message) is first
    assert events.of(Message("t", b"{}")) is not first


async def test_sql_sees_where_a_message_came_from(fake_clock: FakeClock) -> None:
    events = Events("123456789012", fake_clock)
    event = events.of(Message("t", b"{}", origin=Origin("cert1", "c1", "192.0.2.1")))
    assert (event.topic, event.payload, event.client_id, event.principal) == ("t", b"{}", "c1", "cert1")
    assert (event.source_ip, event.account_id, event.timestamp_ms) == ("192.0.2.1", "123456789012", 1_700_000_000_000)


async def test_messages_over_mqtt_have_trace_ids_of_their_own(fake_clock: FakeClock) -> None:
    """Developer Guide, "traceid()": the UUID of the MQTT message, Undefined for others."""
    events = Events("123456789012", fake_clock)
    seen = {str(events.of(Message("t", b"", origin=Origin("p", "c1"))).trace_id) for _ in range(100)}
    assert len(seen) == 100
    assert all(str(UUID(trace_id)) == trace_id and UUID(trace_id).version == 4 for trace_id in seen)
    assert events.of(Message("t", b"", origin=Origin("p", None))).trace_id is None
