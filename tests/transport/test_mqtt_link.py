import asyncio
from typing import cast

import pytest

from fogbank.broker.broker import Broker
from fogbank.broker.connection import State
from fogbank.ports import Peer
from fogbank.transport.half_open import HalfOpen
from fogbank.transport.mqtt_link import MqttLink
from fogbank.transport.peer import PlainPrincipals

from .test_websocket import Line, Wire


class Mqtt:
    """Stands for the broker and for its connection; a CONNECT is whole when it ends with a dot."""

    def __init__(self) -> None:
        self.line = Line()
        self.state = State.WAITING
        self.received = b""
        self.lost_count = 0

    def connect(self, link: asyncio.Transport, peer: Peer) -> "Mqtt":
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
    return MqttLink(cast(Broker, mqtt), wire, peer, half_open), wire, mqtt


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
    half_open.close()


async def test_who_goes_away_before_is_half_open_no_more(half_open: HalfOpen) -> None:
    link, _, mqtt = linked(half_open)
    link.connection_lost(None)
    assert (len(half_open), mqtt.lost_count) == (0, 1)
    half_open.close()
