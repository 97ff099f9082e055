"""What the broker refuses, in one table: AWS IoT Core's quotas and deviations, and MQTT's own limits.

Sources: AWS General Reference, "AWS IoT Core message broker and protocol limits and quotas" [GR]; AWS IoT developer
guide, "MQTT" [DG]. What AWS does not document is marked UNVERIFIED: change it here.
"""

import msgspec

from fogbank.mqtt.codec import MAX_REMAINING_LENGTH
from fogbank.settings import Limits
from fogbank.topics import MAX_BYTES, is_event

NEVER = 0xFFFF_FFFF
"""The session expiry interval of a session that never expires. (MQTT 5.0, 3.1.2.11.2)"""
UNBOUNDED = 1 << 62


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How many there may be in a second, of the account unless said otherwise. A burst is at most a second's worth."""

    enforced: bool
    """Whether they bind; if not, who passes one is told so in the log, once."""
    connects: int
    """CONNECT requests; more are refused. Counted once it is clear that the client may connect."""
    connects_per_client: int
    """Of one client ID."""
    connection_publishes: int
    """Messages of one connection, in and out together; more are discarded."""
    connection_bytes: int
    """Of one connection, in and out together; more are delayed."""
    inbound_publishes: int
    """Messages from clients, over HTTP too; more are discarded."""
    outbound_publishes: int
    """Messages to clients; more are discarded."""
    subscriptions: int
    """Each filter counts; more are refused."""
    retained_publishes: int
    """Messages to be retained, and to be forgotten; more are refused where there is a way to say so, else discarded."""
    retained_publishes_per_topic: int
    queued_messages: int
    """Messages that begin to wait for clients that are away; more are dropped."""
    replayed_messages: int
    """Of those that waited, to one client that is back."""
    shared_messages: int
    """Of those that waited for a group of shared subscriptions, to each of its members."""
    connection_calls: int
    """DeleteConnection, GetConnection and ListSubscriptions, each; more are refused."""
    connection_calls_per_client: int
    """The same for one client ID."""
    direct_messages: int
    """SendDirectMessage; more are refused. Each counts among the messages of its connection as well."""


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one connection. Sizes are bytes, times seconds."""

    rates: Rates | None
    """None: as fast as it goes."""

    # packets
    max_payload: int
    """Of one PUBLISH; a larger one ends the connection."""
    max_packet: int
    """Of one packet's remaining length."""
    min_client_packet: int
    """The smallest Maximum Packet Size that a client may ask for."""
    max_client_id: int
    max_topic: int
    max_levels: int
    max_content_type: int
    max_correlation_data: int
    max_user_properties: int
    """Of one packet, names and values together."""

    # connections and sessions
    keep_alive: tuple[int, int, int]
    """The shortest and the longest that is granted, and what a client that asks for none gets (0: none)."""
    server_keep_alive: int
    """The longest that is told to a client of MQTT 5, which obeys. (MQTT 5.0, 3.2.2.3.14)"""
    session_expiry: int
    """How long a session may outlive its connection at most, and how long one of MQTT 3.1.1 does."""

    # messages
    max_qos: int
    lowers_qos: bool
    """Whether a subscription that asks for more is granted `max_qos`; if not, the connection ends."""
    message_expiry: tuple[int, int]
    """The shortest and the longest Message Expiry Interval; others are raised or lowered."""
    receive_maximum: int
    """Unacknowledged QoS 1 and 2 messages from a client: more end the connection of one that speaks MQTT 5, and one of
    3.1.1 is not read from until some are acknowledged."""
    inflight: int
    """Unacknowledged QoS 1 and 2 messages towards a client; further ones wait."""
    topic_aliases: int
    """Topic aliases that a client may set."""
    queued_messages: int
    """Messages that wait in one session; further ones are dropped. UNVERIFIED: AWS names no figure."""
    queued_bytes: int
    group_messages: int
    """Messages that wait for a group of shared subscriptions; further ones are dropped."""

    # subscriptions
    filters_per_subscribe: int
    """More: each filter of the SUBSCRIBE is refused. UNVERIFIED how AWS answers."""
    subscriptions_per_connection: int
    groups: int
    """Groups of shared subscriptions."""
    members_per_group: int
    max_share_name: int
    hash_matches_parent: bool
    """Whether `sport/#` matches `sport`: it does in MQTT (4.7.1.2), it does not at AWS."""
    subscription_identifiers: bool
    reports_unknown_filters: bool
    """Whether UNSUBACK tells that there was no such subscription."""

    # retained messages
    retained_messages: int
    retained_bytes: int
    """UNVERIFIED: AWS names no figure; they are held in memory."""
    retained_by_wildcard: bool
    """Whether a new subscription with wildcards gets retained messages."""
    retained_reserved: bool
    """Whether topics that begin with `$` may have a retained message."""

    def publish_problem(self, topic: str) -> str | None:
        """What is wrong with a client's publishing to a topic; None where nothing is."""
        if is_event(topic):
            return f"on the topic {topic!r} the platform alone publishes; clients may subscribe"
        return self.topic_problem(topic)

    def topic_problem(self, topic: str) -> str | None:
        """What is too much about a topic or filter; None where nothing is.

        The first three levels of Basic Ingest and the first two of a shared subscription do not count. [GR]
        """
        counted = topic
        if topic.startswith("$aws/rules/"):
            counted = topic.split("/", 3)[-1]
        elif topic.startswith("$share/"):
            counted = topic.split("/", 2)[-1]
        if len(counted.encode()) > self.max_topic:
            return f"the topic has {len(counted.encode())} bytes; {self.max_topic} are allowed"
        if counted.count("/") >= self.max_levels:
            return f"the topic {topic!r} has {counted.count('/') + 1} levels; {self.max_levels} are allowed"
        return None


AWS_RATES = Rates(
    enforced=False,
    connects=3000,  # [GR] "Connect requests per second per account"
    connects_per_client=1,  # [GR] "Connect requests per second per client ID"
    connection_publishes=100,  # [GR] "Publish requests per second per connection": excess is discarded
    connection_bytes=512 * 1024,  # [GR] "Throughput per second per connection": excess is delayed
    inbound_publishes=20_000,  # [GR] "Inbound publish requests per second per account"
    outbound_publishes=20_000,  # [GR] "Outbound publish requests per second per account"
    subscriptions=3000,  # [GR] "Subscriptions per second per account"
    retained_publishes=500,  # [GR] "Retained message inbound publish requests per second per account"
    retained_publishes_per_topic=1,  # [GR] the same "per topic"
    queued_messages=500,  # [GR] "Queued messages per second per account"
    replayed_messages=10,  # [DG] "MQTT persistent sessions"
    shared_messages=20,  # [DG] "MQTT", "Shared Subscriptions"
    connection_calls=100,  # [GR] the operation's "transactions per second (TPS) per account"
    connection_calls_per_client=1,  # [GR] the same "per client ID"
    direct_messages=20_000,  # [GR] "SendDirectMessage"
)
"""What happens to the excess is UNVERIFIED where the table does not say it; see `throttling`."""

AWS = Quotas(
    rates=AWS_RATES,
    max_payload=128 * 1024,  # [GR] "The payload for every publish request can be no larger than 128 KB"
    max_packet=146 * 1024,  # [GR] "Maximum MQTT5 packet size", applied to 3.1.1 as well
    min_client_packet=512,  # [GR] "Maximum packet size ... minimum value"
    max_client_id=128,  # [GR]
    max_topic=256,  # [GR]
    max_levels=8,  # [GR] "no more than seven forward slashes"
    max_content_type=256,  # [GR]
    max_correlation_data=8 * 1024,  # [GR]
    max_user_properties=8 * 1024,  # [GR]
    keep_alive=(30, 1200, 1200),  # [GR] "Keep alive interval"
    server_keep_alive=1200,  # [GR]
    session_expiry=3600,  # [GR] "Persistent session expiry"
    max_qos=1,  # [DG] "AWS IoT differences from MQTT specifications"
    lowers_qos=False,  # [DG] "doesn't send a PUBACK or SUBACK when QoS level 2 is requested"; UNVERIFIED that it closes
    message_expiry=(1, 604_800),  # [GR]
    receive_maximum=100,  # [GR] "Maximum inbound unacknowledged QoS 1 publish requests per client"
    inflight=100,  # [GR] "Maximum outbound unacknowledged QoS 1 publish requests per client"
    topic_aliases=8,  # [GR]
    queued_messages=10_000,
    queued_bytes=16 * 1024 * 1024,
    group_messages=500_000,  # [GR] "Queued messages per shared subscription group"
    filters_per_subscribe=8,  # [GR]
    subscriptions_per_connection=50,  # [GR]
    groups=100,  # [GR]
    members_per_group=100,  # [GR]
    max_share_name=128,  # [GR]
    hash_matches_parent=False,  # [DG] "AWS IoT differences from MQTT specifications"
    subscription_identifiers=False,  # [DG] "MQTT 5 supported features"
    reports_unknown_filters=False,  # [DG] "MQTT reason codes": UNSUBACK
    retained_messages=500_000,  # [GR]
    retained_bytes=256 * 1024 * 1024,
    retained_by_wildcard=False,  # [DG] "MQTT retained messages"
    retained_reserved=False,  # [DG] "MQTT retained messages"
)

STRICT = msgspec.structs.replace(AWS, rates=msgspec.structs.replace(AWS_RATES, enforced=True))

OPEN = Quotas(
    rates=None,
    max_payload=MAX_REMAINING_LENGTH,
    max_packet=MAX_REMAINING_LENGTH,
    min_client_packet=1,
    max_client_id=MAX_BYTES,
    max_topic=MAX_BYTES,
    max_levels=MAX_BYTES,
    max_content_type=MAX_BYTES,
    max_correlation_data=MAX_BYTES,
    max_user_properties=MAX_REMAINING_LENGTH,
    keep_alive=(1, 65535, 0),
    server_keep_alive=60,  # so that a client that is lost is noticed, and its will published, within two minutes
    session_expiry=NEVER,
    max_qos=2,
    lowers_qos=True,
    message_expiry=(0, NEVER),
    receive_maximum=1000,  # 65,535 would be as many as there are packet identifiers: none too many could be told apart
    inflight=65_535,
    topic_aliases=65_535,
    queued_messages=100_000,
    queued_bytes=256 * 1024 * 1024,
    group_messages=500_000,
    filters_per_subscribe=MAX_BYTES,
    subscriptions_per_connection=1_000_000,
    groups=UNBOUNDED,
    members_per_group=UNBOUNDED,
    max_share_name=MAX_BYTES,
    hash_matches_parent=True,
    subscription_identifiers=True,
    reports_unknown_filters=True,
    retained_messages=UNBOUNDED,
    retained_bytes=1024 * 1024 * 1024,
    retained_by_wildcard=True,
    retained_reserved=True,
)


def quotas(limits: Limits) -> Quotas:
    """The table that binds under `--limits`."""
    return {Limits.AWS: AWS, Limits.STRICT: STRICT, Limits.OPEN: OPEN}[limits]
