"""Time that a test lets pass, for the clock and for the timers of the event loop alike."""

import asyncio
import heapq
from collections.abc import Callable
from typing import Any

MOST = 30
"""Timers set in one `advance` that go off in it: what repeats every second for years does the rest in one leap."""


class VirtualTime:
    """The clock and the scheduler of a broker: timers go off when `advance` passes them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._now = 1_700_000_000.0
        self._count = 0
        self._timers: list[tuple[float, int, _Timer]] = []

    def successor(self) -> "VirtualTime":
        """Goes on from now, without the timers."""
        successor = VirtualTime(self._loop)
        successor._now = self._now
        return successor

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = self._loop.create_future()
        self.call_later(seconds, _wake, woken)
        await woken

    def call_soon(self, callback: Callable[..., object], *args: Any) -> object:
        return self._loop.call_soon(callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> "_Timer":
        timer = _Timer(callback, args)
        self._count += 1
        heapq.heappush(self._timers, (self._now + delay, self._count, timer))
        return timer

    async def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self._now + seconds
        before, repeated = self._count, 0
        while self._timers and self._timers[0][0] <= end and repeated < MOST:
            due, number, timer = heapq.heappop(self._timers)
            repeated += number > before
            self._now = max(self._now, due)
            timer.go_off()
            await asyncio.sleep(0)
        self._now = end

    def pending(self) -> int:
        """Timers that have neither gone off nor been taken back."""
        return sum(not timer.cancelled for _, _, timer in self._timers)


class _Timer:
    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._callback = callback
        self._args = args
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def go_off(self) -> None:
        if not self.cancelled:
            self.cancelled = True
            self._callback(*self._args)


def _wake(woken: "asyncio.Future[None]") -> None:
    if not woken.done():
        woken.set_result(None)
