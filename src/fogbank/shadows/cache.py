"""Shadows kept in memory as they are on disk, up to a number of bytes; the least recently used go first."""

from collections import OrderedDict

import msgspec

from fogbank.shadows.document import Shadow
from fogbank.shadows.topics import ShadowId


class Held(msgspec.Struct, frozen=True):
    """A shadow as stored. `shadow` is None, and the record's version 0, where nothing is."""

    shadow: Shadow | None
    record_version: int
    """The version of the stored record, which is not the shadow's: one write may hold several updates."""
    size: int
    """Bytes of the record's JSON: a measure for the memory it takes."""


class ShadowCache:
    """A bounded map of shadows."""

    ENTRY_BYTES = 512
    """What an entry takes beside its record."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[ShadowId, Held] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, id_: ShadowId) -> Held | None:
        held = self._entries.get(id_)
        if held is not None:
            self._entries.move_to_end(id_)
        return held

    def put(self, id_: ShadowId, held: Held) -> None:
        self.drop(id_)
        self._entries[id_] = held
        self._bytes += held.size + self.ENTRY_BYTES
        while self._bytes > self._max_bytes:
            self.drop(next(iter(self._entries)))

    def drop(self, id_: ShadowId) -> None:
        held = self._entries.pop(id_, None)
        if held is not None:
            self._bytes -= held.size + self.ENTRY_BYTES
