"""The live protocol state machine, attacked with streams of packets, good, bad and mutated; `make fuzz` plays more."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz import scene, seeds
from tests.fuzz.scene import CLIENTS, MOMENTS, ROOMS, Failure, Kind, Step, play, script

from fogbank.broker import subscribing
from fogbank.broker.broker import Broker
from fogbank.broker.connection import Connection
from fogbank.broker.sessions import Sessions
from fogbank.mqtt import Version
from fogbank.mqtt.packets import PINGREQ, Connect, Subscribe, Subscription
from fogbank.settings import Limits

QUICK = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A packet that a client may send, with some bytes changed, left out, put in, or put off."""
    packet = bytearray(draw(st.sampled_from(seeds.PACKETS)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(packet) - 1)))
        packet[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(packet)


CHUNKS = st.one_of(
    st.sampled_from(seeds.PACKETS),
    mutated(),
    st.lists(st.sampled_from(seeds.PACKETS), max_size=4).map(b"".join),
    st.binary(max_size=40),
)
CLIENT = st.integers(0, CLIENTS - 1)
STEPS = st.lists(
    st.one_of(
        st.builds(Step, CLIENT, st.just(Kind.SEND), data=CHUNKS),
        st.builds(Step, CLIENT, st.just(Kind.CONNECT), st.integers(0, len(seeds.CONNECTS) - 1)),
        st.builds(Step, CLIENT, st.just(Kind.LOSE)),
        st.builds(Step, CLIENT, st.just(Kind.PASS), st.integers(0, len(MOMENTS) - 1)),
        st.builds(Step, CLIENT, st.just(Kind.SLOW), st.integers(0, len(ROOMS) - 1)),
        st.builds(Step, CLIENT, st.just(Kind.RIGHTS)),
        st.builds(Step, CLIENT, st.just(Kind.KILL)),
        st.builds(Step, CLIENT, st.just(Kind.FULL_DISK), st.integers(0, 3)),
    ),
    max_size=30,
)


@QUICK
@given(STEPS, st.sampled_from(Limits), st.integers(0, 2**CLIENTS - 1))
def test_nothing_that_clients_send_breaks_the_broker(steps: list[Step], limits: Limits, versions: int) -> None:
    """No exception, no error in the log, a bystander is served, and nothing is left when all have gone."""
    asyncio.run(play(steps, limits, versions))


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes_are_a_stream(data: bytes) -> None:
    """What `make fuzz` does, for a moment."""
    asyncio.run(play(*script(data)))


@pytest.mark.parametrize("limits", Limits)
def test_every_packet_alone(limits: Limits) -> None:
    """Each of the vectors, to each version."""
    for data in seeds.PACKETS:
        steps = [Step(client, Kind.SEND, data=data) for client in range(2)]
        asyncio.run(play(steps, limits, 0b10))


# --- the scene itself notices what it is there to notice ---

STREAM = [Step(0, Kind.SEND, data=PINGREQ), Step(1, Kind.SEND, data=PINGREQ)]


def test_an_exception_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: Connection, body: bytes) -> None:
        raise KeyError("what nobody foresaw")

    monkeypatch.setattr(subscribing, "subscribe", broken)
    steps = [Step(0, Kind.SEND, data=Subscribe(1, (Subscription("a"),)).encode(Version.V3_1_1))]
    with pytest.raises((Failure, KeyError), match="nobody foresaw"):
        asyncio.run(play(steps, Limits.AWS, 0))


def test_an_error_in_the_background_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Broker, *_: object) -> None:
        raise KeyError("what nobody foresaw")

    monkeypatch.setattr(Broker, "_bound", broken)
    with pytest.raises((Failure, KeyError), match="nobody foresaw"):
        asyncio.run(play([Step(0, Kind.CONNECT, 1), *STREAM], Limits.AWS, 0))


def test_what_is_left_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sessions, "discard", lambda self, session: None)
    persistent = Step(0, Kind.CONNECT, seeds.CONNECTS.index(Connect("one", clean_start=False).encode()))
    with pytest.raises(Failure, match="left when all have gone"):
        asyncio.run(play([persistent, *STREAM], Limits.AWS, 0))


def test_a_bystander_that_is_not_served_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "may_receive", lambda self, topic: False)
    with pytest.raises(Failure, match="not served"):
        asyncio.run(play(STREAM, Limits.AWS, 0))


def test_a_stream_that_takes_long_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "PATIENCE", 0.0)
    with pytest.raises(Failure, match="took"):
        asyncio.run(play(STREAM, Limits.AWS, 0))
