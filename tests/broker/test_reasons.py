"""Every reason why a connection ends has its word at AWS, and its code in MQTT 5 where a client is told."""

import pytest

from fogbank.broker.reasons import TOLD, DisconnectReason, Refused, Throttled
from fogbank.mqtt import ReasonCode
from fogbank.mqtt.codec import PacketType
from fogbank.mqtt.packets import Disconnect

from .server import V5

GUIDE = """
    AUTH_ERROR CLIENT_INITIATED_DISCONNECT CLIENT_ERROR CONNECTION_LOST DUPLICATE_CLIENTID FORBIDDEN_ACCESS
    MQTT_KEEP_ALIVE_TIMEOUT SERVER_ERROR SERVER_INITIATED_DISCONNECT THROTTLED WEBSOCKET_TTL_EXPIRATION
    CUSTOMAUTH_TTL_EXPIRATION API_INITIATED_DISCONNECT
"""
"""AWS IoT developer guide, "Lifecycle events", the table of `disconnectReason`."""
SILENT = {DisconnectReason.CLIENT_INITIATED_DISCONNECT, DisconnectReason.CONNECTION_LOST}
"""After these nobody is there to be told."""


def test_the_words_are_those_of_the_guide() -> None:
    assert {reason.value for reason in DisconnectReason} == set(GUIDE.split())


@pytest.mark.parametrize("reason", DisconnectReason)
def test_who_is_told_and_who_is_not(reason: DisconnectReason) -> None:
    assert (reason in TOLD) == (reason not in SILENT)


@pytest.mark.parametrize("code", sorted(set(TOLD.values())))
def test_each_is_a_code_that_a_server_sends(code: ReasonCode) -> None:
    """(MQTT 5.0, 3.14.2.1) The codec would not take it otherwise."""
    assert code >= 0x80
    data = Disconnect(code).encode(V5)
    assert data[0] == PacketType.DISCONNECT << 4
    assert Disconnect.decode(data[2:], V5).code == code


def test_a_refusal_has_the_code_of_its_reason_or_a_better_one() -> None:
    assert Refused(DisconnectReason.AUTH_ERROR, "no").code is ReasonCode.NOT_AUTHORIZED
    assert Refused(DisconnectReason.CLIENT_ERROR, "no", ReasonCode.QUOTA_EXCEEDED).code is ReasonCode.QUOTA_EXCEEDED
    throttled = Throttled("too fast")
    assert (throttled.reason, throttled.code) == (DisconnectReason.THROTTLED, ReasonCode.QUOTA_EXCEEDED)
