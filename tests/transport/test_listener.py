"""Real sockets and real TLS against the listeners: who is let through to what, and what bad input comes to."""

import asyncio
import logging
import socket
import ssl
from functools import partial

import pytest

from fogbank.mqtt import ReasonCode, Version
from fogbank.mqtt.codec import PacketType
from fogbank.mqtt.packets import Connack, Connect, Publish, ReturnCode
from fogbank.ports import Arrival, Identity
from fogbank.testing.device import decode_all
from fogbank.transport import half_open
from fogbank.transport.acceptor import accept_sockets
from fogbank.transport.listener import Accept, Listener, served

from .conftest import Edge

WITHIN = 10.0
SUBSCRIBE = b"\x82\x06\x00\x01\x00\x01a\x01"


async def exchange(edge: Edge, context: ssl.SSLContext, *packets: bytes) -> bytes:
    """Send, and read until the server closes or has answered."""
    reader, writer = await edge.connect(context)
    try:
        writer.write(b"".join(packets))
        return await asyncio.wait_for(reader.read(65536), WITHIN)
    finally:
        writer.close()


async def exchange_or_end(edge: Edge, context: ssl.SSLContext, *packets: bytes) -> bytes:
    """The same, where a reset counts as an end."""
    try:
        return await exchange(edge, context, *packets)
    except ConnectionError:
        return b""


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
        ("mqtt", Connect("lamp").encode(), Connack().encode()),
        ("x-amzn-http-ca", b"GET / HTTP/1.1\r\n\r\n", b"cert GET /"),
        ("http/1.1", b"GET / HTTP/1.1\r\n\r\n", b"cert GET /"),
        (None, b"GET / HTTP/1.1\r\n\r\n", b"cert GET /"),
        ("something-else", Connect("lamp").encode(), Connack().encode()),
    ],
)
async def test_alpn_and_first_bytes_tell_the_protocol(edge: Edge, alpn: str | None, sent: bytes, answer: bytes) -> None:
    assert (await exchange(edge, edge.client(alpn=alpn), sent)).endswith(answer)


@pytest.mark.parametrize("alpn", [None, "mqtt"])
async def test_the_front_desk_gets_to_know_what_the_connection_tells(edge: Edge, alpn: str | None) -> None:
    reader, writer = await edge.connect(edge.client(alpn=alpn))
    writer.write(Connect("lamp").encode())
    assert await asyncio.wait_for(reader.readexactly(4), WITHIN) == Connack().encode()
    ip, port = writer.get_extra_info("sockname")
    identity = Identity("cert", "arn", True, "unknown certificate")
    [arrival] = edge.desk.arrivals
    [certificate] = edge.principals.known
    assert arrival == Arrival(
        ip=ip, port=port, server_name="localhost", alpn=alpn, identity=identity, certificate=certificate
    )
    writer.close()


@pytest.mark.parametrize("alpn", [None, "mqtt"])
async def test_what_comes_while_the_front_desk_thinks_waits(edge: Edge, alpn: str | None) -> None:
    edge.desk.open.clear()
    reader, writer = await edge.connect(edge.client(alpn=alpn))
    connect = Connect("lamp").encode()
    writer.write(connect[:1])
    await asyncio.wait_for(edge.desk.asked.wait(), WITHIN)
    writer.write(connect[1:])
    await writer.drain()
    await exchange(edge, edge.client(), b"GET / HTTP/1.1\r\n\r\n")  # a round trip, after which the rest has come too
    edge.desk.open.set()
    assert await asyncio.wait_for(reader.readexactly(4), WITHIN) == Connack().encode()
    assert len(edge.desk.arrivals) == 1
    writer.close()


async def test_a_client_may_come_without_certificate_and_server_name(edge: Edge) -> None:
    context = edge.client(None)
    context.check_hostname = False
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.tls_port, ssl=context, server_hostname="")
    writer.write(Connect("lamp").encode())
    await asyncio.wait_for(reader.readexactly(4), WITHIN)
    [arrival] = edge.desk.arrivals
    assert (arrival.server_name, arrival.alpn, arrival.identity) == (None, None, None)
    writer.close()


@pytest.mark.parametrize("alpn", [None, "mqtt"])
async def test_a_fault_of_the_front_desk_ends_the_connection_and_nothing_else(
    edge: Edge, alpn: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    edge.desk.error = RuntimeError("a fault")
    assert await exchange_or_end(edge, edge.client(alpn=alpn), Connect("lamp").encode()) == b""
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        "127.0.0.1: cannot find out who connects"
    ]
    edge.desk.error = None
    assert await exchange(edge, edge.client(alpn=alpn), Connect("lamp").encode()) == Connack().encode()


async def test_http_without_a_certificate_has_no_identity(edge: Edge) -> None:
    assert b"None GET /" in await exchange(edge, edge.client(None), b"GET / HTTP/1.1\r\n\r\n")


async def test_a_megabyte_there_and_back(edge: Edge) -> None:
    """Many TLS records, partial writes and packets across chunks."""
    reader, writer = await edge.connect(edge.client())
    payload = bytes(range(256)) * 4096
    publish = Publish("a", payload, 1, packet_id=1).encode()
    writer.write(Connect("lamp").encode() + SUBSCRIBE + publish)
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
    monkeypatch.setattr(half_open, "PATIENCE", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.tls_port)
    writer.write(begun)
    assert await until_closed(reader) == b""
    writer.close()


async def test_silence_after_the_handshake_ends(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_open, "PATIENCE", 0.5)
    reader, writer = await edge.connect(edge.client())
    assert await until_closed(reader) == b""
    writer.close()


async def test_a_connect_that_does_not_end_counts_as_half_open(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_open, "PATIENCE", 0.2)
    reader, writer = await edge.connect(edge.client(alpn="mqtt"))
    writer.write(Connect("lamp").encode()[:-1])
    assert await until_closed(reader) == b""
    writer.close()


@pytest.mark.parametrize("port", ["plain_port", "api_port", "tls_port"])
async def test_half_open_connections_make_room_for_others(
    edge: Edge, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.entrance._half_open, "_most", 5)
    flood = [await asyncio.open_connection("127.0.0.1", getattr(edge, port)) for _ in range(20)]
    assert await exchange(edge, edge.client(), Connect("lamp").encode()) == Connack().encode()
    ends = [asyncio.create_task(until_closed(reader)) for reader, _ in flood[:15]]
    assert await asyncio.gather(*ends) == [b""] * 15
    assert len(edge.entrance._half_open) <= 5
    for _, writer in flood:
        writer.close()


async def test_who_has_said_something_is_half_open_no_more(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.entrance._half_open, "_most", 1)
    links = []
    for port, said in (("plain_port", Connect("lamp").encode()), ("api_port", b"GET / HTTP/1.1\r\n\r\n")):
        reader, writer = await asyncio.open_connection("127.0.0.1", getattr(edge, port))
        writer.write(said)
        await asyncio.wait_for(reader.readexactly(4), WITHIN)
        assert len(edge.entrance._half_open) == 0
        links.append((reader, writer))
    links.append(await edge.connect(edge.client()))
    links[-1][1].write(Connect("another").encode())
    await asyncio.wait_for(links[-1][0].readexactly(4), WITHIN)
    assert len(edge.entrance._half_open) == 0
    assert not any(reader.at_eof() for reader, _ in links)
    for _, writer in links:
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


@pytest.mark.parametrize("accept", [served(asyncio.Protocol), partial(accept_sockets, greet=lambda *_: None)])
async def test_a_taken_port_says_so(edge: Edge, accept: Accept) -> None:
    second = Listener("MQTT over TLS", "127.0.0.1", edge.tls_port, accept)
    with pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1:{edge.tls_port} for MQTT over TLS: .*in use; ch"):
        await second.open()


@pytest.mark.parametrize("accept", [served(asyncio.Protocol), partial(accept_sockets, greet=lambda *_: None)])
async def test_a_host_that_is_none_says_so(accept: Accept) -> None:
    with pytest.raises(OSError, match=r"cannot listen on no host:0 for it: [a-z ]+"):
        await Listener("it", "no host", 0, accept).open()


@pytest.mark.parametrize("port", ["plain_port", "tls_port"])
async def test_who_breaks_the_rules_while_sending_on_reads_why(edge: Edge, port: str) -> None:
    """A socket that were closed at once would answer what still comes with a reset, and the reason were lost."""
    context = edge.client(alpn="mqtt") if port == "tls_port" else None
    reader, writer = await asyncio.open_connection("localhost", getattr(edge, port), ssl=context)
    writer.write(Connect("lamp", version=Version.V5).encode())
    connack = await asyncio.wait_for(reader.readexactly(2), WITHIN)
    await asyncio.wait_for(reader.readexactly(connack[1]), WITHIN)
    writer.write(b"\xf0\x00")  # AUTH, which was not agreed on
    for _ in range(20):
        writer.write(bytes(10_000))
        await asyncio.sleep(0)
    disconnect = await asyncio.wait_for(reader.read(), WITHIN)
    assert (disconnect[0], disconnect[2]) == (PacketType.DISCONNECT << 4, ReasonCode.PROTOCOL_ERROR)
    writer.close()


async def test_the_end_does_not_wait_for_who_is_being_identified(edge: Edge) -> None:
    edge.desk.open.clear()
    reader, writer = await edge.connect(edge.client(alpn="mqtt"))
    await asyncio.wait_for(edge.desk.asked.wait(), WITHIN)
    await edge.entrance.close()
    assert await until_closed(reader) == b""
    writer.close()
