"""Which messages a rule keeps until its actions are done, and for how long."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from tests.rules.conftest import FUNCTION, ROLE
from tests.rules.mortal import INVOKE, LONG, Mortal

from fogbank.broker.journal import LAZY
from fogbank.errors import Forbidden, ServiceUnavailable
from fogbank.message import NO_PROPERTIES, Message, MessageProperties, Origin
from fogbank.mqtt.packets import Puback, Publish
from fogbank.rules.ingest import PREFIX as BASIC_INGEST
from fogbank.rules.spool import Row


def republish(qos: int) -> dict[str, Any]:
    return {"republish": {"topic": "u", "roleArn": ROLE, "qos": qos}}


@pytest_asyncio.fixture
async def mortal() -> AsyncIterator[Mortal]:
    mortal = await Mortal.born()
    yield mortal
    await mortal.close()


@pytest.mark.parametrize("topic", ["t", f"{BASIC_INGEST}r/t"])
async def test_the_acknowledgement_waits_for_the_row(mortal: Mortal, topic: str) -> None:
    mortal.broker.router.reserve(BASIC_INGEST, mortal.engine.ingest)
    await mortal.create("SELECT * FROM 't'", INVOKE)
    mortal.target.hold("f")
    device = await mortal.device()
    await device.take()
    mortal.server.disk.held = True
    device.send(Publish(topic, b"{}", 1, packet_id=7))
    assert await device.take() == []
    await mortal.server.disk.release()
    assert await device.take() == [Puback(7)]
    assert await mortal.rows() == [1]


CASES = [
    pytest.param("SELECT * FROM 't'", [INVOKE], 1, True, id="lambda"),
    pytest.param("SELECT * FROM 't'", [INVOKE], 2, True, id="QoS 2"),
    pytest.param("SELECT * FROM 't'", [republish(1)], 1, True, id="republish at QoS 1"),
    pytest.param("SELECT * FROM 't'", [republish(0), INVOKE], 1, True, id="one of them durable"),
    pytest.param("SELECT * FROM 't'", [INVOKE], 0, False, id="QoS 0"),
    pytest.param("SELECT * FROM 't' WHERE a = 2", [INVOKE], 1, False, id="not true"),
    pytest.param("SELECT * FROM 't'", [republish(0)], 1, False, id="republish at QoS 0"),
    pytest.param("SELECT * FROM 't'", [], 1, False, id="no action"),
]


@pytest.mark.parametrize(("sql", "actions", "qos", "kept"), CASES)
async def test_what_is_kept(mortal: Mortal, sql: str, actions: list[Any], qos: int, kept: bool) -> None:
    await mortal.create(sql, *actions)
    entries = mortal.broker.journal.entries
    mortal.broker.router.deliver(Message("t", b'{"a":1}', qos))
    assert (mortal.broker.journal.entries > entries) is kept


async def test_a_row_goes_when_all_actions_are_done(mortal: Mortal) -> None:
    await mortal.create("SELECT * FROM 't'", INVOKE, {"lambda": {"functionArn": FUNCTION + "slow"}})
    mortal.target.fail("slow", ServiceUnavailable("busy"))
    await mortal.publish("t", {})
    await mortal.advance(LAZY)
    assert (len(mortal.target.calls), await mortal.rows()) == (1, [1])
    await mortal.advance(LONG)
    assert (len(mortal.target.calls), await mortal.rows()) == (2, [])


async def test_a_row_goes_when_an_action_is_given_up(mortal: Mortal) -> None:
    await mortal.create("SELECT * FROM 't'", INVOKE)
    mortal.target.fail("f", Forbidden("no"))
    await mortal.publish("t", {})
    await mortal.advance(LAZY)
    assert await mortal.rows() == []


async def test_a_row_goes_only_when_the_error_action_is_through(mortal: Mortal) -> None:
    undertaker = {"lambda": {"functionArn": FUNCTION + "undertaker"}}
    await mortal.create("SELECT * FROM 't'", INVOKE, errorAction=undertaker)
    mortal.target.fail("f", Forbidden("no"))
    mortal.target.fail("undertaker", ServiceUnavailable("busy"))
    await mortal.publish("t", {})
    await mortal.advance(LAZY)
    assert await mortal.rows() == [1]
    await mortal.advance(LONG)
    assert len(mortal.target.calls) == 1
    assert await mortal.rows() == []


async def test_a_full_queue_leaves_no_row(mortal: Mortal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not taken is given up at once, as the error action is told."""
    monkeypatch.setattr("fogbank.rules.lane.MAX_WAITING", 3)
    monkeypatch.setattr("fogbank.rules.lane.WORKERS", 1)
    await mortal.create("SELECT * FROM 't'", INVOKE)
    mortal.target.hold("f")
    for number in range(10):
        await mortal.publish("t", {"n": number})
    await mortal.advance(LAZY)
    assert mortal.engine.counters["r"].throttled == 6
    assert len(await mortal.rows()) == 4


async def test_a_chain_of_rules_is_kept_link_by_link(mortal: Mortal) -> None:
    """The row of the first goes only once that of the second is on disk."""
    await mortal.create("SELECT * FROM 't'", republish(1), name="first")
    await mortal.create("SELECT * FROM 'u'", INVOKE, name="second")
    mortal.target.hold("f")
    mortal.server.disk.held = True
    mortal.broker.router.deliver(Message("t", b'{"a":1}', 1))
    await mortal.advance()
    while mortal.server.disk.is_waited_for:
        mortal.server.disk.let_through()
        await mortal.advance(LAZY)
        assert await mortal.server.disk.owners(), "from the first commit on there is always one of them"
    [owner] = await mortal.server.disk.owners()
    assert "second" in owner


async def test_what_is_done_at_once_is_never_written(mortal: Mortal) -> None:
    """By an action that waits for nothing: its lane has its turn before the commit."""
    await mortal.create("SELECT * FROM 't'", INVOKE)
    commits = len(mortal.server.disk.commits)
    await mortal.publish("t", {})
    await mortal.advance(LAZY)
    assert mortal.engine.counters["r"].success == 1
    assert len(mortal.server.disk.commits) == commits


async def test_the_rows_of_a_deleted_rule_are_discarded(mortal: Mortal) -> None:
    await mortal.create("SELECT * FROM 't'", INVOKE)
    mortal.target.hold("f")
    await mortal.publish("t", {})
    assert await mortal.rows() == [1]
    await mortal.rules.delete("r")
    await mortal.advance(LAZY)
    assert await mortal.rows() == []


@pytest.mark.parametrize("output", [b"{}", b"", b"other", None])
@pytest.mark.parametrize(
    "message",
    [
        Message("t", b"{}", 1),
        Message("t", b"other", 2, True, Origin("cert", "c", "192.0.2.1", 3), will=True, expires_at=7.5),
        Message("t", b"\xff", 1, properties=MessageProperties(content_type="x", user_properties=(("a", "b"),))),
    ],
)
async def test_a_row_tells_all_of_a_message(mortal: Mortal, message: Message, output: bytes | None) -> None:
    await mortal.create("SELECT * FROM 't'", INVOKE)
    executor = mortal.engine._running["r"]._executor
    assert executor._spool is not None
    event = mortal.engine._events.of(message)
    number = executor._spool.keep(message, event, output)
    await mortal.broker.spool.settled()
    [(found, body)] = await mortal.broker.spool.read("r")
    row = msgspec.msgpack.decode(body, type=Row)
    assert found == number
    assert row.message() == message
    assert (row.message().properties is NO_PROPERTIES) == (message.properties is NO_PROPERTIES)
    assert executor.kept_output(row) == output
    again = mortal.engine._events.again(row.message(), row.timestamp_ms, row.trace_id)
    assert {name: getattr(again, name) for name in ("timestamp_ms", "trace_id", "mqtt", "client_id")} == {
        name: getattr(event, name) for name in ("timestamp_ms", "trace_id", "mqtt", "client_id")
    }
