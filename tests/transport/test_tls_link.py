"""TLS links against OpenSSL's own client; what no client can bring about, with a scripted channel."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL

from fogbank import native
from fogbank.transport import tls_link
from fogbank.transport.channel import TlsError, WantsToRead, WantsToWrite
from fogbank.transport.tls_link import HIGH_WATER, TURN, TlsLink

from .conftest import make_certificate
from .tls_pair import ADDRESS, Above, Client, Stage, turns, until

MUCH = bytes(range(256)) * 8192
"""Two megabytes: more than fits into a socket."""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    make_certificate(tmp_path / "server.pem", "localhost")
    stage = Stage(tmp_path, make_certificate(tmp_path / "device.pem", "device"))
    yield stage
    stage.close()
    await turns()


# --- the handshake ---


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
async def test_what_the_handshake_tells(stage: Stage, version: int) -> None:
    context = stage.context(version=version)
    context.set_alpn_protos([b"h2", b"x-amzn-mqtt-ca"])
    link, _, _ = await stage.pair(context, name=b"iot.example")
    assert (link.alpn, link.server_name) == ("x-amzn-mqtt-ca", "iot.example")
    assert link.certificate == stage.certificate


async def test_a_client_may_tell_nothing(stage: Stage) -> None:
    link, _, _ = await stage.pair(stage.context(certificate=None))
    assert (link.alpn, link.server_name, link.certificate) == (None, None, None)


async def test_who_connects_and_is_silent_costs_no_tls(stage: Stage) -> None:
    link, theirs = stage.raw()
    await turns()
    assert link._channel is None
    theirs.send(b"\x16")
    await until(lambda: link._channel is not None)
    assert stage.book.failures == []


@pytest.mark.parametrize("sent", [b"", b"\x16\x03"])
async def test_who_leaves_during_the_handshake(stage: Stage, sent: bytes) -> None:
    _, theirs = stage.raw()
    theirs.send(sent)
    theirs.close()
    await until(lambda: stage.book.failures)
    assert stage.book.failures == ["the client went away during the handshake"]
    assert len(stage.readiness) == 0


async def test_who_speaks_no_tls_is_told_of_once(stage: Stage) -> None:
    link, theirs = stage.raw()
    theirs.send(b"GET / HTTP/1.1\r\n\r\n")
    await until(lambda: stage.book.failures)
    await turns()
    assert stage.book.failures == ["http request (the client does not speak TLS)"]
    assert link.is_closing()


@pytest.mark.parametrize("end", [TlsLink.close, TlsLink.abort])
async def test_a_handshake_that_we_end_is_nobodys_fault(stage: Stage, end: Callable[[TlsLink], None]) -> None:
    link, theirs = stage.raw()
    end(link)
    end(link)
    assert stage.book.failures == [""]
    assert theirs.recv(1) == b""


async def test_one_client_s_error_is_not_another_s(stage: Stage) -> None:
    """OpenSSL's queue of errors is shared by all connections of a thread."""
    _, above, client = await stage.pair()
    for _ in range(3):
        _, theirs = stage.raw()
        theirs.send(b"this is no TLS at all")
        client.tls.send(b"a")
        await until(lambda: stage.book.failures)
        stage.book.failures.clear()
    await until(lambda: above.received == b"aaa")
    assert above.lost == []


async def test_nothing_is_renegotiated(stage: Stage) -> None:
    link, _, client = await stage.pair(stage.context(version=SSL.TLS1_2_VERSION))
    channel = link._channel
    assert channel is not None
    client.tls.renegotiate()
    with pytest.raises(SSL.Error):
        await until(client.shake)
    assert channel._connection.total_renegotiations() == 0


# --- reading ---


async def test_what_came_before_the_protocol_waits(stage: Stage) -> None:
    link, theirs = stage.raw()
    client = Client(stage.context(), theirs)
    await until(client.shake)
    client.tls.send(b"early")
    await until(lambda: stage.book.secured_links)
    await turns()
    above = Above()
    link.set_protocol(above)
    await until(lambda: above.received == b"early")


async def test_nothing_is_read_while_paused(stage: Stage) -> None:
    link, above, client = await stage.pair()
    link.pause_reading()
    assert not link.is_reading()
    client.tls.send(b"a")
    await turns()
    assert above.received == b""
    assert len(stage.readiness) == 0  # or the loop would turn for nothing
    link.resume_reading()
    await until(lambda: above.received == b"a")


async def test_pausing_from_within_takes_effect_at_once(stage: Stage) -> None:
    link, above, client = await stage.pair()
    above.on_data = link.pause_reading
    client.tls.send(b"a")
    client.tls.send(b"b")
    await until(lambda: above.received)
    await turns()
    assert above.received == b"a"
    link.resume_reading()
    await until(lambda: above.received == b"ab")


async def test_a_reset_while_paused_costs_nothing_until_reading_goes_on(stage: Stage) -> None:
    link, above, client = await stage.pair(tcp=True)
    link.pause_reading()
    client.tls.send(b"x")
    await turns()
    _reset(client.link)
    await turns()
    assert (above.lost, len(stage.readiness)) == ([], 0)
    link.resume_reading()
    await until(lambda: above.lost)


async def test_who_sends_without_end_leaves_the_others_their_turns(stage: Stage) -> None:
    _, busy, flood = await stage.pair()
    _, quiet, client = await stage.pair()
    for one in (flood.link, client.link):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    largest: list[int] = []
    before = 0

    def measure() -> None:
        nonlocal before
        largest.append(len(busy.received) - before)
        before = len(busy.received)

    busy.on_data = measure
    sent = flood.fill(MUCH)
    client.tls.send(b"me too")
    await until(lambda: quiet.received)
    await until(lambda: len(busy.received) == sent)
    assert busy.received == MUCH[:sent]
    assert max(largest) < TURN + 16_384


# --- writing ---


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_much_arrives_whole_and_the_protocol_is_told_to_pause(stage: Stage, kind: Callable[[bytes], Any]) -> None:
    link, above, client = await stage.pair()
    link.set_write_buffer_limits(1000, 10)
    link.write(kind(MUCH))
    link.write(kind(b"the end"))
    assert above.told == ["pause"]
    assert 1000 < link.get_write_buffer_size() < len(MUCH)
    await until(lambda: len(client.take()) == len(MUCH) + 7)
    assert client.received == MUCH + b"the end"
    await until(lambda: above.told == ["pause", "resume"])
    assert (link.get_write_buffer_size(), link._unsent) == (0, None)


async def test_small_writes_behind_a_large_one_keep_their_order(stage: Stage) -> None:
    link, _, client = await stage.pair()
    link.write(MUCH)
    tail = b"".join(b"%d," % number for number in range(1000))
    for number in range(1000):
        link.write(b"%d," % number)
    await until(lambda: len(client.take()) == len(MUCH) + len(tail))
    assert client.received == MUCH + tail


async def test_reading_goes_on_while_a_write_waits(stage: Stage) -> None:
    link, above, client = await stage.pair()
    link.write(MUCH)
    client.tls.send(b"a")
    await until(lambda: above.received == b"a")
    link.pause_reading()
    await until(lambda: len(client.take()) == len(MUCH))  # and so does writing while reading is paused


@pytest.mark.parametrize(
    ("asked", "limits"),
    [((), (HIGH_WATER, HIGH_WATER // 4)), ((100,), (100, 25)), ((None, 100), (400, 100)), ((7, 3), (7, 3))],
)
async def test_limits_as_asyncio_sets_them(stage: Stage, asked: Any, limits: tuple[int, int]) -> None:
    link, _ = stage.raw()
    link.set_write_buffer_limits(*asked)
    assert link._limits == limits


async def test_who_is_gone_while_nobody_reads_is_lost_with_the_next_write(stage: Stage) -> None:
    link, above, client = await stage.pair()
    link.pause_reading()
    client.link.close()
    link.write(b"too late")
    link.write(b"still too late")
    assert above.lost == []  # not before the caller is done
    await until(lambda: above.lost)
    [error] = above.lost
    assert isinstance(error, BrokenPipeError)


# --- the end ---


async def test_closing_says_so_once_all_is_written(stage: Stage) -> None:
    link, above, client = await stage.pair()
    link.write(MUCH)
    link.close()
    link.close()
    link.write(b"no more")
    assert link.is_closing()
    assert above.lost == []
    await until(lambda: client.take() and client.ended)
    assert client.received == MUCH
    await until(lambda: above.lost)
    assert (above.lost, client.is_cut(), len(stage.readiness)) == ([None], True, 0)


async def test_closing_reads_no_more(stage: Stage) -> None:
    link, above, client = await stage.pair()
    link.write(MUCH)
    link.close()
    client.tls.send(b"a")
    await turns()
    assert above.received == b""


async def test_half_a_close(stage: Stage) -> None:
    """What is written, close_notify and the end of the stream; and reading goes on."""
    link, above, client = await stage.pair()
    assert link.can_write_eof()
    link.write(MUCH)
    link.write_eof()
    link.write_eof()
    link.write(b"no more")
    await until(lambda: client.take() and client.ended)
    assert client.received == MUCH
    await until(client.is_cut)
    client.tls.send(b"still here")
    await until(lambda: above.received == b"still here")
    assert (above.lost, link.is_closing()) == ([], False)
    client.tls.shutdown()
    await until(lambda: above.lost)
    assert above.lost == [None]


async def test_closing_after_half_a_close(stage: Stage) -> None:
    link, above, _ = await stage.pair()
    link.write_eof()
    link.close()
    await until(lambda: above.lost)
    assert above.lost == [None]


async def test_a_peer_that_says_goodbye_is_answered(stage: Stage) -> None:
    _, above, client = await stage.pair()
    client.tls.send(b"x" * 5000)
    client.tls.shutdown()
    await until(lambda: above.lost)
    assert (above.received, above.lost) == (b"x" * 5000, [None])
    client.take()
    assert client.ended


async def test_the_end_without_goodbye(stage: Stage) -> None:
    _, above, client = await stage.pair()
    client.take()  # or the system would tell of a reset
    client.tls.send(b"x" * 5000)
    client.link.close()
    await until(lambda: above.lost)
    assert above.received == b"x" * 5000
    assert isinstance(above.lost[0], ConnectionAbortedError)


async def test_a_reset(stage: Stage) -> None:
    _, above, client = await stage.pair(tcp=True)
    _reset(client.link)
    await until(lambda: above.lost)
    assert isinstance(above.lost[0], ConnectionResetError)


async def test_what_is_no_record_ends_the_connection(stage: Stage) -> None:
    _, above, client = await stage.pair()
    client.link.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    await until(lambda: above.lost)
    [error] = above.lost
    assert isinstance(error, TlsError)
    assert "bad record mac" in str(error)


async def test_aborting_drops_what_waits(stage: Stage) -> None:
    link, above, client = await stage.pair()
    link.write(MUCH)
    link.abort()
    link.abort()
    assert above.lost == []
    await until(lambda: above.lost)
    with pytest.raises(SSL.SysCallError):
        await until(lambda: client.take() is None)
    assert len(client.received) < len(MUCH)
    assert (above.lost, link.get_write_buffer_size()) == ([None], 0)


@pytest.mark.parametrize("end", [TlsLink.close, TlsLink.abort, TlsLink.write_eof])
async def test_ending_from_within(stage: Stage, end: Callable[[TlsLink], None]) -> None:
    link, above, client = await stage.pair()
    above.on_data = lambda: end(link)
    client.tls.send(b"x" * 5000)
    client.link.close()
    await until(lambda: above.lost)
    await turns()
    assert len(above.lost) == 1


async def test_a_faulty_protocol_ends_its_own_connection_only(stage: Stage) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    _, above, client = await stage.pair()
    _, other, quiet = await stage.pair()
    above.on_data = lambda: 1 // 0
    client.tls.send(b"a")
    quiet.tls.send(b"b")
    await until(lambda: above.lost and other.received)
    assert other.lost == []
    [context] = told
    assert isinstance(context["exception"], ZeroDivisionError)


async def test_whoever_holds_on_to_a_link_does_not_hold_on_to_its_protocol(stage: Stage) -> None:
    link, above, client = await stage.pair()
    client.link.close()
    await until(lambda: above.lost)
    assert link.get_protocol() is not above
    assert link._receive != above.data_received
    assert (link._channel, link.certificate, link.alpn, link.server_name) == (None, None, None, None)
    for harmless in (link.pause_reading, link.resume_reading, link.close, link.write_eof):
        harmless()
    link.write(b"x")


async def test_extra_info(stage: Stage) -> None:
    link, _ = stage.raw(tcp=True)
    assert link.get_extra_info("peername") == ADDRESS
    assert link.get_extra_info("sockname")[0] == "127.0.0.1"
    assert link.get_extra_info("sslcontext") is stage.port.context
    assert link.get_extra_info("fogbank.arrival") is None
    assert link.get_extra_info("nothing", 7) == 7
    link.abort()
    assert link.get_extra_info("peername") == ADDRESS
    assert link.get_extra_info("sockname") is None


def _reset(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


# --- one direction that needs the other ---

needs_stand_ins = pytest.mark.skipif(bool(native.modules()), reason="compiled code takes no stand-ins for its classes")


class Scripted:
    """A channel that does as it is told; what it is not told raises."""

    def __init__(self) -> None:
        self.reads: list[bytes | Exception] = []
        self.writes: list[int | Exception] = []
        self.ends: list[Exception | None] = []
        self.written: list[bytes] = []

    def read(self) -> bytes:
        step = self.reads.pop(0) if self.reads else b""
        if isinstance(step, Exception):
            raise step
        return step

    def write(self, data: bytes | bytearray) -> int:
        step = self.writes.pop(0)
        if isinstance(step, Exception):
            raise step
        self.written.append(bytes(data[:step]))
        return step

    def end(self) -> None:
        if step := self.ends.pop(0):
            raise step


async def scripted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> tuple[TlsLink, Above, Scripted, socket.socket]:
    """A link with a scripted channel."""
    link, above, client = await stage.pair()
    channel = Scripted()
    monkeypatch.setattr(link, "_channel", channel)
    return link, above, channel, client.link


@needs_stand_ins
async def test_reading_that_must_write_first_goes_on_when_that_can_be(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, above, channel, theirs = await scripted(stage, monkeypatch)
    channel.reads = [WantsToWrite(), b"a"]
    theirs.send(b"!")
    await until(lambda: above.received == b"a")  # the socket can be written, which is what was waited for
    assert (link._must_write, channel.reads) == (False, [])


@needs_stand_ins
async def test_reading_that_must_write_first_waits_for_nothing_while_paused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, above, channel, theirs = await scripted(stage, monkeypatch)
    channel.reads = [WantsToWrite(), b"a"]
    link.pause_reading()
    theirs.send(b"!")
    await turns()
    assert len(stage.readiness) == 0
    link.resume_reading()
    await until(lambda: above.received == b"a")


@needs_stand_ins
async def test_writing_that_must_read_first_waits_for_the_peer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    link, _, channel, theirs = await scripted(stage, monkeypatch)
    link.pause_reading()
    channel.writes = [WantsToRead()]
    link.write(b"abc")
    await turns()
    assert (link.get_write_buffer_size(), channel.writes) == (3, [])  # asked once, though the socket can be written
    channel.writes = [3]
    theirs.send(b"!")
    await until(lambda: channel.written == [b"abc"])


@needs_stand_ins
async def test_the_goodbye_waits_as_well(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    link, above, channel, _ = await scripted(stage, monkeypatch)
    channel.ends = [WantsToWrite(), None]
    link.close()
    assert channel.ends == [None]
    await until(lambda: above.lost)
    assert channel.ends == []


@needs_stand_ins
@pytest.mark.parametrize("error", [TlsError("broken"), ConnectionResetError()])
async def test_a_goodbye_that_fails_ends_the_connection(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    link, above, channel, _ = await scripted(stage, monkeypatch)
    channel.ends = [error]
    link.close()
    await until(lambda: above.lost)
    assert above.lost == [error]


@needs_stand_ins
async def test_a_handshake_that_must_write_first(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[Exception | None] = [WantsToWrite(), None]

    class Shaking:
        def __init__(self, *_: object) -> None: ...

        def shake_hands(self) -> None:
            if step := steps.pop(0):
                raise step

    monkeypatch.setattr(tls_link, "Channel", Shaking)
    _, theirs = stage.raw()
    theirs.send(b"!")
    await until(lambda: stage.book.secured_links)
