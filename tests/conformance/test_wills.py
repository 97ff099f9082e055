"""Wills: when they are sent and when not, how, and after what delay."""

import pytest
from tests.conformance.conftest import NewClient, Pause
from tests.conformance.packets import V5, Will
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds


@holds(v311="3.1.2-8 3.1.2-9 3.1.2-14", v5="3.1.2-7 3.1.2-8 3.1.2-9 3.1.2-12")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_broken_connection_is_followed_by_the_will(new: NewClient, version: int, name: str, qos: int) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name, qos=2)
    new(version).connect(will=Will(name, b"\x00gone\xff", qos)).drop()
    will = watcher.message()
    assert (will.topic, will.payload, will.qos, will.retain) == (name, b"\x00gone\xff", qos, False)


@holds(v311="3.1.2-8", v5="3.1.2-8")
def test_a_protocol_error_is_followed_by_the_will(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name)
    client = new(version).connect(will=Will(name))
    client.send(b"\x82\x02\x00\x01")  # SUBSCRIBE without a filter
    client.refused(0x81, 0x82)
    assert watcher.message().payload == b"will"


@holds(v311="3.1.2-8", v5="3.1.2-8")
def test_a_takeover_is_followed_by_the_will(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name)
    new(version).connect(f"{name}-c", will=Will(name))
    new(version).connect(f"{name}-c")
    assert watcher.message().payload == b"will"


@holds(v311="3.1.2-10 3.14.4-3", v5="3.1.2-8 3.1.2-10 3.14.4-3")
def test_disconnect_discards_the_will(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name)
    new(version).connect(will=Will(name)).disconnect()
    new(version).connect(will=Will(name, b"end")).drop()
    assert watcher.messages(b"end") == []


@holds(v5="3.1.2-8 3.14.4-3")
@pytest.mark.parametrize("code", [0x04, 0x80, 0x98])
def test_disconnect_for_another_reason_does_not(new: NewClient, name: str, code: int) -> None:
    watcher = new(V5).connect()
    watcher.subscribe(name)
    new(V5).connect(will=Will(name)).disconnect(code)
    assert watcher.message().payload == b"will"


@holds(v311="3.1.2-11 3.1.2-12", v5="3.1.2-8")
def test_without_a_will_nothing_is_sent(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(f"{name}/#")
    new(version).connect(f"{name}/c").drop()
    new(version).connect(will=Will(f"{name}/w", b"end")).drop()
    assert watcher.messages(b"end") == []


@holds(v311="3.1.2-10", v5="3.1.2-10")
def test_a_will_is_sent_once_even_if_the_session_lasts(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name)
    new(version).connect(f"{name}-c", will=Will(name), **lasting(version)).drop()
    assert watcher.message().payload == b"will"
    new(version).connect(f"{name}-c", **lasting(version)).drop()
    new(version).connect(will=Will(name, b"end")).drop()
    assert watcher.messages(b"end") == []


@holds(v311="3.1.2-16", v5="3.1.2-14")
def test_a_will_is_not_retained_unasked(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name, qos=1)
    new(version).connect(will=Will(name, b"gone", 1)).drop()
    assert watcher.message().payload == b"gone"
    later = new(version).connect()
    later.subscribe(name)
    assert later.ping() == []


@holds(v311="3.1.2-17", v5="3.1.2-15")
def test_a_will_is_retained_if_asked(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name, qos=1)
    new(version).connect(will=Will(name, b"gone", 1, retain=True)).drop()
    will = watcher.message()
    assert (will.payload, will.retain) == (b"gone", False)
    later = new(version).connect()
    later.subscribe(name, qos=1)
    retained = later.message()
    assert (retained.payload, retained.retain, retained.qos) == (b"gone", True, 1)


@holds(v5="3.1.3-10 3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-18 3.3.2-20")
def test_a_will_has_its_properties(new: NewClient, name: str) -> None:
    sent = {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": f"{name}/answer",
        "correlation_data": b"\x00\x01",
        "user_property": [("b", "1"), ("a", "2"), ("b", "1")],
    }
    watcher = new(V5).connect()
    watcher.subscribe(name)
    new(V5).connect(will=Will(name, properties=sent)).drop()
    assert watcher.message().properties == sent


@holds(v5="3.1.2-8")
def test_a_will_waits_for_its_delay(new: NewClient, name: str) -> None:
    watcher = new(V5).connect()
    watcher.subscribe(name)
    for seconds in (2, 1):
        will = Will(name, b"%d" % seconds, properties={"will_delay_interval": seconds})
        new(V5).connect(will=will, session_expiry_interval=600).drop()
    new(V5).connect(will=Will(name, b"0"), session_expiry_interval=600).drop()
    assert [watcher.message().payload for _ in range(3)] == [b"0", b"1", b"2"]


@holds(v5="3.1.2-8")
def test_the_end_of_the_session_does_not_wait_for_the_delay(new: NewClient, name: str) -> None:
    watcher = new(V5).connect()
    watcher.subscribe(name)
    late = {"will_delay_interval": 600}
    new(V5).connect(will=Will(name, b"no session", properties=late)).drop()
    assert watcher.message().payload == b"no session"
    new(V5).connect(f"{name}-c", will=Will(name, b"clean start", properties=late), **lasting(V5)).drop()
    assert watcher.ping() == []
    new(V5).connect(f"{name}-c")  # a clean start ends the session that was (3.1.4)
    assert watcher.message().payload == b"clean start"


@holds(v5="3.1.2-8 3.1.3-9")
def test_a_client_that_is_back_in_time_has_no_will_sent(new: NewClient, name: str, pause: Pause) -> None:
    watcher = new(V5).connect()
    watcher.subscribe(name)
    will = Will(name, properties={"will_delay_interval": 1})
    new(V5).connect(f"{name}-c", will=will, **lasting(V5)).drop()
    back = new(V5).connect(f"{name}-c", **lasting(V5))
    assert back.session_present
    pause(2)
    assert watcher.ping() == []
