"""A bounded cache of what is stored, safe against the write that happens while it reads.

A reader first lays down an empty slot, then reads, and keeps what it read only where its slot is still there. A write
takes the slot away (`forget`), so that no reader can put back what was true before the write.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Slot(Generic[V]):
    """Where a value is or will be; the tuple tells a cached None from nothing."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: tuple[V] | None = None


class Cache(Generic[K, V]):
    """At most `size` values; the one asked for least recently goes first. What is not found (None) is not kept."""

    def __init__(self, size: int, read: Callable[[K], Awaitable[V]]) -> None:
        self._size = size
        self._read = read
        self._slots: OrderedDict[K, _Slot[V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._slots)

    async def get(self, key: K) -> V:
        """The value as it stands when this returns, not only as it stood when it was asked for."""
        while True:
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = _Slot()
                if len(self._slots) > self._size:
                    self._slots.popitem(last=False)
            elif slot.value is not None:
                self._slots.move_to_end(key)
                return slot.value[0]
            try:
                value = await self._read(key)
            except BaseException:
                self._release(key, slot)
                raise
            if self._slots.get(key) is slot:
                if value is None:
                    del self._slots[key]
                else:
                    slot.value = (value,)
                return value

    def forget(self, key: K) -> None:
        """The value was written: whoever reads it now starts over."""
        self._slots.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()

    def _release(self, key: K, slot: _Slot[V]) -> None:
        if self._slots.get(key) is slot:
            del self._slots[key]
