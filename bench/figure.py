"""One figure of every broker beside what is asked of ours: the row of the report that gives the verdict."""

import enum
import statistics
from collections.abc import Sequence

import msgspec

OURS = "fogbank"
PEER = "mosquitto"


class Bound(enum.Enum):
    """On which side of the aim a figure must lie."""

    LEAST = ">="
    MOST = "<="


class Aim(msgspec.Struct, frozen=True):
    """What is asked: a multiple of a peer's figure, or an amount where there is no peer."""

    bound: Bound
    amount: float
    of: str | None = PEER

    def reached(self, ours: float, peers: float | None) -> bool | None:
        """None where the peer it is measured by has no figure."""
        if self.of is None:
            limit = self.amount
        elif peers is None:
            return None
        else:
            limit = self.amount * peers
        return ours >= limit if self.bound is Bound.LEAST else ours <= limit

    def text(self, unit: str) -> str:
        """As a person reads it."""
        what = f"{self.amount:g} {unit}" if self.of is None else f"{self.amount:g}x {self.of}"
        return f"{self.bound.value} {what}"


class Spread(msgspec.Struct, frozen=True):
    """Several runs at a glance."""

    low: float
    median: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(low=min(values), median=statistics.median(values), high=max(values))


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """What one thing came to with each broker; a broker that failed at it is not among `values`."""

    name: str
    title: str
    unit: str
    values: dict[str, Spread]
    aim: Aim | None = None
    failures: dict[str, list[str]] = {}
    """By broker, in words."""
    beside: str = PEER
    """Whose figure ours is set against, where the aim does not say."""

    def median(self, broker: str) -> float | None:
        """None where the broker has no figure that counts."""
        found = self.values.get(broker)
        return None if found is None or self.failures.get(broker) else found.median

    @property
    def peer(self) -> str:
        """Whose figure ours is set against."""
        return self.beside if self.aim is None or self.aim.of is None else self.aim.of

    @property
    def ratio(self) -> float | None:
        """Ours by the peer's; None where one is missing or the peer's is nothing."""
        ours, peers = self.median(OURS), self.median(self.peer)
        return ours / peers if ours is not None and peers else None

    @property
    def met(self) -> bool | None:
        """Whether what is asked is reached; None where nothing is asked or it cannot be told."""
        ours = self.median(OURS)
        if self.aim is None or ours is None:
            return None
        return self.aim.reached(ours, self.median(self.peer))


class Tally:
    """Gathers runs into figures: values and failures by broker."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, list[float]]] = {}
        self._failures: dict[str, list[str]] = {}

    def add(self, name: str, broker: str, value: float) -> None:
        """One run's value for the figure of that name."""
        self._values.setdefault(name, {}).setdefault(broker, []).append(value)

    def fail(self, broker: str, why: str) -> None:
        """The broker did not come through: none of its figures counts."""
        self._failures.setdefault(broker, []).append(why)

    def figure(self, name: str, title: str, unit: str, aim: Aim | None = None, beside: str = PEER) -> Figure:
        """What has been gathered under that name."""
        values = {broker: spread(each) for broker, each in self._values.get(name, {}).items()}
        return Figure(
            name=name, title=title, unit=unit, values=values, aim=aim, failures=dict(self._failures), beside=beside
        )
