"""The fixed header and the primitive types (MQTT 3.1.1, sections 1.5 and 2.2; MQTT 5.0, 1.5 and 2.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.mqtt.codec import (
    MAX_REMAINING_LENGTH,
    PacketType,
    Reader,
    check_flags,
    decode_length,
    decode_string,
    encode_length,
    encode_string,
)
from fogbank.mqtt.errors import MalformedPacket, ProtocolViolation
from fogbank.mqtt.reasons import ReasonCode

TABLE_2_4 = [
    (0, b"\x00"),
    (127, b"\x7f"),
    (128, b"\x80\x01"),
    (16_383, b"\xff\x7f"),
    (16_384, b"\x80\x80\x01"),
    (2_097_151, b"\xff\xff\x7f"),
    (2_097_152, b"\x80\x80\x80\x01"),
    (268_435_455, b"\xff\xff\xff\x7f"),
]


@pytest.mark.parametrize(("length", "encoded"), TABLE_2_4)
def test_remaining_lengths_of_the_standards_table(length: int, encoded: bytes) -> None:
    assert encode_length(length) == encoded
    assert decode_length(encoded, 0) == (length, len(encoded))


@given(st.integers(0, MAX_REMAINING_LENGTH), st.binary(max_size=3))
def test_remaining_length_round_trips_wherever_it_stands(length: int, before: bytes) -> None:
    encoded = encode_length(length)
    assert decode_length(before + encoded, len(before)) == (length, len(before) + len(encoded))
    assert all(decode_length(encoded[:cut], 0) is None for cut in range(len(encoded)))


def test_a_remaining_length_of_five_bytes_is_malformed() -> None:
    with pytest.raises(MalformedPacket, match="four bytes"):
        decode_length(b"\x80\x80\x80\x80\x01", 0)


@pytest.mark.parametrize("first", [0x00, 0x0F, 0x11, 0x41, 0x60, 0x80, 0x83, 0xA0, 0xC1, 0xE8, 0xF1])
def test_reserved_types_and_flags_are_malformed(first: int) -> None:
    with pytest.raises(MalformedPacket):
        check_flags(first)


def test_the_flags_of_publish_are_its_own() -> None:
    assert {check_flags(0x30 | flags) for flags in range(16)} == {PacketType.PUBLISH}


def test_the_flags_of_every_other_packet_are_fixed() -> None:
    """[MQTT-2.2.2-1] [MQTT-2.1.3-1]"""
    two = {PacketType.PUBREL, PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE}
    assert {check_flags(kind << 4 | (2 if kind in two else 0)) for kind in PacketType} == set(PacketType)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff", id="no UTF-8"),
        pytest.param(b"\xed\xa0\x80", id="a surrogate [MQTT-1.5.3-1] [MQTT-1.5.4-1]"),
        pytest.param(b"a\x00b", id="U+0000 [MQTT-1.5.3-2] [MQTT-1.5.4-2]"),
        pytest.param(b"\xc0\x80", id="an overlong form"),
    ],
)
def test_strings_that_are_not_allowed(data: bytes) -> None:
    with pytest.raises(MalformedPacket):
        decode_string(data)


def test_a_byte_order_mark_is_a_character() -> None:
    """[MQTT-1.5.3-3] [MQTT-1.5.4-3]"""
    assert decode_string(b"\xef\xbb\xbfx") == "\ufeffx"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50))
def test_strings_round_trip(text: str) -> None:
    reader = Reader(encode_string(text))
    assert reader.string() == text
    reader.finish()


def test_running_out_of_bytes_says_how_many_are_missing() -> None:
    with pytest.raises(MalformedPacket, match="3 bytes too early"):
        Reader(b"\x00\x05ab").binary()


@pytest.mark.parametrize(("value", "encoded"), TABLE_2_4)
def test_variable_byte_integers_of_the_standards_table(value: int, encoded: bytes) -> None:
    reader = Reader(encoded + b"x")
    assert reader.variable() == value
    assert reader.rest() == b"x"


@pytest.mark.parametrize("encoded", [b"\x80\x00", b"\x81\x00", b"\xff\x80\x00", b"\xff\xff\xff\x00"])
def test_a_variable_byte_integer_takes_no_more_bytes_than_it_needs(encoded: bytes) -> None:
    """[MQTT-1.5.5-1]"""
    with pytest.raises(MalformedPacket, match=r"\[MQTT-1.5.5-1\]"):
        Reader(encoded).variable()


@pytest.mark.parametrize("encoded", [b"", b"\x80", b"\xff\xff\xff", b"\xff\xff\xff\xff\x00"])
def test_a_variable_byte_integer_has_one_to_four_bytes(encoded: bytes) -> None:
    with pytest.raises(MalformedPacket, match=r"too early|longer than four bytes"):
        Reader(encoded).variable()


def test_integers_are_big_endian() -> None:
    reader = Reader(bytes.fromhex("01 0203 04050607"))
    assert (reader.byte(), reader.uint16(), reader.uint32()) == (1, 0x0203, 0x04050607)
    assert not reader


def test_a_pair_is_two_strings() -> None:
    assert Reader(bytes.fromhex("0001 61 0002 6263")).pair() == ("a", "bc")


def test_a_reason_code_is_one_of_those_that_are_allowed() -> None:
    allowed = frozenset({ReasonCode.SUCCESS, ReasonCode.NOT_AUTHORIZED})
    assert Reader(b"\x87").reason_code(allowed, "") is ReasonCode.NOT_AUTHORIZED
    with pytest.raises(ProtocolViolation, match=r"0x88.*the clause"):
        Reader(b"\x88").reason_code(allowed, "the clause")
