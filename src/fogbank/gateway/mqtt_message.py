"""An MQTT message as HTTP requests say it: topic, payload and the properties of MQTT 5, within the broker's bounds.

API reference, Publish and SendDirectMessage, which share these members.
"""

import base64
import binascii
from typing import Any

import msgspec

from fogbank.broker.publishing import expiry, message_properties, properties_problem
from fogbank.broker.quotas import NEVER, Quotas
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, RequestEntityTooLarge
from fogbank.gateway.call import Call, Members
from fogbank.message import Message, Origin
from fogbank.mqtt import Properties
from fogbank.topics import MAX_BYTES, InvalidTopic, check_topic

PAYLOAD_FORMATS = {"UNSPECIFIED_BYTES": 0, "UTF8_DATA": 1}


class MessageReader:
    """Makes messages of the parameters of requests."""

    def __init__(self, quotas: Quotas, clock: Clock) -> None:
        self._quotas = quotas
        self._clock = clock

    def read(self, call: Call, *, qos: int = 0, retain: bool = False) -> Message:
        """Raises InvalidRequest and RequestEntityTooLarge, naming what is wrong."""
        topic, payload = call.params["topic"], call.params.get("payload") or b""
        self._check_topic(topic)
        most = self._quotas.max_payload
        if len(payload) > most:
            raise RequestEntityTooLarge(f"the payload has {len(payload)} bytes; {most} are allowed")
        properties = _properties(call.params)
        if problem := properties_problem(properties, self._quotas):
            raise InvalidRequest(problem)
        return Message(
            topic,
            payload,
            qos,
            retain,
            Origin(call.caller.principal, source_ip=call.caller.source_ip),
            properties=message_properties(properties),
            expires_at=expiry(self._clock.time(), properties, self._quotas),
        )

    def _check_topic(self, topic: str) -> None:
        try:
            check_topic(topic)
        except InvalidTopic as error:
            raise InvalidRequest(str(error)) from None
        if problem := self._quotas.publish_problem(topic):
            raise InvalidRequest(problem)


def _properties(params: Members) -> Properties:
    indicator = params.get("payloadFormatIndicator")
    return Properties(
        payload_format=None if indicator is None else PAYLOAD_FORMATS[indicator],
        message_expiry=_message_expiry(params.get("messageExpiry")),
        content_type=_text("contentType", params.get("contentType")),
        response_topic=_response_topic(params.get("responseTopic")),
        correlation_data=_correlation_data(params.get("correlationData")),
        user_properties=_user_properties(params.get("userProperties")),
    )


def _message_expiry(seconds: int | None) -> int | None:
    """What is too long or too short is clamped by the quotas; MQTT has no room for what is even longer."""
    if seconds is not None and seconds < 0:
        raise InvalidRequest(f"messageExpiry is {seconds}, which is less than no time at all")
    return None if seconds is None else min(seconds, NEVER - 1)


def _response_topic(topic: str | None) -> str | None:
    if topic is not None:
        try:
            check_topic(topic)
        except InvalidTopic as error:
            raise InvalidRequest(f"responseTopic: {error} [MQTT-3.3.2-14]") from None
    return topic


def _correlation_data(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("correlationData is not base64") from None


def _user_properties(value: Any) -> tuple[tuple[str, str], ...]:
    """`[{"name": "value"}, ...]`. boto3 encodes what it is given as JSON, and the reference asks for a JSON string: so
    what comes may be JSON in JSON."""
    if value is None:
        return ()
    try:
        if isinstance(value, str):
            value = msgspec.json.decode(value)
        listed = msgspec.convert(value, list[dict[str, str]])
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRequest(
            'userProperties is not a JSON array of objects with texts, like [{"name": "value"}], in base64'
        ) from None
    pairs = tuple(pair for one in listed for pair in one.items())
    for pair in pairs:
        for text in pair:
            _text("userProperties", text)
    return pairs


def _text(member: str, text: str | None) -> str | None:
    """What MQTT can carry. [MQTT-1.5.4-2] (MQTT 5.0, 1.5.4)"""
    if text is not None:
        if "\0" in text:
            raise InvalidRequest(f"{member}: {text[:64]!r} holds a null character [MQTT-1.5.4-2]")
        if (size := len(text.encode())) > MAX_BYTES:
            raise InvalidRequest(f"{member} has {size} bytes; {MAX_BYTES} are allowed (MQTT 5.0, 1.5.4)")
    return text
