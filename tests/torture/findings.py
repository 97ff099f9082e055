"""What a broker that forgets is found out at, and the words for it."""

import enum

import msgspec


class Fault(enum.Enum):
    """The ways to break a promise."""

    MESSAGE_LOST = "message lost"
    RETAINED_LOST = "retained message lost"
    SESSION_LOST = "session lost"
    SUBSCRIPTION_REFUSED = "subscription refused"
    SUBSCRIPTION_KEPT = "subscription kept"
    """A message came for a subscription that was given up, or was never asked for."""
    WILL_KEPT = "will kept"
    """One came that its client had taken back."""
    SESSION_KEPT = "session kept"
    """A session was said to be present that was discarded, or was never there."""
    DUPLICATED = "message duplicated"
    REORDERED = "message reordered"
    DAMAGED = "message damaged"
    PACKET_ID_REUSED = "packet identifier reused"
    """At quality of service 2, for another message before PUBREL: a client would take it for the one it knows."""
    DISCONNECTED = "client disconnected"
    """A well-behaved client was turned away or cut off by a broker that lived."""
    UNANSWERED = "request unanswered"


LOSSES = frozenset(
    {Fault.MESSAGE_LOST, Fault.RETAINED_LOST, Fault.SESSION_LOST, Fault.SUBSCRIPTION_REFUSED, Fault.DAMAGED}
)
"""Those by which something is missing that was acknowledged; the others are wrong in other ways."""


class Finding(msgspec.Struct, frozen=True):
    """One broken promise: to whom, about what, and what had happened before, a line each."""

    fault: Fault
    whom: str
    what: str
    timeline: tuple[str, ...]

    def __str__(self) -> str:
        return "\n    ".join((f"{self.fault.value}: {self.whom}: {self.what}", *self.timeline))
