"""Commits as fast as it can and prints what was acknowledged, until it is killed. Run by test_store.py."""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from fogbank.ports import Discard, Keep, Put
from fogbank.storage import Store, open_store


def acknowledge(name: str) -> None:
    os.write(1, f"{name}\n".encode())


async def commit_batches(store: Store, caller: str) -> None:
    for number in count():
        name = f"batch {caller}.{number}"
        puts = (Put(f"part-{part}", name, b"x" * 500, 0, {"index": ["all"]}) for part in range(3))
        assert await store.documents.commit(*puts) == [1, 1, 1]
        acknowledge(name)


async def append_items(store: Store, caller: str) -> None:
    for number in count():
        name = f"append {caller}.{number}"
        await store.queue.append("inbox", *[name.encode()] * 3)
        acknowledge(name)


async def keep_messages(store: Store, caller: str) -> None:
    """A step keeps one message more, discards the oldest of more than 20, and says in a document how far it came."""
    for step in count(1):
        await store.backlogs.commit(
            Keep(caller, step, f"{caller} {step}".encode()),
            Put("step", caller, str(step).encode()),
            Discard(caller, [step - 20]),
        )
        acknowledge(f"step {caller} {step}")


async def put_blobs(store: Store, caller: str) -> None:
    for number in count():
        acknowledge("blob " + await store.blobs.put(f"{caller}.{number}".encode() * 1000))


async def main(path: Path, life: str) -> None:
    store = open_store(path)
    work = (commit_batches, commit_batches, append_items, keep_messages, put_blobs)
    await asyncio.gather(*(work[n % len(work)](store, f"{life}.{n}") for n in range(20)))


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
