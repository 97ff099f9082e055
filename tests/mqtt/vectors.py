"""A corpus of MQTT packets, byte by byte: valid ones with what they mean, and ones that break a rule, with the rule.

All are whole packets, so that they can be sent to a server as they stand. The bytes are written by hand from the
standard, not by our encoder.
"""

from typing import NamedTuple

from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.codec import PacketType, check_flags, decode_length
from fogbank.mqtt.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ReturnCode,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)

V3, V5 = Version.V3_1_1, Version.V5
MALFORMED = ReasonCode.MALFORMED_PACKET
PROTOCOL_ERROR = ReasonCode.PROTOCOL_ERROR

Acknowledgement = Puback | Pubrec | Pubrel | Pubcomp
Packet = Connect | Connack | Publish | Acknowledgement | Subscribe | Suback | Unsubscribe | Unsuback | Disconnect | Auth


class Valid(NamedTuple):
    """A packet and its bytes, in hexadecimal with spaces where they please."""

    name: str
    version: Version
    packet: Packet
    encoded: str

    @property
    def data(self) -> bytes:
        return bytes.fromhex(self.encoded)


class Invalid(NamedTuple):
    """A packet that is whole as far as its remaining length goes, and the reason code its sender is told."""

    name: str
    version: Version
    encoded: str
    """With `..` in place of the remaining length."""
    code: ReasonCode = MALFORMED

    @property
    def data(self) -> bytes:
        head, body = self.encoded.split("..")
        content = bytes.fromhex(body)
        assert len(content) < 128
        return bytes.fromhex(head) + bytes((len(content),)) + content


def decode_packet(data: bytes, version: Version) -> Packet:
    """The packet that `data` holds, from its first byte to its last."""
    kind = check_flags(data[0])
    decoded = decode_length(data, 1)
    assert decoded is not None
    length, start = decoded
    assert start + length == len(data)
    return decode_body(kind, data[0], data[start:], version)


def decode_body(kind: PacketType, first: int, body: bytes, version: Version) -> Packet:
    match kind:
        case PacketType.CONNECT:
            return Connect.decode(body)
        case PacketType.PUBLISH:
            return Publish.decode(first, body, version)
        case _:
            return TYPES[kind].decode(body, version)


Versioned = Connack | Acknowledgement | Subscribe | Suback | Unsubscribe | Unsuback | Disconnect | Auth

TYPES: dict[PacketType, type[Versioned]] = {
    PacketType.CONNACK: Connack,
    PacketType.PUBACK: Puback,
    PacketType.PUBREC: Pubrec,
    PacketType.PUBREL: Pubrel,
    PacketType.PUBCOMP: Pubcomp,
    PacketType.SUBSCRIBE: Subscribe,
    PacketType.SUBACK: Suback,
    PacketType.UNSUBSCRIBE: Unsubscribe,
    PacketType.UNSUBACK: Unsuback,
    PacketType.DISCONNECT: Disconnect,
    PacketType.AUTH: Auth,
}
"""Those that are told their version and need no first byte."""


def encode_packet(packet: Packet, version: Version) -> bytes:
    return packet.encode() if isinstance(packet, Connect) else packet.encode(version)


USER = Properties(user_properties=(("a", "b"),))
SPOKEN = Properties(reason_string="r", user_properties=(("a", "b"),))

WILL_PROPERTIES = Properties(
    payload_format=1,
    message_expiry=60,
    content_type="t",
    response_topic="r",
    correlation_data=b"c",
    will_delay=5,
    user_properties=(("k", "v"),),
)
CONNECT_PROPERTIES = Properties(
    session_expiry=10,
    authentication_method="m",
    authentication_data=b"d",
    request_problem_information=False,
    request_response_information=True,
    receive_maximum=20,
    topic_alias_maximum=10,
    user_properties=(("a", "b"),),
    maximum_packet_size=256,
)
CONNACK_PROPERTIES = Properties(
    session_expiry=3600,
    assigned_client_id="x",
    server_keep_alive=30,
    authentication_method="m",
    authentication_data=b"d",
    response_information="i",
    server_reference="s",
    reason_string="r",
    receive_maximum=100,
    topic_alias_maximum=8,
    maximum_qos=1,
    retain_available=True,
    user_properties=(("a", "b"),),
    maximum_packet_size=131072,
    wildcard_available=True,
    subscription_identifiers_available=False,
    shared_available=True,
)
PUBLISH_PROPERTIES = Properties(
    payload_format=1,
    message_expiry=3600,
    content_type="t",
    response_topic="r",
    correlation_data=b"c",
    subscription_identifiers=(1, 128),
    topic_alias=3,
    user_properties=(("a", "b"), ("a", "b")),
)

MQTT_3_1_1 = [
    Valid("connect, clean", V3, Connect("ab", True, 60), "10 0e 0004 4d515454 04 02 003c 0002 6162"),
    Valid("connect, persistent, no client ID bytes", V3, Connect("", False, 0), "10 0c 0004 4d515454 04 00 0000 0000"),
    Valid(
        "connect, everything",
        V3,
        Connect("c", True, 10, Will("w", b"bye", 1, True), "u", b"p"),
        "10 1b 0004 4d515454 04 ee 000a 0001 63 0001 77 0003 627965 0001 75 0001 70",
    ),
    Valid(
        "connect, user name and no password",
        V3,
        Connect("c", True, 0, None, "u"),
        "10 10 0004 4d515454 04 82 0000 0001 63 0001 75",
    ),
    Valid(
        "connect, will at QoS 0",
        V3,
        Connect("c", will=Will("w", b"bye")),
        "10 15 0004 4d515454 04 06 0000 0001 63 0001 77 0003 627965",
    ),
    Valid("connack, accepted", V3, Connack(), "20 02 00 00"),
    Valid("connack, session present", V3, Connack(session_present=True), "20 02 01 00"),
    Valid("connack, not authorized", V3, Connack(ReturnCode.NOT_AUTHORIZED), "20 02 00 05"),
    Valid("publish, QoS 0", V3, Publish("a/b", b"hi"), "30 07 0003 612f62 6869"),
    Valid("publish, RETAIN at QoS 0", V3, Publish("a", b"x", retain=True), "31 04 0001 61 78"),
    Valid("publish, QoS 1", V3, Publish("a", b"hi", 1, packet_id=10), "32 07 0001 61 000a 6869"),
    Valid("publish, DUP and RETAIN", V3, Publish("a", b"", 1, True, True, 1), "3b 05 0001 61 0001"),
    Valid("publish, QoS 2", V3, Publish("a", b"", 2, packet_id=1), "34 05 0001 61 0001"),
    Valid("publish, empty payload", V3, Publish("a", b""), "30 03 0001 61"),
    Valid("puback", V3, Puback(258), "40 02 0102"),
    Valid("pubrec", V3, Pubrec(258), "50 02 0102"),
    Valid("pubrel", V3, Pubrel(258), "62 02 0102"),
    Valid("pubcomp", V3, Pubcomp(65535), "70 02 ffff"),
    Valid(
        "subscribe",
        V3,
        Subscribe(1, (Subscription("a/+"), Subscription("b", 1), Subscription("c", 2))),
        "82 10 0001 0003 612f2b 00 0001 62 01 0001 63 02",
    ),
    Valid("suback", V3, Suback(1, (0, 1, 2, 0x80)), "90 06 0001 00 01 02 80"),
    Valid("unsubscribe", V3, Unsubscribe(2, ("a", "b")), "a2 08 0002 0001 61 0001 62"),
    Valid("unsuback", V3, Unsuback(2), "b0 02 0002"),
    Valid("disconnect", V3, Disconnect(), "e0 00"),
]

MQTT_5 = [
    Valid("connect", V5, Connect("ab", True, 60, version=V5), "10 0f 0004 4d515454 05 02 003c 00 0002 6162"),
    Valid(
        "connect, password without user name",
        V5,
        Connect("c", False, 0, None, None, b"p", V5),
        "10 11 0004 4d515454 05 40 0000 00 0001 63 0001 70",
    ),
    Valid(
        "connect, will without properties",
        V5,
        Connect("c", True, 0, Will("w", b"", 2), version=V5),
        "10 14 0004 4d515454 05 16 0000 00 0001 63 00 0001 77 0000",
    ),
    Valid(
        "connect, everything",
        V5,
        Connect("c", True, 10, Will("w", b"bye", 1, True, WILL_PROPERTIES), "u", b"p", V5, CONNECT_PROPERTIES),
        "10 5f 0004 4d515454 05 ee 000a"
        " 23 11 0000000a 15 0001 6d 16 0001 64 17 00 19 01 21 0014 22 000a 26 0001 61 0001 62 27 00000100"
        " 0001 63"
        " 1f 01 01 02 0000003c 03 0001 74 08 0001 72 09 0001 63 18 00000005 26 0001 6b 0001 76"
        " 0001 77 0003 627965 0001 75 0001 70",
    ),
    Valid("connack, success", V5, Connack(ReasonCode.SUCCESS), "20 03 00 00 00"),
    Valid("connack, not authorized", V5, Connack(ReasonCode.NOT_AUTHORIZED), "20 03 00 87 00"),
    Valid(
        "connack, everything",
        V5,
        Connack(ReasonCode.SUCCESS, True, CONNACK_PROPERTIES),
        "20 3f 01 00 3c 11 00000e10 12 0001 78 13 001e 15 0001 6d 16 0001 64 1a 0001 69 1c 0001 73 1f 0001 72"
        " 21 0064 22 0008 24 01 25 01 26 0001 61 0001 62 27 00020000 28 01 29 00 2a 01",
    ),
    Valid("publish, QoS 0", V5, Publish("a/b", b"hi"), "30 08 0003 612f62 00 6869"),
    Valid("publish, empty payload", V5, Publish("a", b""), "30 04 0001 61 00"),
    Valid("publish, RETAIN at QoS 0", V5, Publish("a", b"x", retain=True), "31 05 0001 61 00 78"),
    Valid("publish, QoS 1", V5, Publish("a", b"hi", 1, packet_id=10), "32 08 0001 61 000a 00 6869"),
    Valid(
        "publish, topic alias alone",
        V5,
        Publish("", b"hi", properties=Properties(topic_alias=65535)),
        "30 08 0000 03 23 ffff 6869",
    ),
    Valid(
        "publish, everything",
        V5,
        Publish("a", b"hi", 2, True, True, 1, PUBLISH_PROPERTIES),
        "3d 31 0001 61 0001 29 01 01 02 00000e10 03 0001 74 08 0001 72 09 0001 63 0b 01 0b 8001 23 0003"
        " 26 0001 61 0001 62 26 0001 61 0001 62 6869",
    ),
    Valid("puback", V5, Puback(258), "40 02 0102"),
    Valid("puback, no subscribers", V5, Puback(258, ReasonCode.NO_MATCHING_SUBSCRIBERS), "40 03 0102 10"),
    Valid(
        "puback, everything",
        V5,
        Puback(258, ReasonCode.NOT_AUTHORIZED, SPOKEN),
        "40 0f 0102 87 0b 1f 0001 72 26 0001 61 0001 62",
    ),
    Valid("puback, success and properties", V5, Puback(1, properties=USER), "40 0b 0001 00 07 26 0001 61 0001 62"),
    Valid("pubrec", V5, Pubrec(258), "50 02 0102"),
    Valid("pubrec, in use", V5, Pubrec(1, ReasonCode.PACKET_IDENTIFIER_IN_USE), "50 03 0001 91"),
    Valid("pubrec, properties", V5, Pubrec(1, properties=USER), "50 0b 0001 00 07 26 0001 61 0001 62"),
    Valid("pubrel", V5, Pubrel(258), "62 02 0102"),
    Valid("pubrel, not found", V5, Pubrel(1, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND), "62 03 0001 92"),
    Valid("pubrel, properties", V5, Pubrel(1, properties=USER), "62 0b 0001 00 07 26 0001 61 0001 62"),
    Valid("pubcomp", V5, Pubcomp(258), "70 02 0102"),
    Valid("pubcomp, not found", V5, Pubcomp(1, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND), "70 03 0001 92"),
    Valid("pubcomp, properties", V5, Pubcomp(1, properties=USER), "70 0b 0001 00 07 26 0001 61 0001 62"),
    Valid("subscribe", V5, Subscribe(1, (Subscription("a", 1),)), "82 07 0001 00 0001 61 01"),
    Valid(
        "subscribe, every option",
        V5,
        Subscribe(
            1,
            (
                Subscription("a", 2, no_local=True),
                Subscription("b", 0, retain_as_published=True),
                Subscription("c", 0, retain_handling=1),
                Subscription("d", 1, True, True, 2),
            ),
        ),
        "82 13 0001 00 0001 61 06 0001 62 08 0001 63 10 0001 64 2d",
    ),
    Valid(
        "subscribe, everything",
        V5,
        Subscribe(
            1,
            (Subscription("$share/g/a", 1, False, True, 1),),
            Properties(subscription_identifiers=(268_435_455,), user_properties=(("a", "b"),)),
        ),
        "82 1c 0001 0c 0b ffffff7f 26 0001 61 0001 62 000a 2473686172652f672f61 19",
    ),
    Valid("suback", V5, Suback(1, (0, 1, 2, 0x87, 0xA2)), "90 08 0001 00 00 01 02 87 a2"),
    Valid("suback, properties", V5, Suback(1, (0,), SPOKEN), "90 0f 0001 0b 1f 0001 72 26 0001 61 0001 62 00"),
    Valid("unsubscribe", V5, Unsubscribe(2, ("a", "b")), "a2 09 0002 00 0001 61 0001 62"),
    Valid(
        "unsubscribe, properties",
        V5,
        Unsubscribe(2, ("a",), USER),
        "a2 0d 0002 07 26 0001 61 0001 62 0001 61",
    ),
    Valid("unsuback", V5, Unsuback(2, (0, 0x11)), "b0 05 0002 00 00 11"),
    Valid("unsuback, properties", V5, Unsuback(2, (0,), SPOKEN), "b0 0f 0002 0b 1f 0001 72 26 0001 61 0001 62 00"),
    Valid("disconnect", V5, Disconnect(), "e0 00"),
    Valid("disconnect, with will", V5, Disconnect(ReasonCode.DISCONNECT_WITH_WILL), "e0 01 04"),
    Valid(
        "disconnect, everything",
        V5,
        Disconnect(
            ReasonCode.SERVER_MOVED,
            Properties(session_expiry=0, server_reference="s", reason_string="r", user_properties=(("a", "b"),)),
        ),
        "e0 16 9d 14 11 00000000 1c 0001 73 1f 0001 72 26 0001 61 0001 62",
    ),
    Valid(
        "disconnect, success and properties",
        V5,
        Disconnect(properties=Properties(session_expiry=0xFFFFFFFF)),
        "e0 07 00 05 11 ffffffff",
    ),
    Valid("auth, success", V5, Auth(), "f0 00"),
    Valid(
        "auth, everything",
        V5,
        Auth(
            ReasonCode.CONTINUE_AUTHENTICATION,
            Properties(
                authentication_method="m",
                authentication_data=b"d",
                reason_string="r",
                user_properties=(("a", "b"),),
            ),
        ),
        "f0 15 18 13 15 0001 6d 16 0001 64 1f 0001 72 26 0001 61 0001 62",
    ),
]

VALID = MQTT_3_1_1 + MQTT_5
"""Each of these is written exactly so, and reads so."""

LONGER_FORMS = [
    Valid("puback, success said", V5, Puback(1), "40 03 0001 00"),
    Valid("puback, success and no properties said", V5, Puback(1), "40 04 0001 00 00"),
    Valid("pubrec, no properties said", V5, Pubrec(1, ReasonCode.QUOTA_EXCEEDED), "50 04 0001 97 00"),
    Valid("pubrel, success and no properties said", V5, Pubrel(1), "62 04 0001 00 00"),
    Valid("pubcomp, success said", V5, Pubcomp(1), "70 03 0001 00"),
    Valid("disconnect, normal said", V5, Disconnect(), "e0 01 00"),
    Valid("disconnect, normal and no properties said", V5, Disconnect(), "e0 02 00 00"),
    Valid(
        "disconnect, properties in another order",
        V5,
        Disconnect(ReasonCode.SERVER_MOVED, Properties(session_expiry=1, reason_string="r")),
        "e0 0b 9d 09 1f 0001 72 11 00000001",
    ),
    Valid(
        "publish, user properties in order, others between them",
        V5,
        Publish(
            "a", b"", properties=Properties(payload_format=0, user_properties=(("b", "1"), ("a", "2"), ("b", "0")))
        ),
        "30 1b 0001 61 17 26 0001 62 0001 31 26 0001 61 0001 32 01 00 26 0001 62 0001 30",
    ),
]
"""Other ways in which the standard lets these be written."""

_CONNECT_5 = "10 .. 0004 4d515454 05"
_START_5 = f"{_CONNECT_5} 02 0000"

INVALID = [
    # what holds in MQTT 3.1.1
    Invalid("connect, reserved flag [MQTT-3.1.2-3]", V3, "10 .. 0004 4d515454 04 03 0000 0001 61"),
    Invalid("connect, will QoS 3 [MQTT-3.1.2-14]", V3, "10 .. 0004 4d515454 04 1e 0000 0001 61 0001 77 0000"),
    Invalid("connect, will QoS without will [MQTT-3.1.2-13]", V3, "10 .. 0004 4d515454 04 0a 0000 0001 61"),
    Invalid("connect, will retain without will [MQTT-3.1.2-15]", V3, "10 .. 0004 4d515454 04 22 0000 0001 61"),
    Invalid("connect, password without user [MQTT-3.1.2-22]", V3, "10 .. 0004 4d515454 04 42 0000 0001 61 0001 70"),
    Invalid("connect, truncated", V3, "10 .. 0004 4d515454 04 02 00"),
    Invalid("connect, bytes left over", V3, "10 .. 0004 4d515454 04 02 0000 0001 61 00"),
    Invalid("connect, another protocol [MQTT-3.1.2-1]", V3, "10 .. 0004 48545450 04 02 0000 0001 61"),
    Invalid("connect, will missing", V3, "10 .. 0004 4d515454 04 06 0000 0001 61"),
    Invalid("connect, user name missing [MQTT-3.1.2-19]", V3, "10 .. 0004 4d515454 04 82 0000 0001 61"),
    Invalid("connect, no client ID [MQTT-3.1.3-3]", V3, "10 .. 0004 4d515454 04 02 0000"),
    Invalid("connect, client ID is not UTF-8 [MQTT-1.5.3-1]", V3, "10 .. 0004 4d515454 04 02 0000 0002 c080"),
    Invalid("connect, surrogate in client ID [MQTT-1.5.3-1]", V3, "10 .. 0004 4d515454 04 02 0000 0003 eda080"),
    Invalid("connect, U+0000 in client ID [MQTT-1.5.3-2]", V3, "10 .. 0004 4d515454 04 02 0000 0001 00"),
    Invalid("connack, reserved flags (3.2.2.1)", V3, "20 .. 02 00"),
    Invalid("connack, reserved return code (3.2.2.3)", V3, "20 .. 00 06", PROTOCOL_ERROR),
    Invalid("connack, session of the refused [MQTT-3.2.2-4]", V3, "20 .. 01 05", PROTOCOL_ERROR),
    Invalid("publish, QoS 3 [MQTT-3.3.1-4]", V3, "36 .. 0001 61 0001"),
    Invalid("publish, DUP at QoS 0 [MQTT-3.3.1-2]", V3, "38 .. 0001 61"),
    Invalid("publish, packet ID 0 [MQTT-2.3.1-1]", V3, "32 .. 0001 61 0000"),
    Invalid("publish, no packet ID", V3, "32 .. 0001 61"),
    Invalid("publish, topic longer than the packet", V3, "30 .. 0005 61"),
    Invalid("publish, no topic [MQTT-3.3.2-1]", V3, "30 .."),
    Invalid("puback, packet ID 0", V3, "40 .. 0000"),
    Invalid("puback, a reason code in 3.1.1", V3, "40 .. 0001 00"),
    Invalid("pubrec, no packet ID", V3, "50 .. 00"),
    Invalid("pubrel, flags [MQTT-3.6.1-1]", V3, "60 .. 0001"),
    Invalid("pubcomp, too long", V3, "70 .. 0001 0000"),
    Invalid("subscribe, no filter [MQTT-3.8.3-3]", V3, "82 .. 0001", PROTOCOL_ERROR),
    Invalid("subscribe, flags [MQTT-3.8.1-1]", V3, "80 .. 0001 0001 61 00"),
    Invalid("subscribe, QoS 3 [MQTT-3-8.3-4]", V3, "82 .. 0001 0001 61 03"),
    Invalid("subscribe, options of MQTT 5.0 [MQTT-3-8.3-4]", V3, "82 .. 0001 0001 61 04"),
    Invalid("subscribe, packet ID 0 [MQTT-2.3.1-1]", V3, "82 .. 0000 0001 61 00"),
    Invalid("subscribe, no QoS", V3, "82 .. 0001 0001 61"),
    Invalid("suback, reserved return code [MQTT-3.9.3-2]", V3, "90 .. 0001 87", PROTOCOL_ERROR),
    Invalid("unsubscribe, no filter [MQTT-3.10.3-2]", V3, "a2 .. 0001", PROTOCOL_ERROR),
    Invalid("unsubscribe, truncated", V3, "a2 .. 0001 0005 61"),
    Invalid("unsuback, codes in 3.1.1", V3, "b0 .. 0001 00"),
    Invalid("disconnect, a reason code in 3.1.1", V3, "e0 .. 00"),
    Invalid("auth in 3.1.1 (2.2.1)", V3, "f0 ..", PROTOCOL_ERROR),
    Invalid("packet type 0 (2.2.1)", V3, "00 .."),
    # what holds in MQTT 5.0: CONNECT and the will
    Invalid("connect, reserved flag [MQTT-3.1.2-3]", V5, f"{_CONNECT_5} 03 0000 00 0001 61"),
    Invalid("connect, will QoS without will [MQTT-3.1.2-11]", V5, f"{_CONNECT_5} 0a 0000 00 0001 61"),
    Invalid("connect, will QoS 3 [MQTT-3.1.2-12]", V5, f"{_CONNECT_5} 1e 0000 00 0001 61 00 0001 77 0000"),
    Invalid("connect, will retain without will [MQTT-3.1.2-13]", V5, f"{_CONNECT_5} 22 0000 00 0001 61"),
    Invalid("connect, will properties missing [MQTT-3.1.2-9]", V5, f"{_CONNECT_5} 06 0000 00 0001 61"),
    Invalid("connect, no property length", V5, f"{_START_5}"),
    Invalid("connect, bytes left over", V5, f"{_START_5} 00 0001 61 00"),
    Invalid("connect, zero receive maximum (3.1.2.11.3)", V5, f"{_START_5} 03 21 0000 0001 61", PROTOCOL_ERROR),
    Invalid("connect, zero packet size (3.1.2.11.4)", V5, f"{_START_5} 05 27 00000000 0001 61", PROTOCOL_ERROR),
    Invalid("connect, response information 2 (3.1.2.11.6)", V5, f"{_START_5} 02 19 02 0001 61", PROTOCOL_ERROR),
    Invalid("connect, problem information 2 (3.1.2.11.7)", V5, f"{_START_5} 02 17 02 0001 61", PROTOCOL_ERROR),
    Invalid("connect, data without method (3.1.2.11.10)", V5, f"{_START_5} 04 16 0001 64 0001 61", PROTOCOL_ERROR),
    Invalid("connect, session expiry twice", V5, f"{_START_5} 0a 11 00000001 11 00000001 0001 61", PROTOCOL_ERROR),
    Invalid("connect, will delay beside the will's own (2.2.2.2)", V5, f"{_START_5} 05 18 00000001 0001 61"),
    Invalid(
        "connect, session expiry in the will (2.2.2.2)",
        V5,
        f"{_CONNECT_5} 06 0000 00 0001 61 05 11 00000001 0001 77 0000",
    ),
    Invalid(
        "connect, payload format 2 in the will (3.1.3.2.3)",
        V5,
        f"{_CONNECT_5} 06 0000 00 0001 61 02 01 02 0001 77 0000",
        PROTOCOL_ERROR,
    ),
    Invalid("connect, U+0000 in client ID [MQTT-1.5.4-2]", V5, f"{_START_5} 00 0001 00"),
    Invalid("connect, surrogate in a user property [MQTT-1.5.7-1]", V5, f"{_START_5} 08 26 0003 eda080 0000 0001 61"),
    # the form of properties
    Invalid("properties, length beyond the packet", V5, f"{_START_5} 05 21 0001"),
    Invalid("properties, a value beyond their length", V5, f"{_START_5} 02 21 0001 0001 61"),
    Invalid("properties, an unknown identifier (2.2.2.2)", V5, f"{_START_5} 02 7f 00 0001 61"),
    Invalid("properties, identifier 0 (2.2.2.2)", V5, f"{_START_5} 02 00 00 0001 61"),
    Invalid("properties, an overlong length [MQTT-1.5.5-1]", V5, f"{_START_5} 8000 0001 61"),
    Invalid("properties, an overlong identifier [MQTT-1.5.5-1]", V5, f"{_START_5} 04 a100 0001 0001 61"),
    Invalid("properties, a length of five bytes (1.5.5)", V5, f"{_START_5} 8080808001 0001 61"),
    # the other packets
    Invalid("connack, reserved flags [MQTT-3.2.2-1]", V5, "20 .. 02 00 00"),
    Invalid("connack, session of the refused [MQTT-3.2.2-6]", V5, "20 .. 01 87 00", PROTOCOL_ERROR),
    Invalid("connack, a return code of 3.1.1 [MQTT-3.2.2-8]", V5, "20 .. 00 05 00", PROTOCOL_ERROR),
    Invalid("connack, no property length", V5, "20 .. 00 00"),
    Invalid("connack, maximum QoS 2 (3.2.2.3.4)", V5, "20 .. 00 00 02 24 02", PROTOCOL_ERROR),
    Invalid("connack, retain available 2 (3.2.2.3.5)", V5, "20 .. 00 00 02 25 02", PROTOCOL_ERROR),
    Invalid("connack, wildcards available 2 (3.2.2.3.11)", V5, "20 .. 00 00 02 28 02", PROTOCOL_ERROR),
    Invalid("connack, identifiers available 2 (3.2.2.3.12)", V5, "20 .. 00 00 02 29 02", PROTOCOL_ERROR),
    Invalid("connack, sharing available 2 (3.2.2.3.13)", V5, "20 .. 00 00 02 2a 02", PROTOCOL_ERROR),
    Invalid("publish, QoS 3 [MQTT-3.3.1-4]", V5, "36 .. 0001 61 0001 00"),
    Invalid("publish, packet ID 0 [MQTT-2.2.1-3]", V5, "32 .. 0001 61 0000 00"),
    Invalid("publish, no property length", V5, "30 .. 0001 61"),
    Invalid("publish, neither topic nor alias (3.3.2.1)", V5, "30 .. 0000 00", PROTOCOL_ERROR),
    Invalid("publish, alias 0 [MQTT-3.3.2-8]", V5, "30 .. 0001 61 03 23 0000", ReasonCode.TOPIC_ALIAS_INVALID),
    Invalid("publish, alias twice (3.3.2.3.4)", V5, "30 .. 0001 61 06 23 0001 23 0001", PROTOCOL_ERROR),
    Invalid("publish, payload format 2 (3.3.2.3.2)", V5, "30 .. 0001 61 02 01 02", PROTOCOL_ERROR),
    Invalid("publish, wildcard to respond to [MQTT-3.3.2-14]", V5, "30 .. 0001 61 04 08 0001 2b", PROTOCOL_ERROR),
    Invalid("publish, no topic to respond to [MQTT-4.7.3-1]", V5, "30 .. 0001 61 03 08 0000", PROTOCOL_ERROR),
    Invalid("publish, subscription identifier 0 (3.3.2.3.8)", V5, "30 .. 0001 61 02 0b 00", PROTOCOL_ERROR),
    Invalid("publish, an overlong identifier [MQTT-1.5.5-1]", V5, "30 .. 0001 61 03 0b 8100"),
    Invalid("publish, session expiry (2.2.2.2)", V5, "30 .. 0001 61 05 11 00000001"),
    Invalid("publish, content type is not UTF-8 [MQTT-3.3.2-19]", V5, "30 .. 0001 61 04 03 0001 ff"),
    Invalid("puback, packet ID 0", V5, "40 .. 0000"),
    Invalid("puback, an unknown reason [MQTT-3.4.2-1]", V5, "40 .. 0001 7f", PROTOCOL_ERROR),
    Invalid("puback, a reason of others [MQTT-3.4.2-1]", V5, "40 .. 0001 92", PROTOCOL_ERROR),
    Invalid("puback, reason string twice (3.4.2.2.2)", V5, "40 .. 0001 00 06 1f 0000 1f 0000", PROTOCOL_ERROR),
    Invalid("puback, bytes left over", V5, "40 .. 0001 00 00 00"),
    Invalid("puback, topic alias (2.2.2.2)", V5, "40 .. 0001 00 03 23 0001"),
    Invalid("pubrec, a reason of others [MQTT-3.5.2-1]", V5, "50 .. 0001 92", PROTOCOL_ERROR),
    Invalid("pubrel, a reason of others [MQTT-3.6.2-1]", V5, "62 .. 0001 80", PROTOCOL_ERROR),
    Invalid("pubcomp, a reason of others [MQTT-3.7.2-1]", V5, "70 .. 0001 10", PROTOCOL_ERROR),
    Invalid("subscribe, no filter [MQTT-3.8.3-2]", V5, "82 .. 0001 00", PROTOCOL_ERROR),
    Invalid("subscribe, QoS 3 (3.8.3.1)", V5, "82 .. 0001 00 0001 61 03", PROTOCOL_ERROR),
    Invalid("subscribe, retain handling 3 (3.8.3.1)", V5, "82 .. 0001 00 0001 61 30", PROTOCOL_ERROR),
    Invalid("subscribe, reserved option 6 [MQTT-3.8.3-5]", V5, "82 .. 0001 00 0001 61 40"),
    Invalid("subscribe, reserved option 7 [MQTT-3.8.3-5]", V5, "82 .. 0001 00 0001 61 80"),
    Invalid(
        "subscribe, no-local on a shared subscription [MQTT-3.8.3-4]",
        V5,
        "82 .. 0001 00 000a 2473686172652f672f61 05",
        PROTOCOL_ERROR,
    ),
    Invalid("subscribe, identifier 0 (3.8.2.1.2)", V5, "82 .. 0001 02 0b 00 0001 61 00", PROTOCOL_ERROR),
    Invalid("subscribe, two identifiers (3.8.2.1.2)", V5, "82 .. 0001 04 0b 01 0b 02 0001 61 00", PROTOCOL_ERROR),
    Invalid("subscribe, filter is not UTF-8 [MQTT-3.8.3-1]", V5, "82 .. 0001 00 0001 ff 00"),
    Invalid("suback, an unknown reason [MQTT-3.9.3-2]", V5, "90 .. 0001 00 03", PROTOCOL_ERROR),
    Invalid("unsubscribe, no filter [MQTT-3.10.3-2]", V5, "a2 .. 0001 00", PROTOCOL_ERROR),
    Invalid("unsubscribe, flags [MQTT-3.10.1-1]", V5, "a0 .. 0001 00 0001 61"),
    Invalid("unsubscribe, filter is not UTF-8 [MQTT-3.10.3-1]", V5, "a2 .. 0001 00 0001 ff"),
    Invalid("unsuback, a reason of SUBACK [MQTT-3.11.3-2]", V5, "b0 .. 0001 00 01", PROTOCOL_ERROR),
    Invalid("disconnect, flags [MQTT-3.14.1-1]", V5, "e1 .."),
    Invalid("disconnect, a reason of CONNACK [MQTT-3.14.2-1]", V5, "e0 .. 84", PROTOCOL_ERROR),
    Invalid("disconnect, bytes left over", V5, "e0 .. 00 00 00"),
    Invalid("auth, flags [MQTT-3.15.1-1]", V5, "f2 .."),
    Invalid("auth, an unknown reason [MQTT-3.15.2-1]", V5, "f0 .. 80 04 15 0001 6d", PROTOCOL_ERROR),
    Invalid("auth, no method (3.15.2.2.2)", V5, "f0 .. 18 00", PROTOCOL_ERROR),
    Invalid("auth, no property length", V5, "f0 .. 18"),
]
