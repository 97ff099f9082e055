"""What one participant has seen, filled by a thread and waited for by another, never longer than a deadline."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that anything in the demo may take to come true; all but a function's cold start takes milliseconds."""


class NotSeen(Exception):
    """What was expected did not come in time."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; seen: {seen}")
        self.expected = expected
        self.seen = seen


class Inbox(Generic[T]):
    """Things in the order in which they came, until someone takes them."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._changed = threading.Condition()
        self._closed = ""

    def put(self, item: T) -> None:
        """Add what came."""
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def close(self, why: str) -> None:
        """Nothing comes any more: whoever waits need not wait longer."""
        with self._changed:
            self._closed = self._closed or why
            self._changed.notify_all()

    def take(self, expected: str, wanted: Callable[[T], bool] = lambda _: True, seconds: float = PATIENCE) -> T:
        """Take out the first thing `wanted`, waiting for it. Raises NotSeen, which says `expected` and what came."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for position, item in enumerate(self._items):
                    if wanted(item):
                        return self._items.pop(position)
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    raise NotSeen(f"{expected} within {seconds:g} s", self._described())
                self._changed.wait(min(left, threading.TIMEOUT_MAX))

    def waiting(self) -> list[T]:
        """What has come and not been taken."""
        with self._changed:
            return list(self._items)

    def clear(self) -> None:
        """Forget what has come."""
        with self._changed:
            self._items.clear()

    def _described(self) -> str:
        latest = "; ".join(str(item) for item in self._items[-3:]) or "nothing"
        return f"{latest} ({self._closed})" if self._closed else latest


def eventually(expected: str, read: Callable[[], T], wanted: Callable[[T], bool], seconds: float = PATIENCE) -> T:
    """Read again and again until it is as `wanted`. Raises NotSeen, which says `expected` and what was read last."""
    deadline = time.monotonic() + seconds
    while not wanted(value := read()):
        if time.monotonic() > deadline:
            raise NotSeen(f"{expected} within {seconds:g} s", str(value))
        time.sleep(0.02)
    return value


def check(seen: object, holds: bool, expected: str) -> None:
    """Raises NotSeen unless what was seen `holds` what was `expected`."""
    if not holds:
        raise NotSeen(expected, str(seen))
