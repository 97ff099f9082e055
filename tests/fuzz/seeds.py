"""What streams are made of: the packets of the vectors that a client may send, good and bad, and some that meet."""

from tests.mqtt.vectors import INVALID, LONGER_FORMS, MQTT_3_1_1, MQTT_5

from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.codec import PacketType
from fogbank.mqtt.packets import (
    DISCONNECT,
    PINGREQ,
    Connect,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)

V3, V5 = Version.V3_1_1, Version.V5

CONNECTS = [
    Connect("one", version=V3).encode(),
    Connect("one", clean_start=False, version=V3).encode(),
    Connect("one", version=V5).encode(),
    Connect("one", clean_start=False, version=V5, properties=Properties(session_expiry=100)).encode(),
    Connect("two", False, 1, Will("a", b"will", 1, True), version=V3).encode(),
    Connect(
        "two",
        False,
        30,
        Will("a/b", b"will", 1, False, Properties(will_delay=5, message_expiry=1)),
        version=V5,
        properties=Properties(
            session_expiry=0xFFFFFFFF, receive_maximum=2, maximum_packet_size=600, topic_alias_maximum=1
        ),
    ).encode(),
    Connect("", version=V3).encode(),
    Connect("", version=V5).encode(),
    *[one.data for one in [*MQTT_3_1_1, *MQTT_5, *LONGER_FORMS] if one.data[0] >> 4 == PacketType.CONNECT],
    *[one.data for one in INVALID if one.data[0] >> 4 == PacketType.CONNECT],
]

_SUBSCRIPTIONS = [
    ("a", 0),
    ("a", 1),
    ("a/b", 2),
    ("a/+", 1),
    ("#", 1),
    ("+/b", 0),
    ("$share/g/a", 1),
    ("$share/g/#", 2),
]

_MEET = [
    *[Subscribe(3, (Subscription(*one),)).encode(version) for one in _SUBSCRIPTIONS for version in (V3, V5)],
    Subscribe(
        4,
        (Subscription("a", 1, True, True, 1), Subscription("a/#", 2, False, True, 2)),
        Properties(subscription_identifiers=(5,)),
    ).encode(V5),
    *[Unsubscribe(5, (filter_,)).encode(version) for filter_ in ("a", "$share/g/a", "#") for version in (V3, V5)],
    *[
        Publish(topic, payload, qos, retain, packet_id=number if qos else 0).encode(version)
        for topic in ("a", "a/b")
        for payload in (b"", b"payload")
        for qos, number in ((0, 0), (1, 1), (1, 2), (2, 3))
        for retain in (False, True)
        for version in (V3, V5)
    ],
    Publish("a", bytes(2000), 1, packet_id=9).encode(V3),
    Publish("a", b"x", 1, packet_id=9, properties=Properties(message_expiry=1, topic_alias=1)).encode(V5),
    Publish("", b"x", 1, packet_id=9, properties=Properties(topic_alias=1)).encode(V5),
    *[
        kind(number).encode(version)
        for kind in (Puback, Pubrec, Pubrel, Pubcomp)
        for number in (1, 2, 3)
        for version in (V3, V5)
    ],
    PINGREQ,
    DISCONNECT,
    Disconnect(ReasonCode.DISCONNECT_WITH_WILL).encode(V5),
    Disconnect(properties=Properties(session_expiry=0)).encode(V5),
]

_BY_CLIENTS = frozenset(
    (
        PacketType.PUBLISH,
        PacketType.PUBACK,
        PacketType.PUBREC,
        PacketType.PUBREL,
        PacketType.PUBCOMP,
        PacketType.SUBSCRIBE,
        PacketType.UNSUBSCRIBE,
        PacketType.PINGREQ,
        PacketType.DISCONNECT,
        PacketType.AUTH,
    )
)

PACKETS = [
    *_MEET,
    *[one.data for one in [*MQTT_3_1_1, *MQTT_5, *LONGER_FORMS] if one.data[0] >> 4 in _BY_CLIENTS],
    *[one.data for one in INVALID if one.data[0] >> 4 != PacketType.CONNECT],
]
"""Any that is sent to a client that has connected."""


def corpus() -> list[bytes]:
    """Byte strings for `script` to begin with: each packet alone, and some streams that get far."""
    alone = [bytes((head, 13 * 4, number)) for number in range(min(256, len(PACKETS))) for head in (0, 1 + 3 * 15)]
    connects = [bytes((head, 0, number, 13 * 4, 0)) for number in range(len(CONNECTS)) for head in (0, 1 + 3 * 15)]
    exchange = [
        bytes((head, 0, 1, 13 * 4, 2, 13 * 4 + 1, number, 13 * 4, 40, 2 * 4, 1, 1 * 4, 0, 1, 2 * 4, 3))
        for number in range(20, 60)
        for head in (0, 1, 2, 1 + 3 * 15, 1 + 3 * 5)
    ]
    return alone + connects + exchange
