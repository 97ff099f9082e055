"""Peers that send without end or never read: what they cost is bounded, and the others get everything."""

import socket
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

import pytest
from tests.hostile.certificates import Credentials
from tests.hostile.mqtt import Client
from tests.hostile.server import Server, eventually
from tests.hostile.siege import siege

from fogbank.mqtt import Version
from fogbank.mqtt.packets import PINGREQ, Connect, Publish, Subscribe, Subscription

MB = 1 << 20


def push(link: socket.socket, data: bytes, total: int, stalled: float = 0.5) -> int:
    """Send `data` over and over, at most `total` bytes, until the server takes no more; how many bytes it took."""
    link.settimeout(stalled)
    view, sent, place = memoryview(data), 0, 0
    while sent < total:
        try:
            taken = link.send(view[place:])
        except (TimeoutError, ConnectionError):
            break
        sent += taken
        place = (place + taken) % len(data)
    return sent


Join: TypeAlias = Callable[[str], Client]


@pytest.fixture(params=["plain", "tls"])
def join(request: pytest.FixtureRequest, server: Server, permitted: Credentials) -> Join:
    """A connected client, by either of the two ports."""
    if request.param == "plain":
        return server.client
    return lambda client_id: Client(server.tls("mqtts", permitted.files)).connect(client_id)


class Watch:
    """The most memory that a server takes while this is open."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._before = server.memory()
        self.grown = 0

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._look()
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(0.02):
            self._look()

    def _look(self) -> None:
        self.grown = max(self.grown, self._server.memory() - self._before)


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(PINGREQ, id="PINGREQ"),
        pytest.param(Publish("flood", b"x", 1, packet_id=1).encode(), id="PUBLISH at QoS 1"),
        pytest.param(Subscribe(1, (Subscription("a"), Subscription("b", 1))).encode(Version.V3_1_1), id="SUBSCRIBE"),
    ],
)
def test_answers_that_nobody_reads_hold_their_sender_back(server: Server, join: Join, packet: bytes) -> None:
    with siege(server):
        client = join("deaf")
        with Watch(server) as watch, client:
            taken = push(client.link, packet * (MB // len(packet)), 100 * MB)
        assert taken < 100 * MB, "the server read on, though its answers were not read"
        assert watch.grown < 32 * MB


@pytest.mark.parametrize("qos", [0, 1])
def test_a_subscriber_that_never_reads_costs_a_bounded_amount_and_nobody_else_anything(
    server: Server, join: Join, qos: int
) -> None:
    count, payload = 24_000, bytes(1000)
    packets = b"".join(
        Publish(f"flood/{number % 7}", payload, qos, packet_id=number + 1 if qos else 0).encode()
        for number in range(count)
    )
    with siege(server), join("deaf") as deaf, join("keen") as keen, server.client("loud") as loud:
        deaf.subscribe("flood/+", qos=qos)
        keen.subscribe("flood/+", qos=qos)
        begun = time.monotonic()
        with Watch(server) as watch:
            threads = [
                threading.Thread(target=_swallow, args=(loud, 4 * count * qos)),
                threading.Thread(target=loud.link.sendall, args=(packets,)),
            ]
            for thread in threads:
                thread.start()
            for _ in range(count):
                assert len(keen.message().payload) == 1000
            for thread in threads:
                thread.join()
        assert watch.grown < 80 * MB
        assert time.monotonic() - begun < 8


def _swallow(client: Client, size: int) -> None:
    while size > 0:
        size -= len(client.link.recv(MB))


def test_a_hundred_megabytes_to_nobody(server: Server) -> None:
    packet = Publish("flood", bytes(128 * 1024)).encode()
    with siege(server), server.client("loud") as loud, Watch(server) as watch:
        assert push(loud.link, packet * 8, 800 * len(packet), stalled=5) >= 800 * len(packet)
        loud.link.settimeout(5)
        loud.ping()
    assert watch.grown < 32 * MB


def test_connects_whose_answers_nobody_reads(server: Server) -> None:
    """Four hundred connections at once, each with more behind its CONNECT than it may send."""
    with siege(server):
        links = [server.connect("plain_mqtt") for _ in range(400)]
        for number, link in enumerate(links):
            link.sendall(Connect(f"flood-{number}").encode() + PINGREQ * 1000)
        for link in links:
            link.close()


def test_one_client_id_for_everybody(server: Server) -> None:
    """Each connection takes the client ID over from the one before: one line each, and one client is left."""
    count = 100
    taken_over = r"client 'same' at 127.0.0.1: disconnected \(DUPLICATE_CLIENTID\)"
    with siege(server, *[taken_over] * (count - 1)):
        links = [server.connect("plain_mqtt") for _ in range(count)]
        for link in links:
            link.sendall(Connect("same").encode())
        clients = [Client(link) for link in links]
        open_ = [client for client in clients if not _ends(client)]
        assert len(open_) == 1
        for client in clients:
            client.close()


def _ends(client: Client) -> bool:
    client.link.settimeout(0.2)
    return client.is_closed()


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"\x10", id="the first byte of a CONNECT"),
        pytest.param(b"\x10\xff\xff", id="half a length"),
        pytest.param(Connect("x").encode()[:-1], id="all but the last byte of a CONNECT"),
        pytest.param(Connect("x").encode() + b"\x30", id="the first byte of a PUBLISH"),
        pytest.param(Connect("x").encode() + b"\x30\x80", id="half the length of a PUBLISH"),
        pytest.param(
            Connect("x").encode() + Publish("a", bytes(100_000)).encode()[:-1], id="all but the last byte of a PUBLISH"
        ),
    ],
)
def test_packets_that_do_not_go_on(server: Server, begun: bytes) -> None:
    with siege(server):
        links = [server.connect("plain_mqtt") for _ in range(50)]
        for number, link in enumerate(links):
            link.sendall(begun.replace(b"\x00\x01x", b"\x00\x01" + bytes((33 + number,))))
        for link in links:
            link.close()


@pytest.mark.parametrize("step", [1, 3])
def test_a_packet_in_crumbs(server: Server, step: int) -> None:
    """Each crumb costs its own handling, but no more than that."""
    packet = Publish("crumbs", bytes(3000), 1, packet_id=1).encode()
    with siege(server), server.client("crumbs") as client:
        client.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(packet), step):
            client.link.send(packet[start : start + step])
        assert client.packet() == (0x40, b"\0\1")


def test_a_subscription_to_very_much_does_not_slow_the_router(server: Server) -> None:
    filters = [f"{'+/' * (number % 7)}{number}" for number in range(50)]
    with siege(server):
        clients = [server.client(f"greedy-{number}") for number in range(40)]
        for client in clients:
            for first in range(0, 48, 8):
                client.subscribe(*filters[first : first + 8])
        with server.client("loud") as loud:
            for number in range(200):
                loud.publish(f"a/b/c/d/e/f/{number}", b"", qos=1)
        for client in clients:
            client.close()


def test_the_broker_forgets_clients_that_are_gone(server: Server) -> None:
    with siege(server):
        for number in range(300):
            with server.client(f"passing-{number}") as client:
                client.subscribe(f"passing/{number}/+")
        eventually("idle", server.healthy)


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(PINGREQ, id="PINGREQ"),
        pytest.param(Subscribe(1, (Subscription("a/+"),)).encode(Version.V3_1_1), id="SUBSCRIBE"),
        pytest.param(Publish("a", b"", retain=True).encode(), id="PUBLISH with RETAIN"),
    ],
)
def test_a_flood_of_small_packets_leaves_room_for_others(server: Server, packet: bytes) -> None:
    with siege(server, any_lines=True, noticed=1):
        client = server.client("busy")
        push(client.link, packet * (MB // len(packet)), 4 * MB)
        client.close()
