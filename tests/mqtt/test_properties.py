"""The properties of MQTT 5.0: our table against paho-mqtt's, and its rules for every property and packet."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from tests.mqtt.strategies import properties

from fogbank.mqtt import NO_PROPERTIES, Properties, ReasonCode
from fogbank.mqtt.codec import MAX_REMAINING_LENGTH, PacketType, Reader
from fogbank.mqtt.errors import MalformedPacket, ProtocolViolation
from fogbank.mqtt.properties import TABLE, WILL, Property, decode_properties, encode_properties

PLACES = [kind for kind in PacketType if kind not in (PacketType.PINGREQ, PacketType.PINGRESP)] + [WILL]

PAHO_NAMES = {
    "payload_format": "PayloadFormatIndicator",
    "message_expiry": "MessageExpiryInterval",
    "content_type": "ContentType",
    "response_topic": "ResponseTopic",
    "correlation_data": "CorrelationData",
    "subscription_identifiers": "SubscriptionIdentifier",
    "session_expiry": "SessionExpiryInterval",
    "assigned_client_id": "AssignedClientIdentifier",
    "server_keep_alive": "ServerKeepAlive",
    "authentication_method": "AuthenticationMethod",
    "authentication_data": "AuthenticationData",
    "request_problem_information": "RequestProblemInformation",
    "will_delay": "WillDelayInterval",
    "request_response_information": "RequestResponseInformation",
    "response_information": "ResponseInformation",
    "server_reference": "ServerReference",
    "reason_string": "ReasonString",
    "receive_maximum": "ReceiveMaximum",
    "topic_alias_maximum": "TopicAliasMaximum",
    "topic_alias": "TopicAlias",
    "maximum_qos": "MaximumQoS",
    "retain_available": "RetainAvailable",
    "user_properties": "UserProperty",
    "maximum_packet_size": "MaximumPacketSize",
    "wildcard_available": "WildcardSubscriptionAvailable",
    "subscription_identifiers_available": "SubscriptionIdentifierAvailable",
    "shared_available": "SharedSubscriptionAvailable",
}


def _read(encoded: str, place: int = PacketType.PUBLISH) -> Properties:
    reader = Reader(bytes.fromhex(encoded))
    some = decode_properties(reader, place)
    reader.finish()
    return some


def _id(value: Property | int) -> str:
    return value.name if isinstance(value, Property) else "WILL" if value == WILL else PacketType(value).name


def _paho(place: int) -> Any:
    return PahoProperties(place or PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]


def test_the_table_is_pahos() -> None:
    paho = _paho(PacketType.PUBLISH)
    assert tuple(row.field for row in TABLE) == Properties.__struct_fields__
    assert {row.id for row in TABLE} == set(paho.properties)
    for row in TABLE:
        assert paho.getIdentFromName(PAHO_NAMES[row.field]) == row.id
        packets = {0 if kind == PacketTypes.WILLMESSAGE else kind for kind in paho.properties[row.id][1]}
        assert set(row.places) == packets, row.name


@pytest.mark.parametrize("place", PLACES, ids=_id)
@given(data=st.data())
def test_properties_round_trip(place: int, data: st.DataObject) -> None:
    some = data.draw(properties(place))
    reader = Reader(encode_properties(some, place) + b"rest")
    assert decode_properties(reader, place) == some
    assert reader.rest() == b"rest"


@pytest.mark.parametrize("place", PLACES, ids=_id)
@given(data=st.data())
def test_paho_reads_what_we_write_and_we_read_what_it_writes(place: int, data: st.DataObject) -> None:
    some = data.draw(properties(place))
    assume((some.maximum_packet_size or 0) <= MAX_REMAINING_LENGTH)  # paho refuses more, which the standard allows
    paho = _paho(place)
    paho.unpack(encode_properties(some, place))
    for field, name in PAHO_NAMES.items():
        value = getattr(some, field)
        value = list(value) if isinstance(value, tuple) else value
        assert getattr(paho, name, None) == (value if value != [] else None), name
    assert decode_properties(Reader(paho.pack()), place) == some


def test_no_properties_are_one_byte() -> None:
    """[MQTT-2.2.2-1]"""
    assert encode_properties(NO_PROPERTIES, PacketType.PUBLISH) == b"\0"
    assert encode_properties(Properties(), PacketType.PUBLISH) == b"\0"
    assert _read("00") is NO_PROPERTIES


@pytest.mark.parametrize(("row", "place"), [(row, place) for row in TABLE for place in PLACES], ids=_id)
def test_a_property_stands_only_where_it_has_a_place(row: Property, place: int) -> None:
    """(2.2.2.2)"""
    value: Any = {"user_properties": (("a", "b"),), "subscription_identifiers": (1,)}.get(row.field)
    value = value or {"Reader.string": "a", "Reader.binary": b"a"}.get(row.type.read.__qualname__, 1)
    some = Properties(**{row.field: value})
    home = row.places[0]
    block = encode_properties(some, home)
    if row.field == "authentication_data":
        block = encode_properties(Properties(authentication_method="m", authentication_data=b"a"), home)
    if place in row.places:
        decoded = decode_properties(Reader(block), place)
        assert getattr(decoded, row.field) == value
        assert encode_properties(decoded, place) == block
    else:
        with pytest.raises(MalformedPacket, match="has no place in"):
            decode_properties(Reader(block), place)
        with pytest.raises(ValueError, match=f"{row.name} has no place in"):
            encode_properties(some, place)


@pytest.mark.parametrize(("row", "place"), [(row, place) for row in TABLE for place in row.places], ids=_id)
def test_a_property_stands_once_save_where_it_may_repeat(row: Property, place: int) -> None:
    method = "15 0001 6d" if row.field == "authentication_data" else ""
    values = {"Reader.byte": "01", "Reader.uint16": "0001", "Reader.uint32": "00000001", "Reader.variable": "01"}
    one = f"{row.id:02x}" + values.get(row.type.read.__qualname__, "0001 61 0001 61")
    if row.type.read in (Reader.string, Reader.binary):
        one = f"{row.id:02x} 0001 61"
    block = bytes.fromhex(method + one + one)
    encoded = bytes((len(block),)) + block
    if row.field == "user_properties" or (row.field == "subscription_identifiers" and place == PacketType.PUBLISH):
        assert len(getattr(decode_properties(Reader(encoded), place), row.field)) == 2
    else:
        with pytest.raises(ProtocolViolation, match=f"{row.name} stands more than once") as caught:
            decode_properties(Reader(encoded), place)
        assert caught.value.code is ReasonCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("encoded", "place", "code", "text"),
    [
        ("03 23 0000", PacketType.PUBLISH, ReasonCode.TOPIC_ALIAS_INVALID, r"topic alias 0.*\[MQTT-3.3.2-8\]"),
        ("03 21 0000", PacketType.CONNACK, ReasonCode.PROTOCOL_ERROR, "receive maximum 0"),
        ("05 27 00000000", PacketType.CONNACK, ReasonCode.PROTOCOL_ERROR, "maximum packet size 0"),
        ("02 0b 00", PacketType.SUBSCRIBE, ReasonCode.PROTOCOL_ERROR, "subscription identifiers 0"),
        ("06 08 0003 612f23", WILL, ReasonCode.PROTOCOL_ERROR, r"response topic 'a/#'.*\[MQTT-3.3.2-14\]"),
        ("04 16 0001 61", PacketType.CONNACK, ReasonCode.PROTOCOL_ERROR, "data without authentication method"),
        ("02 28 ff", PacketType.CONNACK, ReasonCode.PROTOCOL_ERROR, "wildcard available 255"),
        ("05 18 00000001", PacketType.CONNECT, ReasonCode.MALFORMED_PACKET, "will delay has no place in CONNECT"),
        ("05 11 00000001", WILL, ReasonCode.MALFORMED_PACKET, "session expiry has no place in a will"),
        ("02 2b 00", WILL, ReasonCode.MALFORMED_PACKET, "no property has the identifier 0x2b"),
        ("01 26", WILL, ReasonCode.MALFORMED_PACKET, "too early"),
        ("80", WILL, ReasonCode.MALFORMED_PACKET, "too early"),
    ],
)
def test_an_error_names_the_property_and_the_rule(encoded: str, place: int, code: ReasonCode, text: str) -> None:
    with pytest.raises(ProtocolViolation, match=text) as caught:
        _read(encoded, place)
    assert caught.value.code is code


def test_flags_are_booleans_and_numbers_are_numbers() -> None:
    some = _read("04 24 01 25 00", PacketType.CONNACK)
    assert some.retain_available is False
    assert type(some.maximum_qos) is int


def test_many_user_properties_take_time_in_proportion() -> None:
    """A block of 100 000 of them is read whole: their order is kept."""
    several = tuple((str(number), "") for number in range(100_000))
    block = encode_properties(Properties(user_properties=several), PacketType.PUBLISH)
    assert decode_properties(Reader(block), PacketType.PUBLISH).user_properties == several


@given(st.sampled_from(PLACES), st.binary(max_size=40))
def test_arbitrary_bytes_are_properties_or_a_violation_and_nothing_else(place: int, data: bytes) -> None:
    try:
        some = decode_properties(Reader(bytes((len(data),)) + data), place)
    except ProtocolViolation:
        return
    assert decode_properties(Reader(encode_properties(some, place)), place) == some
