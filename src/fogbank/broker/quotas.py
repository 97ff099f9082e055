"""What the broker refuses, in one table: AWS IoT Core's quotas and deviations, and MQTT's own limits.

Sources: AWS General Reference, "AWS IoT Core message broker and protocol limits and quotas" [GR]; AWS IoT developer
guide, "MQTT" [DG]. What AWS does not document is marked UNVERIFIED: change it here.
"""

import msgspec

from fogbank.mqtt.codec import MAX_REMAINING_LENGTH
from fogbank.settings import Limits
from fogbank.topics import MAX_BYTES


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one connection. Sizes are bytes, times seconds."""

    max_payload: int
    """Of one PUBLISH; a larger one ends the connection."""
    max_packet: int
    """Of one packet's remaining length."""
    max_client_id: int
    max_topic: int
    max_levels: int
    filters_per_subscribe: int
    """More: each filter of the SUBSCRIBE is refused. UNVERIFIED how AWS answers."""
    subscriptions_per_connection: int
    inflight: int
    """Unacknowledged QoS 1 messages towards a client; further ones wait."""
    keep_alive: tuple[int, int, int]
    """The shortest and the longest that is granted, and what a client that asks for none gets (0: none)."""
    session_expiry: int
    """How long a persistent session outlives its connection."""
    hash_matches_parent: bool
    """Whether `sport/#` matches `sport`: it does in MQTT (4.7.1.2), it does not at AWS."""
    queued_messages: int
    """Messages that wait in one session; further ones are dropped. UNVERIFIED: AWS names no figure."""
    queued_bytes: int

    def topic_problem(self, topic: str) -> str | None:
        """What is too much about a topic or filter; None where nothing is."""
        if len(topic.encode()) > self.max_topic:
            return f"the topic has {len(topic.encode())} bytes; {self.max_topic} are allowed"
        if topic.count("/") >= self.max_levels:
            return f"the topic {topic!r} has {topic.count('/') + 1} levels; {self.max_levels} are allowed"
        return None


AWS = Quotas(
    max_payload=128 * 1024,  # [GR] "The payload for every publish request can be no larger than 128 KB"
    max_packet=146 * 1024,  # [GR] "Maximum MQTT5 packet size", applied to 3.1.1 as well
    max_client_id=128,  # [GR]
    max_topic=256,  # [GR]
    max_levels=8,  # [GR] "no more than seven forward slashes"
    filters_per_subscribe=8,  # [GR]
    subscriptions_per_connection=50,  # [GR]
    inflight=100,  # [GR] "Maximum outbound unacknowledged QoS 1 publish requests per client"
    keep_alive=(30, 1200, 1200),  # [GR] "Keep alive interval"
    session_expiry=3600,  # [GR]
    hash_matches_parent=False,  # [DG] "AWS IoT differences from MQTT specifications"
    queued_messages=10_000,
    queued_bytes=16 * 1024 * 1024,
)

OPEN = Quotas(
    max_payload=MAX_REMAINING_LENGTH,
    max_packet=MAX_REMAINING_LENGTH,
    max_client_id=MAX_BYTES,
    max_topic=MAX_BYTES,
    max_levels=MAX_BYTES,
    filters_per_subscribe=MAX_BYTES,
    subscriptions_per_connection=1_000_000,
    inflight=65_535,
    keep_alive=(1, 65535, 0),
    session_expiry=7 * 24 * 3600,
    hash_matches_parent=True,
    queued_messages=100_000,
    queued_bytes=256 * 1024 * 1024,
)


def quotas(limits: Limits) -> Quotas:
    """The table that binds under `--limits`."""
    return OPEN if limits is Limits.OPEN else AWS
