"""Messages out of the parameters of requests."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.data_plane import APP, DEVICE, REQUEST

from fogbank.broker.quotas import quotas
from fogbank.errors import InvalidRequest, RequestEntityTooLarge
from fogbank.gateway.call import Call, Caller
from fogbank.gateway.mqtt_message import MessageReader
from fogbank.message import NO_PROPERTIES, Message, MessageProperties, Origin
from fogbank.settings import Limits
from fogbank.testing import FakeClock

CLOCK = FakeClock()


def read(caller: Caller = APP, limits: Limits = Limits.AWS, **params: Any) -> Message:
    call = Call("iot-data", "Publish", {"topic": "a/b"} | params, caller, REQUEST)
    return MessageReader(quotas(limits), CLOCK).read(call)


def test_a_message_with_its_origin() -> None:
    """A caller over HTTP has no client ID: `clientid()` of rules is `n/a`."""
    assert read(DEVICE, payload=b"\x00") == Message(
        "a/b", b"\x00", origin=Origin(DEVICE.principal, None, "10.0.0.9"), properties=NO_PROPERTIES
    )


def test_a_message_may_be_empty() -> None:
    assert read().payload == b""


def test_all_properties() -> None:
    message = read(
        payloadFormatIndicator="UTF8_DATA",
        contentType="application/json",
        responseTopic="answers/1",
        correlationData=base64.b64encode(b"\xff\x00").decode(),
        userProperties=[{"b": "1"}, {"a": "2"}, {"b": "3", "c": "4"}],
    )
    assert message.properties == MessageProperties(
        payload_format=1,
        content_type="application/json",
        response_topic="answers/1",
        correlation_data=b"\xff\x00",
        user_properties=(("b", "1"), ("a", "2"), ("b", "3"), ("c", "4")),
    )
    assert read(payloadFormatIndicator="UNSPECIFIED_BYTES").properties.payload_format == 0


@pytest.mark.parametrize("value", ['[{"a": "1"}, {"a": "2"}]', [{"a": "1"}, {"a": "2"}]])
def test_user_properties_may_be_json_in_json(value: Any) -> None:
    """boto3 encodes what it is given, and the reference says to give it a JSON string."""
    assert read(userProperties=value).properties.user_properties == (("a", "1"), ("a", "2"))


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(0, 1), (1, 1), (600, 600), (604_800, 604_800), (604_801, 604_800), (1 << 80, 604_800)],
)
def test_expiry_is_clamped(asked: int, seconds: int) -> None:
    """General reference: 1 to 604,800 seconds; 0 is raised to 1."""
    assert read(messageExpiry=asked).expires_at == CLOCK.time() + seconds


def test_without_expiry_it_never_expires() -> None:
    assert read().expires_at is None
    assert read(limits=Limits.OPEN, messageExpiry=1 << 80).expires_at is not None


@pytest.mark.parametrize(
    ("topic", "what"),
    [
        ("a/+", "holds a wildcard"),
        ("#", "holds a wildcard"),
        ("", "is empty"),
        ("a\0", "null character"),
        ("ä" * 129, "258 bytes; 256 are allowed"),
        ("/" * 8, "9 levels; 8 are allowed"),
        ("$aws/rules/r" + "/" * 9, "9 levels; 8 are allowed"),
    ],
)
def test_topics_that_cannot_be(topic: str, what: str) -> None:
    with pytest.raises(InvalidRequest, match=what):
        read(topic=topic)


def test_basic_ingest_counts_without_its_prefix() -> None:
    assert read(topic="$aws/rules/r/1/2/3/4/5/6/7/8").topic.endswith("/8")


def test_the_longest_payload() -> None:
    assert len(read(payload=bytes(128 * 1024)).payload) == 131_072
    with pytest.raises(RequestEntityTooLarge, match="131073 bytes; 131072 are allowed"):
        read(payload=bytes(128 * 1024 + 1))


@pytest.mark.parametrize(
    ("member", "value", "what"),
    [
        ("messageExpiry", -1, "messageExpiry is -1"),
        ("responseTopic", "a/+", "responseTopic: .*wildcard"),
        ("responseTopic", "", "responseTopic: .*empty"),
        ("contentType", "x" * 257, "content type has 257 bytes; 256"),
        ("contentType", "a\0", "contentType: .*null character"),
        ("correlationData", "!", "correlationData is not base64"),
        ("correlationData", base64.b64encode(bytes(8193)).decode(), "correlation data has 8193 bytes; 8192"),
        ("userProperties", "not JSON", "userProperties is not a JSON array"),
        ("userProperties", {"a": "1"}, "userProperties is not a JSON array"),
        ("userProperties", [{"a": 1}], "userProperties is not a JSON array"),
        ("userProperties", ["a"], "userProperties is not a JSON array"),
        ("userProperties", 5, "userProperties is not a JSON array"),
        ("userProperties", '"[]"', "userProperties is not a JSON array"),
        ("userProperties", [{"a\0": "1"}], "userProperties: .*null character"),
        ("userProperties", [{"a": "x" * 8192}], "8193 bytes together; 8192"),
    ],
)
def test_what_is_not_sound_is_refused_by_name(member: str, value: Any, what: str) -> None:
    with pytest.raises(InvalidRequest, match=what):
        read(**{member: value})


def test_texts_that_mqtt_cannot_carry() -> None:
    """However wide the limits are. (MQTT 5.0, 1.5.4)"""
    with pytest.raises(InvalidRequest, match="65536 bytes; 65535"):
        read(limits=Limits.OPEN, userProperties=[{"a": "x" * 65_536}])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=JSON)
def test_whatever_user_properties_are_they_are_taken_or_refused(value: Any) -> None:
    try:
        pairs = read(userProperties=value).properties.user_properties
    except InvalidRequest:
        return
    if isinstance(value, list):
        assert pairs == tuple(pair for one in value for pair in one.items())
