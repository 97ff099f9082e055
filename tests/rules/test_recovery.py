"""What is owed after a start: done again, in order, a little at a time, by the rule as it then is."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rules.conftest import FUNCTION
from tests.rules.mortal import INVOKE, LONG, Mortal

from fogbank.broker.journal import LAZY
from fogbank.broker.spool import PREFIX
from fogbank.errors import Forbidden, ServiceUnavailable
from fogbank.mqtt.packets import Puback, Publish
from fogbank.ports import Keep
from fogbank.rules.actions.base import RETRY_DELAYS
from fogbank.rules.recovery import PAGE, PAUSE
from fogbank.rules.subscriber import Events

OTHER = {"lambda": {"functionArn": FUNCTION + "other"}}


@pytest_asyncio.fixture
async def mortal() -> AsyncIterator[Mortal]:
    mortal = await Mortal.born()
    yield mortal
    await mortal.close()


async def owing(mortal: Mortal, count: int = 1, sql: str = "SELECT *, timestamp() AS at FROM 't'") -> None:
    """A rule whose target hangs, with so many acknowledged messages."""
    await mortal.create(sql, INVOKE)
    mortal.target.hold("f")
    for number in range(count):
        await mortal.publish("t", {"n": number})
    await mortal.advance(LAZY)


def numbers(mortal: Mortal) -> list[int]:
    return [event["n"] for event in mortal.target.events]


async def test_actions_that_hung_are_done_by_the_next_process(mortal: Mortal) -> None:
    await owing(mortal, 3)
    before = mortal.server.clock.time()
    await mortal.advance(100)
    mortal.target.recover()
    mortal = await mortal.crash()
    await mortal.advance(LAZY)
    assert numbers(mortal) == [0, 1, 2]
    assert [event["at"] // 1000 for event in mortal.target.events] == [int(before)] * 3, "when they came, not now"
    assert await mortal.rows() == []
    counters = mortal.engine.counters["r"]
    assert (counters.resumed, counters.matched, counters.fired, counters.success) == (3, 0, 0, 3)
    await mortal.close()


async def test_nothing_is_done_before_the_platform_is_up(mortal: Mortal) -> None:
    await owing(mortal)
    mortal.target.recover()
    mortal = mortal.killed(await mortal.server.crash())
    await mortal.engine.start()
    await mortal.advance(LONG)
    assert mortal.target.calls == []
    mortal.engine.resume()
    await mortal.advance()
    assert numbers(mortal) == [0]
    await mortal.close()


async def test_what_was_sent_is_sent_again_to_the_byte(mortal: Mortal) -> None:
    """Else whoever tells repetitions by an identifier could not."""
    await mortal.create("SELECT newuuid() AS id FROM 't'", OTHER, INVOKE)
    mortal.target.hold("f")
    await mortal.publish("t", {})
    [first] = mortal.target.events
    mortal.target.recover()
    mortal = await mortal.crash()
    await mortal.advance()
    assert mortal.target.events == [first, first, first]
    await mortal.close()


async def test_a_stop_leaves_what_hangs_and_nothing_else(mortal: Mortal) -> None:
    await mortal.create("SELECT * FROM 't'", INVOKE)
    await mortal.publish("t", {"n": 0})
    await mortal.advance()  # done, and not written down yet
    mortal.target.hold("f")
    await mortal.publish("t", {"n": 1})
    mortal = await mortal.stop()
    assert len(await mortal.rows()) == 1
    mortal.target.recover()
    await mortal.start()
    await mortal.advance()
    assert numbers(mortal) == [0, 1]
    await mortal.close()


async def test_what_is_done_while_the_platform_ends_is_not_done_again(mortal: Mortal) -> None:
    await mortal.create("SELECT * FROM 't'", INVOKE)
    mortal.target.fail("f", ServiceUnavailable("busy"), ServiceUnavailable("busy"))
    await mortal.publish("t", {"n": 0})
    mortal = await mortal.stop(sum(RETRY_DELAYS))
    assert numbers(mortal) == [0]
    assert await mortal.rows() == []
    await mortal.close()


async def test_a_replaced_statement_sees_the_message_anew(mortal: Mortal) -> None:
    """As if the message had come after the replacement: the result of the old statement is not what the new actions
    are made for."""
    await owing(mortal, 3)
    sql = "SELECT n * 10 AS n FROM 't' WHERE n <> 1"
    await mortal.rules.replace("r", {"sql": sql, "actions": [OTHER], "awsIotSqlVersion": "2016-03-23"})
    mortal = await mortal.crash()
    await mortal.advance(LAZY)
    assert [(call.function, call.event) for call in mortal.target.calls] == [
        (FUNCTION + "other", {"n": 0}),
        (FUNCTION + "other", {"n": 20}),
    ]
    assert await mortal.rows() == []
    await mortal.close()


async def test_replaced_actions_get_the_old_result(mortal: Mortal) -> None:
    sql = "SELECT rand() AS n FROM 't'"
    await owing(mortal, 2, sql)
    kept = [body for _, body in await mortal.server.disk.read(PREFIX + "r")]
    await mortal.rules.replace("r", {"sql": sql, "actions": [OTHER], "awsIotSqlVersion": "2016-03-23"})
    mortal = await mortal.crash()
    await mortal.advance()
    assert [call.function for call in mortal.target.calls] == [FUNCTION + "other"] * 2
    assert all(call.payload in body for call, body in zip(mortal.target.calls, kept, strict=True))
    await mortal.close()


async def test_a_rule_whose_new_actions_are_none_owes_nothing(mortal: Mortal) -> None:
    await owing(mortal)
    await mortal.rules.replace("r", {"sql": "SELECT * FROM 't'", "actions": [], "awsIotSqlVersion": "2016-03-23"})
    mortal = await mortal.crash()
    await mortal.advance(LAZY)
    assert await mortal.rows() == []
    await mortal.close()


async def test_a_disabled_rule_does_it_when_it_is_enabled(mortal: Mortal) -> None:
    await owing(mortal, 2)
    await mortal.rules.disable("r")
    mortal.target.recover()
    mortal = await mortal.crash()
    await mortal.advance(LONG)
    assert (numbers(mortal), len(await mortal.rows())) == ([], 2)
    await mortal.rules.enable("r")
    await mortal.advance(LAZY)
    assert (numbers(mortal), await mortal.rows()) == ([0, 1], [])
    await mortal.rules.disable("r")
    await mortal.rules.enable("r")
    await mortal.advance(LAZY)
    assert numbers(mortal) == [0, 1]
    await mortal.close()


async def test_a_rule_that_is_disabled_while_the_platform_starts_does_nothing(mortal: Mortal) -> None:
    await owing(mortal)
    mortal.target.recover()
    mortal = mortal.killed(await mortal.server.crash())
    await mortal.engine.start()
    await mortal.rules.disable("r")
    mortal.engine.resume()
    await mortal.advance(LONG)
    assert mortal.target.calls == []
    assert len(await mortal.rows()) == 1
    await mortal.close()


async def test_a_rule_that_is_deleted_while_it_is_disabled_does_nothing_more(mortal: Mortal) -> None:
    await owing(mortal)
    await mortal.rules.disable("r")
    mortal = await mortal.crash()
    mortal.target.recover()
    await mortal.rules.delete("r")
    await mortal.create("SELECT * FROM 't'", INVOKE)  # while the rows are on disk still
    await mortal.advance(LONG)
    assert mortal.target.calls == []
    assert await mortal.rows() == []
    await mortal.close()


async def test_what_a_rule_owes_that_is_gone_is_dropped(mortal: Mortal) -> None:
    """A crash between the deletion of a rule and that of its rows."""
    await owing(mortal)
    record = await mortal.server.disk.documents.get("rule", "r")
    assert record is not None
    del mortal.server.disk.documents._records["rule", "r"]
    mortal = await mortal.crash()
    await mortal.advance(LAZY)
    assert await mortal.rows() == []
    await mortal.close()


ASKING = f"SELECT aws_lambda('{FUNCTION}oracle', *).n AS n FROM 't' WHERE aws_lambda('{FUNCTION}oracle', *).n > 0"


async def test_what_waits_for_an_answer_is_asked_again(mortal: Mortal) -> None:
    """It is not known yet whether it fires, so it is kept before."""
    await mortal.create(ASKING, INVOKE)
    mortal.target.hold("oracle")
    for number in (0, 1, 2):
        await mortal.publish("t", {"n": number})
    assert len(await mortal.rows()) == 3
    mortal.target.recover()
    mortal = await mortal.crash()
    await mortal.advance(LAZY)
    assert numbers(mortal) == [1, 2]
    assert await mortal.rows() == []
    await mortal.close()


async def test_what_has_got_its_answer_is_done_with(mortal: Mortal) -> None:
    await mortal.create(ASKING, INVOKE)
    for number in (0, 1):
        await mortal.publish("t", {"n": number})
    await mortal.advance(LAZY)
    assert numbers(mortal) == [1]
    assert await mortal.rows() == []


async def test_what_gets_no_answer_is_not_owed(mortal: Mortal) -> None:
    await mortal.create(ASKING, INVOKE)
    mortal.target.fail("oracle", Forbidden("no"))
    await mortal.publish("t", {"n": 1})
    await mortal.advance(LAZY)
    assert (numbers(mortal), await mortal.rows()) == ([], [])
    assert mortal.engine.counters["r"].broken == 1


async def test_very_much_is_read_and_done_in_parts(mortal: Mortal, monkeypatch: pytest.MonkeyPatch) -> None:
    """And beside what comes meanwhile, which finds room in the queue."""
    monkeypatch.setattr("fogbank.rules.lane.MAX_WAITING", 4 * PAGE)
    await owing(mortal, 3 * PAGE)
    mortal = await mortal.crash()  # the target still hangs
    await mortal.advance(LONG)
    counters = mortal.engine.counters["r"]
    half = counters.resumed
    assert 2 * PAGE <= half < 3 * PAGE
    await mortal.publish("t", {"n": "new"})
    assert counters.throttled == 0
    mortal = await mortal.crash()
    mortal.target.recover()
    await mortal.advance(10 * PAUSE)
    mortal = await mortal.crash()
    await mortal.advance(10 * PAUSE)
    assert sorted(numbers(mortal), key=str) == sorted([*range(3 * PAGE), "new"], key=str)
    await mortal.close()


async def test_a_row_larger_than_half_of_the_queue_does_not_wait_for_ever(
    mortal: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await owing(mortal, 2)
    mortal.target.recover()
    monkeypatch.setattr("fogbank.rules.lane.MAX_WAITING_BYTES", 100)
    mortal = await mortal.crash()
    await mortal.advance(LONG)
    assert numbers(mortal) == [0, 1]
    await mortal.close()


async def test_what_cannot_be_read_is_logged_and_dropped(mortal: Mortal, caplog: pytest.LogCaptureFixture) -> None:
    await owing(mortal)
    await mortal.server.disk.commit(Keep(PREFIX + "r", 2, b"\xc1"))
    mortal.target.recover()
    mortal = await mortal.crash()
    await mortal.advance(LAZY)
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1
    assert (numbers(mortal), await mortal.rows()) == ([0], [])
    await mortal.close()


async def test_an_evaluation_that_raises_is_not_owed_for_ever(mortal: Mortal, monkeypatch: pytest.MonkeyPatch) -> None:
    await owing(mortal)

    def broken(*_: Any) -> Any:
        raise ArithmeticError("a bug of ours")

    monkeypatch.setattr(Events, "again", broken)
    mortal = await mortal.crash()
    await mortal.advance(LAZY)
    assert mortal.engine.counters["r"].broken == 1
    assert await mortal.rows() == []
    await mortal.close()


# --- against a naive model ---

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["commit", "turn", "hang", "recover", "lazily", "stop", "fail"]), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, 1)),
    ),
    max_size=40,
)


class Story:
    """Publishes, holds the disk, kills; and knows what was acknowledged."""

    def __init__(self, mortal: Mortal) -> None:
        self.mortal = mortal
        self.acknowledged: set[int] = set()
        self._sent = 0
        self._device: Any = None

    async def connect(self) -> None:
        self._device = await self.mortal.device()
        await self._device.take()
        self.mortal.server.disk.held = True

    async def take(self) -> None:
        self.acknowledged.update(one.packet_id for one in await self._device.take() if isinstance(one, Puback))

    async def tell(self, what: str, number: int) -> None:
        mortal = self.mortal
        match what:
            case "publish":
                for _ in range(number):
                    self._sent += 1
                    payload = b'{"n":%d}' % self._sent
                    self._device.send(Publish("t", payload, 1, packet_id=self._sent))
            case "commit":
                if mortal.server.disk.is_waited_for:
                    mortal.server.disk.let_through()
            case "fail":
                if mortal.server.disk.is_waited_for:
                    mortal.server.disk.broken = True
                    mortal.server.disk.let_through()
                    await mortal.advance()
                    mortal.server.disk.broken = False
            case "hang":
                mortal.target.hold("f")
            case "recover":
                mortal.target.recover()
            case "lazily":
                await mortal.advance(LAZY)
            case "crash":
                self.mortal = await mortal.crash(written=bool(number))
                await self.connect()
            case "stop":
                await mortal.server.disk.release()
                await self.take()
                self.mortal = await (await mortal.stop()).start()
                await self.connect()
        if what != "publish":
            await self.take()

    async def end(self) -> None:
        """The target lives and the process is started once more."""
        self.mortal.target.recover()
        self.mortal = await self.mortal.crash()
        await self.mortal.advance(LONG)


@given(STEPS)
@settings(max_examples=200)
async def test_what_is_acknowledged_is_done_whatever_happens(steps: list[tuple[str, int]]) -> None:
    story = Story(await Mortal.born())
    await story.mortal.create("SELECT * FROM 't'", INVOKE)
    await story.connect()
    for step in steps:
        await story.tell(*step)
    await story.end()
    done = numbers(story.mortal)
    assert story.acknowledged <= set(done)
    assert await story.mortal.rows() == []
    await story.mortal.close()
