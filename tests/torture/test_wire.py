"""The torture's own codec, against octets written by hand from the standard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.torture import wire
from tests.torture.wire import Delivery, Kind, Version, Will

V3, V5 = Version.V3_1_1, Version.V5


@pytest.mark.parametrize(
    ("packet", "octets"),
    [
        (wire.connect("a", V3, clean=False, persistent=True), "100d 0004 4d515454 04 00 0258 0001 61"),
        (wire.connect("a", V5, clean=True, persistent=True), "1013 0004 4d515454 05 02 0258 05 11 00000e10 0001 61"),
        (wire.connect("a", V5, clean=True, persistent=False), "100e 0004 4d515454 05 02 0258 00 0001 61"),
        (
            wire.connect("a", V5, clean=False, persistent=True, receive_maximum=5),
            "1016 0004 4d515454 05 00 0258 08 11 00000e10 21 0005 0001 61",
        ),
        (
            wire.connect("a", V3, clean=True, persistent=False, will=Will("t", b"xy", 1)),
            "1014 0004 4d515454 04 0e 0258 0001 61 0001 74 0002 7879",
        ),
        (
            wire.connect("a", V5, clean=True, persistent=False, will=Will("t", b"xy", 2)),
            "1016 0004 4d515454 05 16 0258 00 0001 61 00 0001 74 0002 7879",
        ),
        (wire.publish("t", b"x", 1, 7, V3), "3206 0001 74 0007 78"),
        (wire.publish("t", b"x", 2, 7, V5, retain=True, dup=True), "3d07 0001 74 0007 00 78"),
        (wire.subscribe(1, "t", 2, V3), "8206 0001 0001 74 02"),
        (wire.subscribe(1, "t", 1, V5), "8207 0001 00 0001 74 01"),
        (wire.unsubscribe(1, "t", V3), "a205 0001 0001 74"),
        (wire.unsubscribe(1, "t", V5), "a206 0001 00 0001 74"),
        (wire.acknowledge(Kind.PUBREL, 258), "6202 0102"),
        (wire.PING, "c000"),
        (wire.GOODBYE, "e000"),
    ],
)
def test_packets_as_written(packet: bytes, octets: str) -> None:
    assert packet == bytes.fromhex(octets)


def test_packets_as_read() -> None:
    assert wire.read_delivery(0x3B, bytes.fromhex("0001 74 0007 78"), V3) == Delivery("t", b"x", 1, True, 7)
    expiry = bytes.fromhex("0001 74 0007 05 02 0000003c 78")
    assert wire.read_delivery(0x34, expiry, V5) == Delivery("t", b"x", 2, False, 7)
    assert wire.read_delivery(0x30, bytes.fromhex("0001 74 78"), V3) == Delivery("t", b"x", 0, False, 0)
    assert wire.reasons(bytes.fromhex("0001 01 80"), V3) == b"\x01\x80"
    assert wire.reasons(bytes.fromhex("0001 00 01"), V5) == b"\x01"
    assert wire.reason(bytes.fromhex("0001")) == 0
    assert wire.reason(bytes.fromhex("0001 10")) == 0x10


@given(st.lists(st.binary(max_size=300)), st.data())
def test_packets_come_whole_however_the_stream_is_cut(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(wire.publish("t", payload, 1, 1, V3) for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    found, rest = [], b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        packets, rest = wire.split(rest + stream[start:end])
        found += [wire.read_delivery(first, body, V3).payload for first, body in packets]
    assert found == payloads
    assert rest == b""
