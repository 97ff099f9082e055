"""Peers that never get anywhere: they say nothing, or a byte now and then. On every way in they are ended in time."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

import msgspec
import pytest
from tests.hostile.certificates import Credentials
from tests.hostile.server import KEY_ID, SECRET, Server
from tests.hostile.siege import siege
from tests.hostile.test_tls import client_hello

from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import sign
from fogbank.mqtt.packets import Connect
from fogbank.transport.half_open import PATIENCE

DRIP = 0.5
"""Seconds between two bytes."""
SPARE = 5.0
"""Seconds that a busy machine may be late."""
CONNECT = Connect("x" * 100).encode()
HEAD = b"GET /things HTTP/1.1\r\nhost: " + b"x" * 1000
PIECE = b"\x82\x81" + bytes(4)
"""The head of a frame of one byte, masked by zeros."""


class Loris(msgspec.Struct):
    """A way in, what comes at once on it, and what drips then."""

    name: str
    open: Callable[[], socket.socket]
    begun: bytes = b""
    drops: tuple[bytes, ...] = ()


def drops(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[place : place + 1] for place in range(len(data)))


def websocket(server: Server, *, signed: bool) -> Callable[[], socket.socket]:
    """Upgraded, and nothing said yet. Whoever brings no signature is asked for credentials in CONNECT."""

    def connect() -> socket.socket:
        host, port = server.address("api")
        request = Request("GET", "/mqtt", "", {"host": f"{host}:{port}"})
        headers = request.headers
        if signed:
            now = time.time()
            headers = sign(request, KEY_ID, SECRET, region="us-east-1", service="iotdevicegateway", now=now)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        lines += ["upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"]
        lines += ["sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==", "sec-websocket-protocol: mqtt"]
        link = server.connect("api")
        link.sendall("\r\n".join(["GET /mqtt HTTP/1.1", *lines, "", ""]).encode())
        answer = link.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        return link

    return connect


def ways(server: Server, permitted: Credentials) -> list[Loris]:
    hello = client_hello()
    half = len(hello) // 2
    framed = tuple(PIECE + one for one in drops(CONNECT))
    plain: list[tuple[str, Callable[[], socket.socket], bytes]] = [
        ("plain MQTT", lambda: server.connect("plain_mqtt"), CONNECT),
        ("the API", lambda: server.connect("api"), HEAD),
        ("MQTT in TLS", lambda: server.tls("mqtts", permitted.files), CONNECT),
        ("HTTPS", lambda: server.tls("https", permitted.files), HEAD),
        ("HTTPS by ALPN", lambda: server.tls("https", permitted.files, "x-amzn-http-ca"), HEAD),
        ("MQTT by ALPN", lambda: server.tls("https", permitted.files, "x-amzn-mqtt-ca"), CONNECT),
    ]
    found = [Loris(f"{name}, silent", open_) for name, open_, _ in plain]
    found += [Loris(f"{name}, dripping", open_, data[:1], drops(data[1:])) for name, open_, data in plain]
    for port in ("mqtts", "https"):
        found.append(Loris(f"{port}, no handshake", lambda port=port: server.connect(port)))  # type: ignore[misc]
        found.append(Loris(f"{port}, half a handshake", lambda port=port: server.connect(port), hello[:half]))  # type: ignore[misc]
        found.append(
            Loris(f"{port}, a dripping handshake", lambda port=port: server.connect(port), hello[:1], drops(hello[1:]))  # type: ignore[misc]
        )
    for signed in (False, True):
        who = "signed" if signed else "nameless"
        open_ = websocket(server, signed=signed)
        found.append(Loris(f"WebSocket, {who}, silent", open_))
        found.append(Loris(f"WebSocket, {who}, half a frame", open_, b"\x82\xfe" + struct.pack(">H", 1000) + bytes(4)))
        found.append(Loris(f"WebSocket, {who}, dripping", open_, framed[0], framed[1:]))
        found.append(Loris(f"WebSocket, {who}, nothing but pings", open_, b"", (b"\x89\x80" + bytes(4),) * 1000))
    return found


@pytest.mark.slow
def test_who_never_gets_anywhere_is_ended_on_every_way_in(server: Server, permitted: Credentials) -> None:
    lasted: dict[str, float] = {}

    def attack(loris: Loris) -> None:
        begun = time.monotonic()
        with loris.open() as link, contextlib.suppress(ConnectionError, ssl.SSLError):
            link.sendall(loris.begun)
            link.settimeout(DRIP)
            for drop in (*loris.drops, *[b""] * 1000):
                if time.monotonic() > begun + PATIENCE + 2 * SPARE or _is_closed(link):
                    break
                link.sendall(drop)
        lasted[loris.name] = time.monotonic() - begun

    with siege(server, any_lines=True):
        threads = [threading.Thread(target=attack, args=(loris,)) for loris in ways(server, permitted)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(lasted) == len(threads)
    assert {name: seconds for name, seconds in lasted.items() if not 2 < seconds < PATIENCE + SPARE} == {}


def _is_closed(link: socket.socket) -> bool:
    """Read what comes, until the link's timeout."""
    try:
        while link.recv(4096):
            pass
    except TimeoutError:
        return False
    return True
