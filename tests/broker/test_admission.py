"""CONNECT: what is refused and with which code, what is agreed to, and what the client is told of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.broker import admission
from fogbank.broker.quotas import Quotas, quotas
from fogbank.message import MessageProperties, Origin
from fogbank.mqtt import Properties, ReasonCode
from fogbank.mqtt.packets import Connack, Connect, Will
from fogbank.settings import Limits

from .server import V3, V5, Server

OPEN, AWS = quotas(Limits.OPEN), quotas(Limits.AWS)
LONG_PROPERTIES = Properties(user_properties=(("k", "v" * 9000),))

REFUSED = {
    "an authentication method": (
        Connect("a", version=V5, properties=Properties(authentication_method="x")),
        ReasonCode.BAD_AUTHENTICATION_METHOD,
        True,
    ),
    "a long client ID": (Connect("é" * 65, version=V5), ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, False),
    "no client ID for a session that lasts": (
        Connect("", clean_start=False),  # [MQTT-3.1.3-8]
        ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
        True,
    ),
    "too small packets": (
        Connect("a", version=V5, properties=Properties(maximum_packet_size=511)),
        ReasonCode.UNSPECIFIED_ERROR,
        False,
    ),
    "long user properties": (
        Connect("a", version=V5, properties=LONG_PROPERTIES),
        ReasonCode.QUOTA_EXCEEDED,
        False,
    ),
    "a will to a filter": (Connect("a", will=Will("a/#", b"")), ReasonCode.TOPIC_NAME_INVALID, True),
    "a will at quality of service 2": (  # [MQTT-3.2.2-12]
        Connect("a", version=V5, will=Will("a", b"", 2)),
        ReasonCode.QOS_NOT_SUPPORTED,
        False,
    ),
    "a will that is deep": (Connect("a", will=Will("a/" * 8 + "a", b"")), ReasonCode.TOPIC_NAME_INVALID, False),
    "a will retained where nothing is": (
        Connect("a", will=Will("$aws/x", b"", retain=True)),
        ReasonCode.TOPIC_NAME_INVALID,
        False,
    ),
    "a large will": (Connect("a", will=Will("a", bytes(128 * 1024 + 1))), ReasonCode.QUOTA_EXCEEDED, False),
    "a will with long properties": (
        Connect("a", version=V5, will=Will("a", b"", properties=LONG_PROPERTIES)),
        ReasonCode.QUOTA_EXCEEDED,
        False,
    ),
}
"""What CONNECT brings, what AWS answers, and whether MQTT itself refuses it too."""


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    connect, code, always = REFUSED[name]
    problem = admission.problem(connect, AWS)
    assert problem is not None
    assert problem.code is code
    assert problem.text
    assert (admission.problem(connect, OPEN) is not None) is always


@pytest.mark.parametrize(
    "connect",
    [
        Connect(""),
        Connect("", version=V5, clean_start=False),
        Connect("é" * 64, clean_start=False),
        Connect("a", version=V5, properties=Properties(maximum_packet_size=512)),
        Connect("a", will=Will("a/" * 7 + "a", bytes(128 * 1024), 1, retain=True)),
    ],
)
@pytest.mark.parametrize("limits", [AWS, OPEN])
def test_not_refused(connect: Connect, limits: Quotas) -> None:
    assert admission.problem(connect, limits) is None


@given(st.integers(0, 65_535))
def test_the_keep_alive_is_within_what_is_served(asked: int) -> None:
    for limits in (AWS, OPEN):
        shortest, longest, default = limits.keep_alive
        for version in (V3, V5):
            held = admission.keep_alive(Connect("a", keep_alive=asked, version=version), limits)
            assert held == default if not asked else shortest <= held <= longest
            if not asked or held > asked:
                assert held in (default, shortest)


@given(st.booleans(), st.none() | st.integers(0, 0xFFFFFFFF))
def test_how_long_a_session_outlives_its_connection(clean: bool, asked: int | None) -> None:
    """Of MQTT 3.1.1, a session that is not clean lasts as long as any may; of 5, as long as it asks for."""
    for limits in (AWS, OPEN):
        old = admission.session_expiry(Connect("a", clean), limits)
        assert old == (0 if clean else limits.session_expiry)
        new = Connect("a", clean, version=V5, properties=Properties(session_expiry=asked))
        assert admission.session_expiry(new, limits) == min(asked or 0, limits.session_expiry)


def test_the_will_as_it_is_to_be_published() -> None:
    properties = Properties(will_delay=7, message_expiry=30, content_type="text", user_properties=(("a", "b"),))
    packet = Will("gone", b"bye", 1, retain=True, properties=properties)
    will = admission.will(Connect("a", will=packet), Origin("p", "a", "192.0.2.1"), OPEN)
    assert will is not None
    message = will.message
    assert (message.topic, message.payload, message.qos, message.retain, message.will) == (
        ("gone", b"bye", 1, True, True)
    )
    assert message.origin == Origin("p", "a", "192.0.2.1")
    assert message.properties == MessageProperties(content_type="text", user_properties=(("a", "b"),))
    assert (will.delay, will.expiry) == (7, 30)
    assert admission.will(Connect("a"), Origin(), OPEN) is None


async def answer(limits: Limits, connect: Connect) -> Connack:
    server = await Server(limits=limits).start()
    device = server.device(connect.version)
    device.send(connect)
    [connack] = [packet for packet in await device.take() if isinstance(packet, Connack)]
    server.bury()
    return connack


@pytest.mark.parametrize("limits", [Limits.AWS, Limits.OPEN])
async def test_an_old_client_is_told_nothing(limits: Limits) -> None:
    assert await answer(limits, Connect("a")) == Connack()


async def test_what_a_client_is_told_under_the_limits_of_aws() -> None:
    """AWS IoT developer guide, "MQTT 5 supported features"."""
    told = (await answer(Limits.AWS, Connect("a", keep_alive=5, version=V5))).properties
    assert told == Properties(
        receive_maximum=100,
        maximum_qos=1,
        retain_available=True,
        maximum_packet_size=AWS.max_packet,
        topic_alias_maximum=8,
        wildcard_available=True,
        subscription_identifiers_available=False,
        shared_available=True,
        server_keep_alive=AWS.keep_alive[0],
    )


async def test_what_a_client_is_told_without_limits() -> None:
    """What may be left out, since it is what the standard presumes, is left out or true."""
    told = (await answer(Limits.OPEN, Connect("a", keep_alive=5, version=V5))).properties
    assert (told.maximum_qos, told.maximum_packet_size, told.server_keep_alive) == (None, None, None)
    assert (told.retain_available, told.subscription_identifiers_available) == (True, True)
    assert told.assigned_client_id is None


async def test_a_client_without_a_name_is_given_one() -> None:
    """[MQTT-3.1.3-6] [MQTT-3.2.2-16]"""
    names = {(await answer(Limits.OPEN, Connect("", version=V5))).properties.assigned_client_id for _ in range(2)}
    assert None not in names
    assert len(names) == 2


@pytest.mark.parametrize(("asked", "held"), [(None, None), (0, None), (60, None), (0xFFFFFFFF, 3600)])
async def test_a_session_expiry_that_is_lowered_is_told(asked: int | None, held: int | None) -> None:
    connect = Connect("a", version=V5, properties=Properties(session_expiry=asked))
    assert (await answer(Limits.AWS, connect)).properties.session_expiry == held
