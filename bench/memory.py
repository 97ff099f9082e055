"""What an idle connection costs a broker in resident memory: clients that connect, say nothing, and stay."""

import contextlib
import socket
import ssl
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from bench.broker import Endpoint, Setup, Starter
from bench.credentials import Credentials
from bench.figure import Aim, Bound, Figure, Tally
from bench.footprint import tree_rss
from bench.process import LOOPBACK, BrokerError

PLAIN_AIM = Aim(Bound.MOST, 8.0, None)
"""KiB per connection."""
TLS_AIM = Aim(Bound.MOST, 2.0)

FIRST = 200
"""Connections before the first look: what is made once, at the first connections, is nobody's in particular."""
SETTLING = 1.0
"""Seconds before each look."""
TIMEOUT = 10.0

CONNACK = b"\x20\x02\x00\x00"


def measure(
    directory: Path, starters: Mapping[str, Starter], cores: Collection[int], *, tls: bool, connections: int
) -> list[Figure]:
    """The growth from `FIRST` connections to so many more, for each broker afresh."""
    tally = Tally()
    figure = "tls-memory" if tls else "memory"
    for name, starter in starters.items():
        try:
            with starter(directory / name, cores, Setup(tls=tls)) as broker:
                endpoint = broker.endpoint(tls=tls)
                if endpoint is not None:
                    tally.add(figure, name, growth(endpoint, connections) / connections / 1024)
        except (BrokerError, OSError) as error:
            tally.fail(name, str(error))
    title = f"memory per idle connection{', mutual TLS' if tls else ''}"
    return [tally.figure(figure, title, "KiB", TLS_AIM if tls else PLAIN_AIM)]


def growth(endpoint: Endpoint, connections: int) -> int:
    """Bytes by which the broker grows."""
    with contextlib.ExitStack() as stack:
        context = None if endpoint.client is None else client_context(endpoint.client)
        for number in range(FIRST):
            stack.enter_context(connected(endpoint.port, number, context))
        before = _settled(endpoint)
        for number in range(FIRST, FIRST + connections):
            stack.enter_context(connected(endpoint.port, number, context))
        return _settled(endpoint) - before


def _settled(endpoint: Endpoint) -> int:
    time.sleep(SETTLING)
    return tree_rss(endpoint.pid)


def connected(port: int, number: int, context: ssl.SSLContext | None) -> socket.socket:
    """A client that the broker has accepted, over TLS where there is a context. Raises OSError."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(socket.create_connection((LOOPBACK, port), TIMEOUT))
        if context is not None:
            client = stack.enter_context(context.wrap_socket(client))
        name = f"bench-sub-{number}".encode()
        head = b"\x00\x04MQTT\x04\x02" + (1200).to_bytes(2, "big") + len(name).to_bytes(2, "big") + name
        client.sendall(b"\x10" + bytes([len(head)]) + head)
        answer = b""
        while len(answer) < len(CONNACK) and (more := client.recv(len(CONNACK) - len(answer))):
            answer += more
        if answer != CONNACK:
            raise ConnectionError(f"the broker refuses connection {number}: {answer!r}")
        stack.pop_all()
        return client


def client_context(credentials: Credentials) -> ssl.SSLContext:
    """A client that proves itself, and checks who the broker is by its authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(credentials.ca)
    context.load_cert_chain(credentials.certificate, credentials.key)
    return context
