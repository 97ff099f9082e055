"""Certificates and policies are listed by creation, newest first or oldest first; storage knows keys, ascending.

So each has two small documents beside it whose keys ascend in either order, written and removed in its own batches.
Where a list is of a part alone (the certificates of one CA), `part` is its name, and has an order of its own.
"""

import msgspec

from fogbank.ports import Delete, Documents, Put
from fogbank.storage.collection import Collection, Stored

_LAST = 10**17 - 1
"""The last microsecond that takes seventeen digits, in the year 5138: no creation is later."""


class Entry(msgspec.Struct, frozen=True):
    """A place in the order of creation."""

    name: str


class CreationOrder:
    """The order in which the documents of one kind were created."""

    def __init__(self, documents: Documents, kind: str) -> None:
        self._entries = Collection(documents, f"{kind}-order", Entry)

    def entering(self, name: str, created: float, part: str = "") -> list[Put]:
        """The writes that go with a new document; `created` is in seconds since the epoch."""
        return [self._entries.putting(key, Entry(name)) for key in _keys(name, created, part)]

    def leaving(self, name: str, created: float, part: str = "") -> list[Delete]:
        """The writes that go with its removal."""
        return [self._entries.deleting(key) for key in _keys(name, created, part)]

    async def read(self, after: str, limit: int, *, ascending: bool, part: str = "") -> list[Stored[Entry]]:
        """Names in order of creation, from the first key greater than `after`."""
        return await self._entries.scan(prefix=f"{part}+" if ascending else f"{part}-", after=after, limit=limit)


def _keys(name: str, created: float, part: str) -> tuple[str, str]:
    microseconds = int(created * 1_000_000)
    return f"{part}+{microseconds:017}/{name}", f"{part}-{_LAST - microseconds:017}/{name}"
