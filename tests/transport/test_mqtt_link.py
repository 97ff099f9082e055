import asyncio
import weakref
from typing import cast

import pytest

from fogbank.broker.broker import Broker
from fogbank.broker.connection import State
from fogbank.ports import Peer
from fogbank.transport.half_open import HalfOpen
from fogbank.transport.mqtt_link import MqttLink
from fogbank.transport.peer import PlainPrincipals

from .test_websocket import PARTING, Line, Wire


class Mqtt:
    """Stands for the broker and for its connection; a CONNECT is whole when it ends with a dot."""

    def __init__(self) -> None:
        self.line = Line()
        self.state = State.WAITING
        self.received = b""
        self.lost_count = 0
        self.link: MqttLink

    def connect(self, link: MqttLink, peer: Peer) -> "Mqtt":
        self.link = link  # as the broker's line does
        return self

    def receive(self, data: bytes) -> None:
        self.received += data
        if data.endswith(b"."):
            self.state = State.ACCEPTING

    def lost(self) -> None:
        self.lost_count += 1


@pytest.fixture
async def half_open() -> HalfOpen:
    return HalfOpen(asyncio.get_running_loop(), most=10)


def linked(half_open: HalfOpen) -> tuple[MqttLink, Wire, Mqtt]:
    wire, mqtt, principals = Wire(), Mqtt(), PlainPrincipals(None)
    peer = Peer(identity=principals.identity, principals=principals)
    return MqttLink(cast(Broker, mqtt), wire, peer, half_open, PARTING), wire, mqtt


async def test_it_is_half_open_until_connect_is_whole(half_open: HalfOpen) -> None:
    link, wire, mqtt = linked(half_open)
    for data, count in ((b"a", 1), (b"b", 1), (b".", 0)):
        assert wire.get_protocol() is not link
        link.data_received(data)
        assert len(half_open) == count
    assert wire.get_protocol() is link  # so that the event loop looks up who takes the data from now on
    assert link.data_received == mqtt.receive
    link.data_received(b"c")
    link.connection_lost(None)
    assert (mqtt.received, mqtt.lost_count) == (b"ab.c", 1)
    kept = weakref.ref(link)
    del link, mqtt
    wire.set_protocol(asyncio.Protocol())
    assert kept() is None  # without the collector's help
    half_open.close()


async def test_who_goes_away_before_is_half_open_no_more(half_open: HalfOpen) -> None:
    link, _, mqtt = linked(half_open)
    link.connection_lost(None)
    assert (len(half_open), mqtt.lost_count) == (0, 1)
    half_open.close()


async def test_it_is_the_broker_s_way_to_the_client(half_open: HalfOpen) -> None:
    link, wire, _ = linked(half_open)
    link.write(b"abc")
    link.set_write_buffer_limits(7, 3)
    link.pause_reading()
    link.resume_reading()
    wire.unread = 5
    assert (wire.written, wire.limits, link.get_write_buffer_size()) == (b"abc", (7, 3), 5)
    link.close()
    assert (wire.asked, len(half_open)) == (["pause", "resume", "close"], 0)
    for late in (link.pause_reading, link.resume_reading):  # as flow control may do to who is gone
        late()
    link.abort()
    assert wire.asked == ["pause", "resume", "close", "abort"]


async def test_who_is_refused_at_once_is_not_taken_back(half_open: HalfOpen) -> None:
    """What closes it while a chunk is handled has set another protocol, which is to stay."""
    link, wire, mqtt = linked(half_open)

    def refuse(data: bytes) -> None:
        mqtt.state = State.CLOSED
        link.close()

    mqtt.receive = refuse  # type: ignore[method-assign]
    link.data_received(b"x")
    assert wire.get_protocol() is not link
