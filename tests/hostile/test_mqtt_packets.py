"""Malformed MQTT, plain and over TLS: it costs its sender the connection, the log a line, and nobody else anything."""

import socket
from collections.abc import Callable
from typing import TypeAlias

import pytest
from tests.hostile.certificates import Credentials
from tests.hostile.mqtt import Client
from tests.hostile.server import Server
from tests.hostile.siege import siege
from tests.mqtt.vectors import INVALID

from fogbank.mqtt import ReasonCode, Version
from fogbank.mqtt.codec import PacketType
from fogbank.mqtt.packets import Connack, Disconnect

Dial: TypeAlias = Callable[[], socket.socket]

FIRST = {
    "another packet first [MQTT-3.1.0-1]": "c000",
    "zeros": "00000000",
    "all ones": "ff" * 64,
    "a length of five bytes": "10ffffffff7f",
    "a CONNECT of 256 MB, announced": "10ffffff7f",
    "a CONNECT of nothing": "100200 00",
    "reserved flags of CONNECT": "1f 0c 0004 4d515454 04 02 003c 0000",
    "AUTH, which is of MQTT 5": "f000",
} | {one.name: one.data.hex() for one in INVALID if one.version is Version.V3_1_1 and one.name.startswith("connect,")}
"""In place of a CONNECT."""

LATER = {
    "a second CONNECT [MQTT-3.1.0-2]": "10 0e 0004 4d515454 04 02 003c 0002 6162",
    "QoS 3 [MQTT-3.3.1-4]": "36 05 0001 61 0001",
    "DUP at QoS 0 [MQTT-3.3.1-2]": "38 03 0001 61",
    "packet ID 0 [MQTT-2.3.1-1]": "32 05 0001 61 0000",
    "PUBLISH at QoS 1 without a packet ID": "32 03 0001 61",
    "QoS 2, not served": "34 05 0001 61 0001",
    "topic longer than the packet": "30 03 0005 61",
    "PUBLISH of nothing": "30 00",
    "an empty topic [MQTT-4.7.3-1]": "30 02 0000",
    "a wildcard in a topic [MQTT-3.3.2-2]": "30 05 0003 612f23",
    "a topic with NUL [MQTT-1.5.3-2]": "30 05 0003 610062",
    "a topic that is not UTF-8 [MQTT-1.5.3-1]": "30 05 0003 61ff62",
    "a topic with a surrogate [MQTT-1.5.3-1]": "30 05 0003 eda080",
    "an overlong encoding": "30 04 0002 c080",
    "a packet of 256 MB, announced": "30 ffffff7f 0001 61",
    "a length of five bytes": "30 ffffffff7f",
    "wrong flags of SUBSCRIBE [MQTT-3.8.1-1]": "80 06 0001 0001 61 00",
    "PINGREQ with a body": "c0 01 00",
    "PUBREL": "62 02 0001",
    "SUBACK from a client": "90 03 0001 00",
    "type 0": "00 00",
    "type 15": "f0 00",
} | {
    one.name: one.data.hex() for one in INVALID if one.version is Version.V3_1_1 and not one.name.startswith("connect,")
}
"""After a good CONNECT."""


@pytest.fixture(params=["plain", "tls"])
def dial(request: pytest.FixtureRequest, server: Server, permitted: Credentials) -> Dial:
    """A connection to the broker, by either of the two ports."""
    if request.param == "plain":
        return lambda: server.connect("plain_mqtt")
    return lambda: server.tls("mqtts", permitted.files)


def test_garbage_instead_of_connect(server: Server, dial: Dial) -> None:
    with siege(
        server, *[r"client None at 127.0.0.1: disconnected \(CLIENT_ERROR\)|neither MQTT nor HTTP"] * len(FIRST)
    ):
        for name, data in FIRST.items():
            with Client(dial()) as client:
                client.send(bytes.fromhex(data))
                assert client.is_closed(), name


def test_malformed_packets_of_a_connected_client(server: Server, dial: Dial) -> None:
    with siege(server, *[r"client 'mallory' at 127.0.0.1: disconnected \(CLIENT_ERROR\): \w"] * len(LATER)):
        for name, data in LATER.items():
            with Client(dial()) as client:
                client.connect("mallory").send(bytes.fromhex(data))
                assert client.is_closed(), name


def test_malformed_packets_of_mqtt_5_are_answered(server: Server, dial: Dial) -> None:
    """(MQTT 5.0, 4.13.1): DISCONNECT says what was wrong, then the connection ends."""
    bad = {one.name: one for one in INVALID if one.version is Version.V5 and not one.name.startswith("connect,")}
    with siege(server, *[r"client 'mallory' at 127.0.0.1: disconnected \(CLIENT_ERROR\): \w"] * len(bad)):
        for name, one in bad.items():
            with Client(dial(), Version.V5) as client:
                client.connect("mallory").send(one.data)
                first, body = client.packet()
                assert first == PacketType.DISCONNECT << 4, name
                assert Disconnect.decode(body, Version.V5).code > ReasonCode.UNSPECIFIED_ERROR, name
                assert client.is_closed(), name


def test_malformed_connects_of_mqtt_5_are_answered(server: Server, dial: Dial) -> None:
    bad = {one.name: one for one in INVALID if one.version is Version.V5 and one.name.startswith("connect,")}
    with siege(server, *[r"client None at 127.0.0.1: disconnected \(CLIENT_ERROR\): \w"] * len(bad)):
        for name, one in bad.items():
            with Client(dial(), Version.V5) as client:
                client.send(one.data)
                first, body = client.packet()
                assert first == PacketType.CONNACK << 4, name
                assert Connack.decode(body, Version.V5).code > ReasonCode.UNSPECIFIED_ERROR, name
                assert client.is_closed(), name
