"""What arrived at the end of a pipeline: every message looked at, none counted twice."""

import msgspec

from bench.driver import RunError
from bench.rules.payload import read


class Arrivals(msgspec.Struct, frozen=True):
    """Of one run."""

    distinct: int
    duplicated: int
    corrupt: int
    seconds: float
    """From the first to the last."""

    @property
    def rate(self) -> float:
        """Messages per second; the first started the clock."""
        return (self.distinct - 1) / self.seconds if self.seconds > 0 else 0.0

    def check(self, expected: int) -> None:
        """Raises RunError where not each of them came, once and as it was sent."""
        if (self.distinct, self.duplicated, self.corrupt) != (expected, 0, 0):
            raise RunError(
                f"of {expected:,} messages {expected - self.distinct:,} did not arrive; "
                f"{self.duplicated:,} did so again, {self.corrupt:,} were none of those sent"
            )


class Ledger:
    """Enters arrivals."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()
        self._duplicated = 0
        self._corrupt = 0
        self._first = float("inf")
        self._last = 0.0

    def __len__(self) -> int:
        """Distinct messages so far."""
        return len(self._seen)

    def record(self, body: bytes, at: float) -> None:
        """A message, and when it came in seconds on any clock."""
        self._first, self._last = min(self._first, at), max(self._last, at)
        message = read(body)
        if message is None:
            self._corrupt += 1
        elif message in self._seen:
            self._duplicated += 1
        else:
            self._seen.add(message)

    def arrivals(self) -> Arrivals:
        """What has come so far."""
        return Arrivals(len(self._seen), self._duplicated, self._corrupt, max(0.0, self._last - self._first))
