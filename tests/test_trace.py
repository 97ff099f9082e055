"""The trace hub: quiet until somebody listens, and exact about what it tells."""

from fogbank.testing import FakeClock
from fogbank.trace import Trace, TraceEvent


def test_nobody_listens_at_first_and_emitting_then_does_nothing(fake_clock: FakeClock) -> None:
    trace = Trace(fake_clock)
    assert not trace.active
    trace.emit("publish", "denied", no_such_field="would be an error if an event were built")


async def test_a_listener_gets_the_event_with_the_time_of_the_clock(fake_clock: FakeClock) -> None:
    trace = Trace(fake_clock)
    heard: list[TraceEvent] = []
    trace.listen(heard.append)
    assert trace.active
    await fake_clock.advance(5)
    trace.emit("publish", "denied", reason="no statement allows it", topic="a/b", client_id="lamp")
    assert heard == [
        TraceEvent(
            "publish", "denied", fake_clock.time(), reason="no statement allows it", topic="a/b", client_id="lamp"
        )
    ]


def test_all_listeners_are_told_in_order_until_they_stop(fake_clock: FakeClock) -> None:
    trace = Trace(fake_clock)
    heard: list[str] = []
    active: list[bool] = []
    stop_first = trace.listen(lambda event: heard.append(f"first {event.kind}"))
    stop_second = trace.listen(lambda event: heard.append(f"second {event.kind}"))
    trace.emit("connect", "success")
    stop_first()
    active.append(trace.active)
    trace.emit("rule", "skipped")
    stop_second()
    active.append(trace.active)
    trace.emit("action", "failure")
    stop_first()
    active.append(trace.active)
    assert heard == ["first connect", "second connect", "second rule"]
    assert active == [True, False, False]


def test_a_listener_may_stop_while_it_is_told(fake_clock: FakeClock) -> None:
    trace = Trace(fake_clock)
    heard: list[str] = []

    def once(event: TraceEvent) -> None:
        heard.append(event.kind)
        stop()

    stop = trace.listen(once)
    trace.listen(lambda event: heard.append(event.kind.upper()))
    trace.emit("connect", "success")
    trace.emit("publish", "success")
    assert heard == ["connect", "CONNECT", "PUBLISH"]
