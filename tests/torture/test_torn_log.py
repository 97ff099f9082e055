"""A write-ahead log that ends in the middle of a commit, as a crash of the machine may leave it, does not stop a start.

SQLite takes the frames of a log up to the last whole commit whose checksums hold. What was acknowledged before the
frames that are torn here must therefore be there.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.torture import wire
from tests.torture.link import PATIENCE, Link
from tests.torture.victims import Fogbank
from tests.torture.wire import Kind, Version

TOPIC = "torn/retained"


class Retaining:
    """A client that writes a retained message, or reads it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._packets: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()

    async def write(self, payload: bytes) -> None:
        """Returns when it is acknowledged."""
        link = await self._connect()
        link.send(wire.publish(TOPIC, payload, 1, 1, Version.V3_1_1, retain=True))
        await self._next(Kind.PUBACK)
        await link.leave()

    async def read(self) -> bytes:
        """What a new subscriber is given."""
        link = await self._connect()
        link.send(wire.subscribe(1, TOPIC, 1, Version.V3_1_1))
        first, body = await self._next(Kind.PUBLISH)
        link.abort()
        return wire.read_delivery(first, body, Version.V3_1_1).payload

    async def _connect(self) -> Link:
        hello = wire.connect("torn", Version.V3_1_1, clean=True, persistent=False)
        link, _, code = await Link.open(self._port, hello)
        assert code == 0
        link.listen(lambda first, body: self._packets.put_nowait((first, body)))
        return link

    async def _next(self, kind: Kind) -> tuple[int, bytes]:
        while True:
            first, body = await asyncio.wait_for(self._packets.get(), PATIENCE)
            if first & 0xF0 == kind:
                return first, body


def cut_short(log: bytearray, start: int) -> None:
    """Within the header of the first frame that was written after `start`."""
    del log[start + 11 :]


def cut_in_the_middle(log: bytearray, start: int) -> None:
    """Between there and the end."""
    del log[(start + len(log)) // 2 + 1 :]


def lose_the_last_byte(log: bytearray, start: int) -> None:
    """All but one byte of it is there."""
    del log[-1:]


def garble(log: bytearray, start: int) -> None:
    """As long as it should be, but not what was written."""
    log[start + 100 :] = bytes(len(log) - start - 100)


@pytest.mark.parametrize("damage", [cut_short, cut_in_the_middle, lose_the_last_byte, garble])
async def test_what_was_acknowledged_before_the_torn_commit_is_there(
    damage: Callable[[bytearray, int], None], tmp_path: Path
) -> None:
    broker = Fogbank(tmp_path, "aws")
    try:
        await broker.start()
        client = Retaining(await broker.ready())
        [log] = (tmp_path / "data").glob("*-wal")
        await client.write(b"before")
        whole = log.stat().st_size
        await client.write(b"after")
        await broker.kill()
        frames = bytearray(log.read_bytes())
        assert len(frames) > whole, "the second message was not written to the log's end: it was checkpointed"
        damage(frames, whole)
        log.write_bytes(frames)

        await broker.start()
        client = Retaining(await broker.ready())
        assert await client.read() in (b"before", b"after")  # the torn commit may be one that followed
        await client.write(b"again")
        assert await client.read() == b"again"
    finally:
        await broker.kill()
