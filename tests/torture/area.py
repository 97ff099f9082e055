"""The topics of the torture, what is sent to them, and how one is known from the other.

One client writes to a topic, so that it has an order; and each topic is meant by one filter, so that subscriptions do
not overlap, for which MQTT allows copies even at quality of service 2.
"""

GROUPS = 8
EXACTLY_ONCE = 3
"""Every so manyth group is written and subscribed to at quality of service 2, where the broker may do that."""

SHARED = "torture/shared/+"
SHARED_FILTER = f"$share/pool/{SHARED}"


def group_filter(group: int) -> str:
    """What sessions subscribe to."""
    return f"torture/{group}/+"


def group_topic(group: int, publisher: str) -> str:
    """What a publisher writes to."""
    return f"torture/{group}/{publisher}"


def shared_topic(publisher: str) -> str:
    """What a publisher writes to for the members of the shared subscription."""
    return f"torture/shared/{publisher}"


def fence_topic(session: str) -> str:
    """Of one session alone: what comes on it comes after all that was sent before."""
    return f"torture/fence/{session}"


def retained_topic(number: int) -> str:
    """One that keeps its last message."""
    return f"torture/retained/{number}"


def filter_of(topic: str) -> str:
    """The one filter that means the topic."""
    _, kind, _ = topic.split("/")
    return topic if kind in ("fence", "retained") else f"torture/{kind}/+"


def payload_of(topic: str, number: int, size: int) -> bytes:
    """So many bytes, or a few more, that tell where they belong."""
    head = f"{topic} {number} ".encode()
    return head + bytes((number & 0xFF,)) * max(size - len(head), 0)


def number_of(topic: str, payload: bytes) -> int | None:
    """Of a message, if its payload belongs to the topic and is whole."""
    name, _, rest = payload.partition(b" ")
    digits, space, filler = rest.partition(b" ")
    if name != topic.encode() or not digits.isdigit() or not space:
        return None
    number = int(digits)
    return number if filler.count(number & 0xFF) == len(filler) else None
