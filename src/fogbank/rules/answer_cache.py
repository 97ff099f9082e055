"""Answers that are kept for a while, so that a rule with a secret in it does not fetch it for every message."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from fogbank.clock import Clock

T = TypeVar("T")

MAX_ENTRIES = 256
"""Beyond that the one that was used longest ago goes."""


class _Entry(Generic[T]):
    """One answer, or the place where it is waited for: who asks while another does, waits for the same answer."""

    __slots__ = ("asking", "until", "value")

    def __init__(self) -> None:
        self.asking = asyncio.Lock()
        self.value: T | None = None
        self.until = float("-inf")


class AnswerCache(Generic[T]):
    """Keeps what was answered; errors are not kept."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        """`seconds` is how old an answer may become."""
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer kept under `key`, else what `ask` gives. Raises what it raises."""
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)
        async with entry.asking:
            if entry.value is None or self._clock.monotonic() >= entry.until:
                entry.value = await ask()
                entry.until = self._clock.monotonic() + self._seconds
            return entry.value
