import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fogbank.transport import acceptor
from fogbank.transport.acceptor import MOST, Acceptor, accept_sockets

from .tls_pair import turns, until


class Guests:
    """Whoever was accepted."""

    def __init__(self) -> None:
        self.links: list[socket.socket] = []
        self.addresses: list[tuple[str, int]] = []
        self.errors: list[OSError] = []
        self.clients: list[socket.socket] = []

    def greet(self, link: socket.socket, address: tuple[str, int]) -> None:
        if self.errors:
            raise self.errors.pop()
        self.links.append(link)
        self.addresses.append(address)

    def call(self, accepting: Acceptor) -> socket.socket:
        client = socket.create_connection(accepting.sockets[0].getsockname()[:2])
        self.clients.append(client)
        return client


@pytest.fixture
async def guests() -> AsyncIterator[Guests]:
    guests = Guests()
    yield guests
    for one in guests.links + guests.clients:
        one.close()


@pytest.fixture
async def accepting(guests: Guests) -> AsyncIterator[Acceptor]:
    accepting = await accept_sockets("127.0.0.1", 0, guests.greet)
    yield accepting
    accepting.close()


async def test_what_is_accepted_does_not_block_and_does_not_wait(guests: Guests, accepting: Acceptor) -> None:
    client = guests.call(accepting)
    await until(lambda: guests.links)
    [link] = guests.links
    assert guests.addresses == [client.getsockname()]
    assert link.gettimeout() == 0.0
    assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    assert not link.get_inheritable()


async def test_many_at_once(guests: Guests, accepting: Acceptor) -> None:
    for _ in range(2 * MOST + 1):
        guests.call(accepting)
    await until(lambda: len(guests.links) == 2 * MOST + 1)


async def test_every_address_of_a_host(guests: Guests) -> None:
    accepting = await accept_sockets("localhost", 0, guests.greet)
    for one in accepting.sockets:
        client = socket.create_connection(one.getsockname()[:2])
        guests.clients.append(client)
    await until(lambda: len(guests.links) == len(accepting.sockets))
    assert {len(address) for address in guests.addresses} == {2}
    accepting.close()
    accepting.close()


async def test_closed_is_closed(guests: Guests, accepting: Acceptor) -> None:
    address = accepting.sockets[0].getsockname()
    accepting.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


class Listening:
    """A listening socket whose `accept` does as it is told."""

    def __init__(self, real: socket.socket, *steps: OSError) -> None:
        self._real = real
        self._steps = list(steps)

    def accept(self) -> tuple[socket.socket, Any]:
        if self._steps:
            raise self._steps.pop(0)
        return self._real.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _listening(*steps: OSError) -> Any:
    real = socket.create_server(("127.0.0.1", 0))
    real.setblocking(False)
    return Listening(real, *steps)


async def test_who_was_gone_before_keeps_nobody_waiting(guests: Guests) -> None:
    accepting = Acceptor([_listening(ConnectionAbortedError(), ConnectionAbortedError())], guests.greet)
    guests.call(accepting)
    await until(lambda: guests.links)
    accepting.close()


async def test_without_descriptors_it_pauses_and_goes_on(
    guests: Guests, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceptor, "PAUSE", 0.01)
    accepting = Acceptor([_listening(OSError(errno.EMFILE, "Too many open files"))], guests.greet)
    guests.call(accepting)
    await until(lambda: guests.links)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "no connection is accepted for 0.01 seconds: Too many open files")
    ]
    accepting.close()


async def test_whom_there_is_no_room_for_is_let_go(
    guests: Guests, accepting: Acceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "PAUSE", 0.01)
    guests.errors = [OSError(errno.ENOSPC, "No space left on device")]
    unlucky, lucky = guests.call(accepting), guests.call(accepting)
    await until(lambda: guests.links)
    assert unlucky.recv(1) == b""
    assert guests.addresses == [lucky.getsockname()]


async def test_a_pause_does_not_outlive_the_acceptor(guests: Guests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "PAUSE", 0.0)
    accepting = Acceptor([_listening(OSError(errno.EMFILE, "Too many open files"))], guests.greet)
    guests.call(accepting)
    asyncio.get_running_loop().call_soon(accepting.close)
    await turns(20)
    accepting.close()
    assert guests.links == [] or accepting.sockets[0].fileno() == -1


async def test_no_port_is_held_where_one_is_taken(accepting: Acceptor) -> None:
    _, port = accepting.sockets[0].getsockname()
    with pytest.raises(OSError, match="in use"):
        await accept_sockets("127.0.0.1", port, lambda *_: None)
