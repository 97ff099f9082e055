"""WebSocket frames around MQTT bytes, in memory: no sockets, no broker, a peer that may do as it likes."""

import asyncio
import logging
import struct
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.broker.broker import Broker
from fogbank.broker.connection import State
from fogbank.ports import Identity, Peer
from fogbank.transport import websocket
from fogbank.transport.half_open import HalfOpen
from fogbank.transport.lingering import Lingering
from fogbank.transport.peer import PlainPrincipals
from fogbank.transport.websocket import WebSocketLink

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x12\x34\x56\x78"


def frame(
    payload: bytes = b"", opcode: int = BINARY, *, fin: bool = True, mask: bytes = MASK, reserved: int = 0
) -> bytes:
    """A client's frame as RFC 6455, 5.2 draws it; written down once more, so as not to test a library by itself."""
    first = fin << 7 | reserved << 4 | opcode
    masked = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head = bytes((first, masked | size))
    elif size < 65_536:
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked | 127, size)
    body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload)) if mask else payload
    return head + mask + body


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Opcode and payload of each frame that a server has sent: whole, final and not masked."""
    found = []
    while data:
        assert data[0] & 0xF0 == 0x80
        size, start = data[1], 2
        assert size <= 127
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        assert len(data) >= start + size
        found.append((data[0] & 0x0F, data[start : start + size]))
        data = data[start + size :]
    return found


def closing(code: int) -> bytes:
    return struct.pack("!H", code)


class Wire(asyncio.Transport):
    """The transport beneath."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unread = 0
        self.asked: list[str] = []
        self.limits: tuple[int | None, int | None] = (None, None)
        self.protocol: asyncio.BaseProtocol = asyncio.Protocol()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return bool({"close", "abort"} & set(self.asked))

    def close(self) -> None:
        self.asked.append("close")

    def abort(self) -> None:
        self.asked.append("abort")

    def pause_reading(self) -> None:
        self.asked.append("pause")

    def resume_reading(self) -> None:
        self.asked.append("resume")

    def get_write_buffer_size(self) -> int:
        return self.unread

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = (high, low)

    def take(self) -> list[tuple[int, bytes]]:
        """What has been sent since the last look."""
        written, self.written = self.written, b""
        return frames_of(written)


class Line:
    """What of the broker's line a link binds."""

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class Mqtt:
    """Stands for the broker and for its connection at once."""

    def __init__(self) -> None:
        self.line = Line()
        self.received: list[bytes] = []
        self.ends: list[str] = []
        self.state = State.WAITING
        self.on_receive: Callable[[bytes], object] = lambda _: None
        self.link: WebSocketLink

    def connect(self, link: WebSocketLink, peer: Peer) -> "Mqtt":
        self.link = link
        link.set_write_buffer_limits(7, 3)
        return self

    def receive(self, data: bytes) -> None:
        assert not self.ends
        self.received.append(data)
        self.on_receive(data)

    def lost(self) -> None:
        self.ends.append("lost")

    def closed_by_peer(self) -> None:
        self.ends.append("closed by peer")

    @property
    def bytes(self) -> bytes:
        return b"".join(self.received)


class Book:
    """Who is half-open."""

    def __init__(self) -> None:
        self.inside: set[asyncio.BaseTransport] = set()
        self.enter = self.inside.add
        self.leave = self.inside.discard


class Parting:
    """Closes at once."""

    def part(self, transport: asyncio.Transport) -> None:
        transport.close()


PARTING = cast(Lingering, Parting())


def linked(book: Book | None = None) -> tuple[WebSocketLink, Wire, Mqtt]:
    wire, mqtt = Wire(), Mqtt()
    principals = PlainPrincipals(None)
    peer = Peer(identity=Identity("me", "", True), principals=principals, ip="192.0.2.1")
    return WebSocketLink(cast(Broker, mqtt), wire, peer, cast(HalfOpen, book or Book()), PARTING), wire, mqtt


# --- half-open ---


def test_it_is_half_open_until_connect_is_whole() -> None:
    book = Book()
    link, wire, mqtt = linked(book)
    link.data_received(frame(b"half a CONNECT"))
    assert book.inside == {wire}
    mqtt.state = State.ACCEPTING
    link.data_received(frame(b"the other half"))
    assert book.inside == set()


def test_who_goes_away_before_is_half_open_no_more() -> None:
    book = Book()
    link, _, _ = linked(book)
    link.connection_lost(None)
    assert book.inside == set()


# --- bytes in ---------------------------------------------------------------------------------------------------


def test_frames_hold_any_part_of_a_packet_or_many() -> None:
    """[MQTT-6.0.0-2]"""
    link, wire, mqtt = linked()
    link.data_received(frame(b"ab"))
    link.data_received(frame(b"c") + frame(b"") + frame(b"def"))
    assert mqtt.received == [b"ab", b"cdef"]
    assert (wire.written, wire.asked, mqtt.ends) == (b"", [], [])


def test_the_pieces_of_a_frame_go_on_as_they_come() -> None:
    link, _, mqtt = linked()
    payload = bytes(range(256)) * 1024
    data = frame(payload)
    for start in range(0, len(data), 1000):
        link.data_received(data[start : start + 1000])
        assert len(mqtt.bytes) == max(0, min(start + 1000, len(data)) - 14)
    assert mqtt.bytes == payload


def test_nothing_of_a_frame_that_claims_to_be_endless_is_kept() -> None:
    link, _, mqtt = linked()
    link.data_received(struct.pack("!BBQ", 0x82, 0xFF, (1 << 63) - 1) + MASK)
    for _ in range(100):
        link.data_received(bytes(65_536))
    assert sum(map(len, mqtt.received)) == 100 * 65_536
    assert len(link._frames._proto._frame_decoder.buffer) == 0


@given(
    st.lists(st.tuples(st.binary(max_size=300), st.booleans(), st.sampled_from([b"", b"ping"])), max_size=12),
    st.lists(st.integers(0, 5000), max_size=30),
)
def test_any_fragmentation_and_any_cuts_give_the_same_bytes(
    parts: list[tuple[bytes, bool, bytes]], cuts: list[int]
) -> None:
    """Messages in fragments, control frames in between, and chunks that end anywhere."""
    stream, fresh = b"", True
    for payload, fin, ping in parts:
        stream += frame(payload, BINARY if fresh else CONTINUATION, fin=fin)
        if ping:
            stream += frame(ping, PING)
        fresh = fin
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    link, wire, mqtt = linked()
    for start, end in pairwise(edges):
        link.data_received(stream[start:end])
    assert mqtt.bytes == b"".join(payload for payload, _, _ in parts)
    assert set(wire.take()) <= {(PONG, b"ping")}
    assert (wire.asked, mqtt.ends) == ([], [])


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_are_frames_or_end_the_connection(chunks: Iterable[bytes]) -> None:
    link, wire, mqtt = linked()
    for chunk in chunks:
        if not wire.is_closing():
            link.data_received(chunk)
    assert bool(mqtt.ends) == wire.is_closing()
    assert len(mqtt.ends) <= 1
    assert len([1 for opcode, _ in wire.take() if opcode == CLOSE]) == len(mqtt.ends)


# --- bytes out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, 1_000_000])
def test_what_is_written_at_once_is_one_binary_frame(size: int) -> None:
    link, wire, _ = linked()
    link.write(bytearray(b"x" * size))
    link.write(b"y")
    assert wire.take() == [(BINARY, b"x" * size), (BINARY, b"y")]


def test_flow_control_goes_through() -> None:
    link, wire, mqtt = linked()
    assert wire.limits == (7, 3)
    wire.unread = 17
    assert link.get_write_buffer_size() == 17
    link.pause_reading()
    link.resume_reading()
    link.abort()
    assert wire.asked == ["pause", "resume", "abort"]
    assert link.pause_writing == mqtt.line.pause_writing
    assert link.resume_writing == mqtt.line.resume_writing


# --- pings ------------------------------------------------------------------------------------------------------


def test_a_ping_is_answered_and_a_pong_is_not() -> None:
    link, wire, mqtt = linked()
    link.data_received(frame(b"a", fin=False) + frame(b"hello", PING) + frame(b"b", CONTINUATION) + frame(b"?", PONG))
    assert wire.take() == [(PONG, b"hello")]
    assert mqtt.bytes == b"ab"


def test_the_last_of_many_pings_is_answered() -> None:
    """RFC 6455, 5.5.3"""
    link, wire, _ = linked()
    link.data_received(b"".join(frame(b"%d" % number, PING) for number in range(100)))
    assert wire.take() == [(PONG, b"99")]


def test_who_does_not_take_answers_gets_no_more_pongs() -> None:
    link, wire, mqtt = linked()
    wire.unread = websocket.MOST_UNREAD + 1
    link.data_received(frame(b"hello", PING) + frame(b"a"))
    assert (wire.take(), mqtt.bytes) == ([], b"a")


# --- the end ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", closing(1000), closing(1001) + b"going", closing(4711)])
def test_a_peer_that_says_goodbye(payload: bytes) -> None:
    """What came before it counts; what comes after it does not."""
    link, wire, mqtt = linked()
    link.data_received(frame(b"a") + frame(payload, CLOSE) + frame(b"b"))
    link.data_received(frame(b"c"))
    assert wire.take() == [(CLOSE, payload)]
    assert (mqtt.received, mqtt.ends, wire.asked) == ([b"a"], ["closed by peer"], ["close"])
    link.write(b"too late")
    assert wire.written == b""


def test_the_broker_says_goodbye_and_waits_for_the_answer() -> None:
    link, wire, mqtt = linked()
    link.pause_reading()
    link.close()
    assert wire.take() == [(CLOSE, closing(1000))]
    assert wire.asked == ["pause", "resume"]
    link.write(b"too late")
    link.close()
    link.data_received(frame(b"late") + frame(b"late too", PING))
    assert (wire.take(), mqtt.received) == ([], [])
    link.data_received(frame(closing(1000), CLOSE))
    assert (wire.take(), wire.asked[2:], mqtt.ends) == ([], ["close"], [])


def test_mqtt_s_own_goodbye_and_then_websocket_s_in_one_chunk() -> None:
    """As clients do it: the broker closes at DISCONNECT, when the close frame has come already."""
    link, wire, mqtt = linked()
    mqtt.on_receive = lambda _: link.close()
    link.data_received(frame(b"a") + frame(b"?", PING) + frame(closing(1000), CLOSE))
    assert wire.take() == [(CLOSE, closing(1000))]
    assert (mqtt.received, wire.asked) == ([b"a"], ["close"])


def test_what_follows_the_broker_s_goodbye_in_the_same_turn_does_not_count() -> None:
    link, wire, mqtt = linked()
    mqtt.on_receive = lambda _: link.close()
    link.data_received(frame(b"a") + frame(b"", CLOSE, mask=b""))
    assert wire.take() == [(CLOSE, closing(1000))]
    assert (mqtt.received, mqtt.ends, wire.asked) == ([b"a"], [], ["resume", "close"])


def test_a_lost_connection() -> None:
    link, wire, mqtt = linked()
    link.connection_lost(None)
    link.write(b"too late")
    link.pause_reading()
    link.resume_reading()
    link.close()
    assert (mqtt.ends, wire.written, wire.asked) == (["lost"], b"", [])


# --- bad peers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        pytest.param(frame(b"x", TEXT), 1003, id="text [MQTT-6.0.0-1]"),
        pytest.param(frame(b"x", TEXT, fin=False), 1003, id="a fragment of text"),
        pytest.param(frame(b"x", mask=b""), 1002, id="not masked (5.1)"),
        pytest.param(frame(b"", CLOSE, mask=b""), 1002, id="a goodbye that is not masked"),
        *[pytest.param(frame(b"x", reserved=bits), 1002, id=f"reserved bits {bits} (5.2)") for bits in (1, 2, 4)],
        *[pytest.param(frame(b"x", code), 1002, id=f"opcode {code} (5.2)") for code in (3, 7, 11, 15)],
        pytest.param(frame(b"x" * 126, PING), 1002, id="a long ping (5.5)"),
        pytest.param(frame(b"x" * 70_000, CLOSE), 1002, id="a very long goodbye"),
        pytest.param(frame(b"x", PING, fin=False), 1002, id="a ping in fragments (5.5)"),
        pytest.param(frame(b"x", CONTINUATION), 1002, id="a continuation of nothing (5.4)"),
        pytest.param(frame(b"", fin=False) + frame(b"x"), 1002, id="a message within a message (5.4)"),
        pytest.param(b"\x82\xfe\x00\x01" + MASK + b"x", 1002, id="a length longer than it must be (5.2)"),
        pytest.param(b"\x82\xff" + b"\xff" * 8 + MASK, 1002, id="a length of 64 bits (5.2)"),
        pytest.param(frame(b"x", CLOSE), 1002, id="half a code (5.5.1)"),
        pytest.param(frame(closing(1005), CLOSE), 1002, id="a code that is never sent (7.4.1)"),
        pytest.param(frame(closing(999), CLOSE), 1002, id="a code out of range (7.4.2)"),
        pytest.param(frame(closing(1000) + b"\xff", CLOSE), 1007, id="a reason that is no UTF-8"),
    ],
)
def test_who_breaks_the_rules_is_told_and_closed(bad: bytes, code: int, caplog: pytest.LogCaptureFixture) -> None:
    link, wire, mqtt = linked()
    link.data_received(frame(b"before") + bad + frame(b"after"))
    link.data_received(frame(b"after that"))
    [(opcode, payload)] = wire.take()
    assert (opcode, payload[:2]) == (CLOSE, closing(code))
    assert (mqtt.received, mqtt.ends, wire.asked) == ([b"before"], ["lost"], ["close"])
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"192.0.2.1: WebSocket closed with {code}: ")


async def test_many_frames_take_turns_and_all_arrive() -> None:
    """A chunk full of tiny frames does not keep the others waiting, and nothing more is read meanwhile."""
    link, wire, mqtt = linked()
    count = 5 * websocket.FRAMES + 3
    link.data_received(frame(b"x") * count)
    assert len(mqtt.bytes) == websocket.FRAMES
    assert wire.asked == ["pause"]
    link.data_received(frame(b"y"))  # was under way already
    assert len(mqtt.bytes) == websocket.FRAMES
    for _ in range(6):
        await asyncio.sleep(0)
    assert mqtt.bytes == b"x" * count + b"y"
    assert wire.asked[-1] == "resume"


async def test_endless_fragments_cost_nothing_but_their_turn() -> None:
    link, wire, mqtt = linked()
    link.data_received(frame(b"", fin=False) + frame(b"", CONTINUATION, fin=False) * 10_000)
    for _ in range(10):
        await asyncio.sleep(0)
    link.data_received(frame(b"x", CONTINUATION))
    assert (mqtt.received, mqtt.ends, wire.written) == ([b"x"], [], b"")
    assert len(link._frames._proto._frame_decoder.buffer) == 0


async def test_what_the_broker_holds_back_stays_so_when_the_turn_is_over() -> None:
    link, wire, _ = linked()
    link.data_received(frame(b"x") * (websocket.FRAMES + 1))
    link.pause_reading()
    link.resume_reading()
    link.pause_reading()
    await asyncio.sleep(0)
    assert "resume" not in wire.asked
    link.resume_reading()
    assert wire.asked[-1] == "resume"


async def test_a_connection_lost_between_two_turns_ends_after_the_last() -> None:
    link, wire, mqtt = linked()
    count = 3 * websocket.FRAMES + 1
    link.data_received(frame(b"x") * count)
    link.connection_lost(None)
    assert mqtt.ends == []
    for _ in range(5):
        await asyncio.sleep(0)
    assert (len(mqtt.bytes), mqtt.ends) == (count, ["lost"])
    assert wire.asked == ["pause"]
