"""The reason codes: paho-mqtt's list as the oracle, and what MQTT 3.1.1 can say of them."""

import pytest
from paho.mqtt.reasoncodes import ReasonCode as PahoReasonCode

from fogbank.mqtt import ReasonCode, Version
from fogbank.mqtt.codec import PacketType
from fogbank.mqtt.errors import MalformedPacket, PacketTooLarge, ProtocolViolation, UnsupportedVersion
from fogbank.mqtt.packets import (
    RETURN_CODES,
    Connack,
    Puback,
    Pubcomp,
    Pubrec,
    Pubrel,
    ReturnCode,
    auth,
    connack,
    disconnect,
    return_code,
    subscribe,
    unsubscribe,
)

ALLOWED = {
    PacketType.CONNACK: connack.REASONS,
    PacketType.PUBACK: Puback.REASONS,
    PacketType.PUBREC: Pubrec.REASONS,
    PacketType.PUBREL: Pubrel.REASONS,
    PacketType.PUBCOMP: Pubcomp.REASONS,
    PacketType.SUBACK: subscribe.REASONS,
    PacketType.UNSUBACK: unsubscribe.REASONS,
    PacketType.DISCONNECT: disconnect.REASONS,
    PacketType.AUTH: auth.REASONS,
}


def test_there_are_all_reason_codes() -> None:
    assert {int(code) for code in ReasonCode} == set(PahoReasonCode.names)


@pytest.mark.parametrize("kind", ALLOWED)
def test_a_packet_bears_the_codes_that_are_its_own(kind: PacketType) -> None:
    paho = {value for value, names in PahoReasonCode.names.items() for packets in names.values() if kind in packets}
    if kind is PacketType.CONNACK:
        paho.add(ReasonCode.PAYLOAD_FORMAT_INVALID)  # paho follows section 2.4; 3.2.2.2 has it for the will's payload
    assert {int(code) for code in ALLOWED[kind]} == paho


@pytest.mark.parametrize("reason", sorted(connack.REASONS | RETURN_CODES.keys()))
def test_mqtt_3_1_1_is_told_in_its_own_words(reason: ReasonCode) -> None:
    code = return_code(reason)
    assert (code is ReturnCode.ACCEPTED) == (reason is ReasonCode.SUCCESS)
    assert Connack(reason).encode(Version.V3_1_1) == bytes((0x20, 2, 0, code))


@pytest.mark.parametrize(
    ("reason", "code", "byte"),
    [
        (ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, ReturnCode.UNACCEPTABLE_PROTOCOL_VERSION, 1),
        (ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, ReturnCode.IDENTIFIER_REJECTED, 2),
        (ReasonCode.SERVER_BUSY, ReturnCode.SERVER_UNAVAILABLE, 3),
        (ReasonCode.BAD_USER_NAME_OR_PASSWORD, ReturnCode.BAD_USER_NAME_OR_PASSWORD, 4),
        (ReasonCode.BANNED, ReturnCode.NOT_AUTHORIZED, 5),
        (ReasonCode.QOS_NOT_SUPPORTED, ReturnCode.SERVER_UNAVAILABLE, 3),
    ],
)
def test_reasons_and_their_return_codes(reason: ReasonCode, code: ReturnCode, byte: int) -> None:
    assert return_code(reason) is code
    assert Connack(code).encode() == bytes((0x20, 2, 0, byte))


def test_a_return_code_is_no_reason_code() -> None:
    with pytest.raises(ValueError, match="is not a valid ReasonCode"):
        Connack(ReturnCode.NOT_AUTHORIZED).encode(Version.V5)


def test_violations_know_their_reason_code() -> None:
    assert ProtocolViolation("x").code is ReasonCode.PROTOCOL_ERROR
    assert ProtocolViolation("x", code=ReasonCode.SERVER_BUSY).code is ReasonCode.SERVER_BUSY
    assert MalformedPacket("x").code is ReasonCode.MALFORMED_PACKET
    assert PacketTooLarge("x").code is ReasonCode.PACKET_TOO_LARGE
    assert UnsupportedVersion("MQTT", 6).code is ReasonCode.UNSUPPORTED_PROTOCOL_VERSION
