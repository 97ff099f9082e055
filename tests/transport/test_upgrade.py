"""From an HTTP request to MQTT over WebSocket, and the ways in which that does not come about."""

import asyncio
import base64
import logging
import threading
from collections.abc import Mapping
from typing import Any

import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from fogbank.errors import Forbidden, ServiceError, Throttling
from fogbank.ports import Arrival, HttpHead, Identity
from fogbank.transport.upgrade import Upgrade, agree, refusal

from .conftest import Desk, Edge, KnownCertificates
from .test_websocket import BINARY, CLOSE, PARTING, TEXT, Wire, closing, frame, frames_of

WITHIN = 10.0
NONCE = "dGhlIHNhbXBsZSBub25jZQ=="
"""RFC 6455's own example (1.3)."""
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
SOUND = {"sec-websocket-key": NONCE, "sec-websocket-version": "13", "sec-websocket-protocol": "mqtt"}
CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04lamp"
CONNACK = b"\x20\x02\x00\x00"
DISCONNECT = b"\xe0\x00"


def head(**changes: str | None) -> HttpHead:
    """A request's head with some headers different; None: without it."""
    changed: Mapping[str, str | None] = SOUND | {name.replace("_", "-"): value for name, value in changes.items()}
    headers = {name: value for name, value in changed.items() if value is not None}
    return HttpHead(method="GET", path="/mqtt", query="", headers=headers)


def request(target: str = "/mqtt", method: str = "GET", version: str = "1.1", **changes: str | None) -> bytes:
    headers = {"host": "x", "connection": "keep-alive, Upgrade", "upgrade": "websocket", **head(**changes).headers}
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


class Chunks(asyncio.Protocol):
    """What came, as it came; one chunk is enough for now."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.chunks: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.chunks.append(data)
        self.transport.pause_reading()


# --- what both sides agree on -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [("mqtt", b"mqtt"), ("mqttv3.1", b"mqttv3.1"), ("mqttv3.1,mqtt", b"mqtt"), ("chat, mqtt ,x", b"mqtt")],
)
def test_the_answer_names_the_subprotocol_that_was_asked_for(offered: str, chosen: bytes) -> None:
    status, *headers = agree(head(sec_websocket_protocol=offered)).split(b"\r\n")
    assert status == b"HTTP/1.1 101 Switching Protocols"
    assert {b"upgrade: websocket", b"connection: Upgrade", b"sec-websocket-accept: " + ACCEPT} <= set(headers)
    assert b"sec-websocket-protocol: " + chosen in headers
    assert headers[-2:] == [b"", b""]


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"sec_websocket_protocol": None}, 400, "must offer the sub-protocol 'mqtt'"),  # [MQTT-6.0.0-3]
        ({"sec_websocket_protocol": "MQTT, mqttv5"}, 400, "must offer the sub-protocol 'mqtt'"),
        ({"sec_websocket_key": None}, 400, "Sec-WebSocket-Key"),  # RFC 6455, 4.1
        ({"sec_websocket_key": "c2hvcnQ="}, 400, "Sec-WebSocket-Key"),
        ({"sec_websocket_key": "#" * 24}, 400, "Sec-WebSocket-Key"),
        ({"sec_websocket_key": "\xe4" * 24}, 400, "Sec-WebSocket-Key"),
        ({"sec_websocket_version": "8"}, 426, "Sec-WebSocket-Version"),  # RFC 6455, 4.4
        ({"sec_websocket_version": None}, 426, "Sec-WebSocket-Version"),
    ],
)
def test_what_there_is_no_agreement_on(changes: dict[str, Any], status: int, message: str) -> None:
    with pytest.raises(ServiceError, match=message) as error:
        agree(head(**changes))
    assert error.value.status == status


def test_a_refusal_is_json() -> None:
    top, body = refusal(Forbidden('not "you"')).split(b"\r\n\r\n")
    assert top.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"x-amzn-errortype: ForbiddenException" in top
    assert b"content-length: %d" % len(body) in top
    assert msgspec.json.decode(body) == {"message": 'not "you"'}


async def test_nothing_is_read_while_the_front_desk_decides() -> None:
    wire = Wire()
    after = Chunks(wire)
    desk = Desk(KnownCertificates())
    desk.open.clear()
    upgrade = Upgrade(wire, b"early", PARTING)
    deciding = asyncio.create_task(upgrade.decide(desk, Arrival(), head(), lambda _transport, _peer: after))
    await asyncio.wait_for(desk.asked.wait(), WITHIN)
    assert (wire.asked, wire.written, after.chunks) == (["pause"], b"", [])
    desk.open.set()
    await deciding
    assert (wire.asked, after.chunks) == (["pause", "resume", "pause"], [b"early"])
    assert wire.get_protocol() is after
    assert wire.written.startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("error", [None, Forbidden("no")])
async def test_nothing_is_said_to_who_has_left(error: Exception | None) -> None:
    wire = Wire()
    after = Chunks(wire)
    desk = Desk(KnownCertificates())
    desk.error = error
    upgrade = Upgrade(wire, b"early", PARTING)
    wire.abort()
    await upgrade.decide(desk, Arrival(), head(), lambda _transport, _peer: after)
    assert (wire.asked, wire.written, after.chunks) == (["pause", "abort"], b"", [])
    assert wire.get_protocol() is upgrade


# --- through the listeners --------------------------------------------------------------------------------------


class Client:
    """A connection that speaks raw HTTP and frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WITHIN)

    async def error(self) -> tuple[bytes, Any]:
        """The status line and the JSON body of an answer after which the connection is closed."""
        top, body = (await asyncio.wait_for(self.reader.read(), WITHIN)).split(b"\r\n\r\n")
        return top.split(b"\r\n")[0], msgspec.json.decode(body)

    async def frames(self) -> list[tuple[int, bytes]]:
        return frames_of(await asyncio.wait_for(self.reader.read(65_536), WITHIN))


async def reach(edge: Edge, where: str) -> Client:
    if where == "plain":
        return Client(*await asyncio.open_connection("127.0.0.1", edge.api_port))
    return Client(*await edge.connect(edge.client(alpn=None if where == "tls" else where)))


PLACES = ["plain", "tls", "http/1.1", "x-amzn-http-ca"]


@pytest.mark.parametrize("where", PLACES)
async def test_mqtt_over_websocket_on_every_port_that_speaks_http(edge: Edge, where: str) -> None:
    client = await reach(edge, where)
    client.send(request("/mqtt?X-Amz-Signature=a%2Fb", authorization="x"))
    assert (await client.head()).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    client.send(frame(CONNECT[:7]) + frame(CONNECT[7:]))
    assert await client.frames() == [(BINARY, CONNACK)]
    assert edge.http.connections == 0
    [asked] = edge.desk.requests
    assert (asked.method, asked.path, asked.query) == ("GET", "/mqtt", "X-Amz-Signature=a%2Fb")
    assert asked.headers == {"host": "x", "connection": "keep-alive, Upgrade", "upgrade": "websocket", **SOUND} | {
        "authorization": "x"
    }
    ip, port = client.writer.get_extra_info("sockname")
    identity = None if where == "plain" else Identity("cert", "arn", True, "unknown certificate")
    name, alpn = (None if where == "plain" else "localhost"), (where if where in PLACES[2:] else None)
    [certificate] = edge.principals.known if identity else [None]
    assert edge.desk.arrivals == [
        Arrival(ip=ip, port=port, server_name=name, alpn=alpn, identity=identity, certificate=certificate)
    ]
    client.send(frame(DISCONNECT) + frame(closing(1000), CLOSE))
    assert await client.frames() == [(CLOSE, closing(1000))]
    assert await asyncio.wait_for(client.reader.read(), WITHIN) == b""
    client.writer.close()


async def test_the_broker_ends_a_websocket_in_order(edge: Edge) -> None:
    client = await reach(edge, "tls")
    client.send(request())
    await client.head()
    client.send(frame(b"\x00\x00no MQTT at all"))
    assert await client.frames() == [(CLOSE, closing(1000))]
    client.send(frame(closing(1000), CLOSE))
    assert await asyncio.wait_for(client.reader.read(), WITHIN) == b""
    client.writer.close()


async def test_text_is_refused_with_1003(edge: Edge) -> None:
    client = await reach(edge, "plain")
    client.send(request())
    await client.head()
    client.send(frame(CONNECT, TEXT))
    [(opcode, payload)] = await client.frames()
    assert (opcode, payload[:2]) == (CLOSE, closing(1003))
    client.writer.close()


@pytest.mark.parametrize("where", ["plain", "tls"])
async def test_who_is_denied_gets_an_http_answer(edge: Edge, where: str, caplog: pytest.LogCaptureFixture) -> None:
    edge.desk.error = Forbidden("the signature does not match")
    client = await reach(edge, where)
    client.send(request() + frame(CONNECT))
    assert await client.error() == (b"HTTP/1.1 403 Forbidden", {"message": "the signature does not match"})
    assert [record.getMessage() for record in caplog.records] == [
        "127.0.0.1: WebSocket refused with 403: the signature does not match"
    ]
    client.writer.close()


async def test_a_fault_of_the_front_desk_is_told_without_its_inside(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    edge.desk.error = RuntimeError("secret")
    client = await reach(edge, "plain")
    client.send(request())
    status, body = await client.error()
    assert status == b"HTTP/1.1 500 Internal Server Error"
    assert "secret" not in body["message"]
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR]
    client.writer.close()


async def test_without_subprotocol_nobody_is_asked(edge: Edge) -> None:
    client = await reach(edge, "plain")
    client.send(request(sec_websocket_protocol=None))
    status, body = await client.error()
    assert status == b"HTTP/1.1 400 Bad Request"
    assert "MQTT-6.0.0-3" in body["message"]
    assert edge.desk.requests == []
    client.writer.close()


async def test_an_old_version_is_told_the_right_one(edge: Edge) -> None:
    client = await reach(edge, "plain")
    client.send(request(sec_websocket_version="8"))
    answer = await client.head()
    assert answer.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"sec-websocket-version: 13\r\n" in answer
    client.writer.close()


@pytest.mark.parametrize(
    "asked",
    [
        request("/"),
        request("/mqtt/"),
        request("/mqtt", "POST"),
        request("/mqtt", version="1.0"),
        request(upgrade="h2c"),
        request(connection="keep-alive"),
    ],
)
async def test_other_requests_are_answered_over_http_and_so_is_what_follows(edge: Edge, asked: bytes) -> None:
    client = await reach(edge, "plain")
    client.send(asked)
    assert (await client.head()).startswith(b"HTTP/1.1 200 OK\r\n")
    assert edge.desk.requests == []
    client.writer.close()


@pytest.mark.parametrize("changes", [{"content_length": "3"}, {"transfer_encoding": "chunked"}])
@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
async def test_an_upgrade_with_a_body_is_refused(edge: Edge, upgrade: str, changes: dict[str, str]) -> None:
    """Answering it would mean to take its body for the next request."""
    client = await reach(edge, "plain")
    client.send(request(method="POST", upgrade=upgrade, **changes) + b"GET / HTTP/1.1\r\n\r\n")
    answer = await asyncio.wait_for(client.reader.read(), WITHIN)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"send it without the header Upgrade.")
    client.writer.close()


async def test_what_follows_another_upgrade_in_the_same_chunk_is_http_too(edge: Edge) -> None:
    client = await reach(edge, "plain")
    client.send(request("/one") + request("/two"))
    for path in (b"/one", b"/two"):
        await client.head()
        assert await client.reader.readexactly(9 + len(path)) == b"None GET " + path
    client.writer.close()


async def test_an_upgrade_after_other_requests(edge: Edge) -> None:
    client = await reach(edge, "tls")
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await client.head()
    assert await client.reader.readexactly(10) == b"cert GET /"
    client.send(request() + frame(CONNECT))
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    assert await client.frames() == [(BINARY, CONNACK)]
    client.writer.close()


async def test_who_does_not_wait_for_an_answer_stays_with_http(edge: Edge) -> None:
    """An upgrade before the request ahead of it is answered would have to wait in line; nobody does that."""
    client = await reach(edge, "plain")
    client.send(b"GET /one HTTP/1.1\r\nhost: x\r\n\r\n" + request())
    assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    assert edge.desk.requests == []
    client.writer.close()


@pytest.mark.parametrize("where", ["plain", "tls"])
async def test_who_sends_before_it_is_let_in_loses_nothing(edge: Edge, where: str) -> None:
    edge.desk.open.clear()
    client = await reach(edge, where)
    client.send(request() + frame(CONNECT[:3]))
    await asyncio.wait_for(edge.desk.asked.wait(), WITHIN)
    client.send(frame(CONNECT[3:]))
    await client.writer.drain()
    edge.desk.open.set()
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    assert await client.frames() == [(BINARY, CONNACK)]
    client.writer.close()


@pytest.mark.parametrize("where", ["plain", "tls"])
@pytest.mark.parametrize("error", [None, Throttling("too many")])
async def test_who_leaves_before_it_is_let_in(
    edge: Edge, where: str, error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    edge.desk.open.clear()
    client = await reach(edge, where)
    client.send(request())
    await asyncio.wait_for(edge.desk.asked.wait(), WITHIN)
    client.writer.transport.abort()
    edge.desk.error = error
    edge.desk.open.set()
    await edge.entrance._tasks.drain()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


# --- a client of the field --------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["plain", "tls"])
async def test_paho(edge: Edge, where: str) -> None:
    got: list[tuple[int, bytes]] = []
    subscribed, done = threading.Event(), threading.Event()
    payloads = [b"x" * size for size in (0, 5, 200, 70_000, 300_000)]

    def on_message(_client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        got.append((message.qos, bytes(message.payload)))
        if len(got) == len(payloads):
            done.set()

    def on_connect(client: paho.Client, *_: Any) -> None:
        client.subscribe("a", 1)

    def talk() -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, "lamp", transport="websockets")
        if where == "tls":
            client.tls_set(str(edge.directory / "server.pem"))
        client.ws_set_options("/mqtt?a=b")
        client.on_connect = on_connect
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = on_message
        client.connect("localhost", edge.tls_port if where == "tls" else edge.api_port)
        client.loop_start()
        try:
            assert subscribed.wait(WITHIN)
            for payload in payloads:
                client.publish("a", payload, 1)
            assert done.wait(WITHIN)
        finally:
            client.disconnect()
            client.loop_stop()

    await asyncio.to_thread(talk)
    assert got == [(1, payload) for payload in payloads]
    assert base64.b64decode(edge.desk.requests[0].headers["sec-websocket-key"])
