"""Real sockets and real TLS against the listeners: who is let through to what, and what bad input comes to."""

import asyncio
import logging
import socket
import ssl

import pytest

from fogbank.mqtt.packets import Connack, Connect, Publish, ReturnCode, Subscribe
from fogbank.testing.device import decode_all
from fogbank.transport import listener
from fogbank.transport.listener import Listener

from .conftest import Edge

WITHIN = 10.0


async def exchange(edge: Edge, context: ssl.SSLContext, *packets: bytes) -> bytes:
    """Send, and read until the server closes or has answered."""
    reader, writer = await edge.connect(context)
    try:
        writer.write(b"".join(packets))
        return await asyncio.wait_for(reader.read(65536), WITHIN)
    finally:
        writer.close()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """All that still comes; a reset counts as an end."""
    try:
        return await asyncio.wait_for(reader.read(), WITHIN)
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    ("certificate", "code"),
    [("device", ReturnCode.ACCEPTED), ("stranger", ReturnCode.NOT_AUTHORIZED), (None, ReturnCode.NOT_AUTHORIZED)],
)
async def test_any_certificate_passes_the_handshake_and_is_then_judged(
    edge: Edge, certificate: str | None, code: ReturnCode
) -> None:
    assert await exchange(edge, edge.client(certificate), Connect("lamp").encode()) == Connack(code).encode()
    assert len(edge.principals.asked) == (certificate is not None)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions_of_tls(edge: Edge, version: ssl.TLSVersion) -> None:
    context = edge.client()
    context.minimum_version = context.maximum_version = version
    assert await exchange(edge, context, Connect("lamp").encode()) == Connack().encode()


@pytest.mark.filterwarnings("ignore:.*TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
async def test_older_versions_of_tls_are_refused(edge: Edge) -> None:
    context = edge.client()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await edge.connect(context)


async def test_a_certificate_without_its_key_is_no_certificate(edge: Edge) -> None:
    """Accepting any certificate must not mean accepting one whose key the client does not have."""
    device, stranger = ((edge.directory / f"{name}.pem").read_text() for name in ("device", "stranger"))
    certificate = device[: device.index("-----BEGIN PRIVATE")]
    stolen = edge.directory / "stolen.pem"
    stolen.write_text(certificate + stranger[stranger.index("-----BEGIN PRIVATE") :])
    with pytest.raises(ssl.SSLError):
        edge.client("stolen")  # OpenSSL itself will not load the pair, so no client of it can try


@pytest.mark.parametrize(
    ("alpn", "sent", "answer"),
    [
        ("x-amzn-mqtt-ca", Connect("lamp").encode(), Connack().encode()),
        ("x-amzn-http-ca", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n'cert' GET / HTTP/1.1\r\n\r\n"),
        ("http/1.1", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n'cert' GET / HTTP/1.1\r\n\r\n"),
        (None, b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n'cert' GET / HTTP/1.1\r\n\r\n"),
        ("something-else", Connect("lamp").encode(), Connack().encode()),
    ],
)
async def test_alpn_and_first_bytes_tell_the_protocol(edge: Edge, alpn: str | None, sent: bytes, answer: bytes) -> None:
    assert await exchange(edge, edge.client(alpn=alpn), sent) == answer


async def test_http_without_a_certificate_has_no_identity(edge: Edge) -> None:
    assert b"None GET" in await exchange(edge, edge.client(None), b"GET / HTTP/1.1\r\n\r\n")


async def test_a_megabyte_there_and_back(edge: Edge) -> None:
    """Many TLS records, partial writes and packets across chunks."""
    reader, writer = await edge.connect(edge.client())
    payload = bytes(range(256)) * 4096
    publish = Publish("a", payload, 1, packet_id=1).encode()
    writer.write(Connect("lamp").encode() + Subscribe(1, (("a", 1),)).encode() + publish)
    data = b""
    while len(decode_all(data)[0]) < 4:
        chunk = await asyncio.wait_for(reader.read(65536), WITHIN)
        assert chunk, "the broker closed the connection"
        data += chunk
    [message] = [packet for packet in decode_all(data)[0] if isinstance(packet, Publish)]
    assert message.payload == payload
    writer.close()


async def test_one_byte_at_a_time(edge: Edge) -> None:
    reader, writer = await edge.connect(edge.client())
    for byte in Connect("lamp").encode():
        writer.write(bytes((byte,)))
        await writer.drain()
    assert await asyncio.wait_for(reader.readexactly(4), WITHIN) == Connack().encode()
    writer.close()


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="HTTP without TLS"),
        pytest.param(Connect("lamp").encode(), id="MQTT without TLS"),
        pytest.param(b"\x16\x03\x01\x00\x05hello", id="a broken ClientHello"),
        pytest.param(b"\x00" * 100, id="zeros"),
        pytest.param(bytes(range(256)) * 200, id="noise"),
    ],
)
async def test_garbage_instead_of_tls(edge: Edge, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.tls_port)
    writer.write(garbage)
    await until_closed(reader)
    writer.close()
    assert len([record for record in caplog.records if "TLS handshake failed" in record.getMessage()]) == 1
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert await exchange(edge, edge.client(), Connect("next").encode()) == Connack().encode()


@pytest.mark.parametrize("garbage", [b"\x00\x01\x02", b"\xc0\x00"])
async def test_garbage_inside_tls(edge: Edge, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """The second begins with a letter of Latin-1, but with none of HTTP."""
    reader, writer = await edge.connect(edge.client())
    writer.write(garbage)
    assert await until_closed(reader) == b""
    writer.close()
    assert len([record for record in caplog.records if "neither MQTT nor HTTP" in record.getMessage()]) == 1


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01\x00"])
async def test_half_open_handshakes_end(edge: Edge, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "GREETING_TIMEOUT", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.tls_port)
    writer.write(begun)
    assert await until_closed(reader) == b""
    writer.close()


async def test_silence_after_the_handshake_ends(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "GREETING_TIMEOUT", 0.5)
    reader, writer = await edge.connect(edge.client())
    assert await until_closed(reader) == b""
    writer.close()


async def test_a_client_that_resets_mid_flight_disturbs_nobody(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    for size in (0, 3, 7):
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.plain_port)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        writer.write(Connect("lamp").encode()[:size])
        writer.transport.abort()
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.plain_port)
    writer.write(Connect("lamp").encode())
    assert await asyncio.wait_for(reader.readexactly(4), WITHIN) == Connack().encode()
    writer.close()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_taken_port_says_so(edge: Edge) -> None:
    second = Listener("MQTT over TLS", "127.0.0.1", edge.tls_port, asyncio.Protocol)
    with pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1:{edge.tls_port} for MQTT over TLS.*in use"):
        await second.open()
