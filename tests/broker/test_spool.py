"""What is owed besides delivery: kept with the message, known after a start, kept apart from what clients are owed."""

import pytest

from fogbank.broker.journal import LAZY
from fogbank.broker.spool import PREFIX, Spool
from fogbank.message import Message
from fogbank.mqtt.packets import Puback, Publish
from fogbank.ports import StorageError

from .server import Server, settle


class Keeper:
    """A subscriber that keeps each message."""

    def __init__(self, spool: Spool) -> None:
        self.numbers: list[int] = []
        self._spool = spool

    def deliver(self, message: Message) -> None:
        self.numbers.append(self._spool.keep("k", lambda: message.payload))


async def keeping(server: Server) -> Keeper:
    keeper = Keeper(server.broker.spool)
    server.broker.router.subscribe("t", keeper)
    return keeper


async def test_the_acknowledgement_waits_for_what_a_subscriber_keeps() -> None:
    server = await Server().start()
    keeper = await keeping(server)
    device = await server.client("c", clean=True)
    await device.take()
    server.disk.held = True
    device.send(Publish("t", b"x", 1, packet_id=7))
    assert await device.take() == []
    assert keeper.numbers == [1]
    await server.disk.release()
    assert await device.take() == [Puback(7)]
    assert await server.disk.read(PREFIX + "k") == [(1, b"x")]
    await server.broker.close()


async def test_nothing_is_acknowledged_where_it_cannot_be_kept() -> None:
    server = await Server().start()
    await keeping(server)
    server.disk.broken = True
    with pytest.raises(StorageError):
        await server.broker.router.publish(Message("t", b"x", 1))
    server.disk.broken = False
    await server.broker.router.publish(Message("t", b"y", 1))
    assert await server.disk.read(PREFIX + "k") == [(2, b"y")]
    await server.broker.close()


async def test_what_is_done_at_once_never_touches_the_disk() -> None:
    server = await Server().start()
    spool = server.broker.spool
    spool.done("k", spool.keep("k", lambda: b"x"))
    await spool.settled()
    assert server.disk.commits == []
    await server.broker.close()


async def test_what_is_done_later_is_off_the_disk_soon() -> None:
    server = await Server().start()
    spool = server.broker.spool
    numbers = [spool.keep("k", lambda: b"x") for _ in range(3)]
    await spool.settled()
    spool.done("k", numbers[1])
    await server.advance(LAZY)
    assert await spool.read("k") == [(1, b"x"), (3, b"x")]
    assert await spool.read("k", after=1, limit=1) == [(3, b"x")]
    await server.broker.close()


async def test_what_is_left_is_known_after_a_crash_and_numbers_go_on() -> None:
    server = await Server().start()
    spool = server.broker.spool
    for owner in ("k", "k", "l", "done"):
        spool.keep(owner, owner.encode)
    await spool.settled()
    spool.done("done", 1)
    spool.keep("lost", lambda: b"as well")
    await spool.settled()

    server = await server.crash()
    spool = server.broker.spool
    assert spool.left == {"k": 2, "l": 1, "lost": 1}
    assert spool.keep("k", lambda: b"new") == 3
    assert spool.keep("done", lambda: b"new") == 1
    await spool.settled()
    assert await spool.read("k") == [(1, b"k"), (2, b"k"), (3, b"new")]
    await server.broker.close()


async def test_it_is_not_taken_for_a_session_that_is_gone() -> None:
    """Those are discarded at the start."""
    server = await Server().start()
    server.broker.spool.keep("k", lambda: b"x")
    await server.broker.spool.settled()
    for _ in range(2):
        server = await server.crash()
        await settle()
        await server.broker.journal.settled()
        assert await server.broker.spool.read("k") == [(1, b"x")]
    await server.broker.close()


async def test_what_was_dropped_is_gone_and_what_comes_after_it_is_not() -> None:
    """Work on what was dropped may still be under way, and tell later that it is done."""
    server = await Server().start()
    spool = server.broker.spool
    old = spool.keep("k", lambda: b"old")
    await spool.settled()
    spool.drop("k")
    new = spool.keep("k", lambda: b"new")
    spool.done("k", old)
    await spool.settled()
    assert await spool.read("k") == [(new, b"new")]
    await server.broker.close()
