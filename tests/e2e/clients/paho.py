"""Eclipse Paho's client for Python, both versions; its network loop runs on a thread."""

import ssl
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.reasoncodes import ReasonCode
from tests.e2e.clients.base import NONE, SESSION_EXPIRY, Arrived, Connected, Door, Options, Properties, Site, Version
from tests.e2e.clients.signing import presigned_path

from fogbank.cli.demo.inbox import PATIENCE, Inbox

FIELDS = {
    "response_topic": "ResponseTopic",
    "correlation": "CorrelationData",
    "content_type": "ContentType",
    "expiry": "MessageExpiryInterval",
}
"""Ours, and what the standard and so the library calls them."""


def to_paho(properties: Properties) -> PahoProperties:
    """For a PUBLISH."""
    made = PahoProperties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for ours, theirs in FIELDS.items():
        if (value := getattr(properties, ours)) is not None:
            setattr(made, theirs, value)
    if properties.user:
        made.UserProperty = list(properties.user)
    return made


def from_paho(properties: PahoProperties | None) -> Properties:
    """Of a PUBLISH."""
    if properties is None:
        return NONE
    values: dict[str, Any] = {ours: getattr(properties, theirs, None) for ours, theirs in FIELDS.items()}
    return Properties(user=tuple(getattr(properties, "UserProperty", ())), **values)


def session_expiry() -> PahoProperties:
    """For a CONNECT."""
    made = PahoProperties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    made.SessionExpiryInterval = SESSION_EXPIRY
    return made


def tls_context(site: Site, door: Door) -> ssl.SSLContext:
    """One that trusts the instance's authority, and has the client's certificate where that is to be shown."""
    context = ssl.create_default_context(cafile=site.where.ca_file)
    if door is Door.CERTIFICATE:
        context.load_cert_chain(site.certificate, site.key)
    return context


def websocket_headers(site: Site) -> dict[str, str]:
    """The token, for the head of the request."""
    token = site.token()
    return {
        "x-amz-customauthorizer-name": token.authorizer,
        "x-amz-customauthorizer-signature": token.signature,
        token.key_name: token.value,
    }


class Paho:
    """One client."""

    def __init__(self, site: Site, version: Version, door: Door, options: Options) -> None:
        self.messages: Inbox[Arrived] = Inbox()
        self._answers: Inbox[tuple[str, int, int]] = Inbox()
        """What came, the packet identifier, the code."""
        self._outcomes: Inbox[Connected | str] = Inbox()
        self._options = options
        self._version = version
        self._address = site.address(door)
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            options.client_id,
            clean_session=not options.persistent if version is Version.V3_1_1 else None,
            protocol=MQTTProtocolVersion(version),
            transport="websockets" if door.by_websocket else "tcp",
            reconnect_on_failure=False,
        )
        client.tls_set_context(tls_context(site, door))
        if door is Door.SIGV4:
            client.ws_set_options(presigned_path(site.where, options.port))
        elif door is Door.AUTHORIZER_BY_WEBSOCKET:
            client.ws_set_options("/mqtt", websocket_headers(site))
            client.username_pw_set(site.token().username, site.token().password)
        if options.will is not None:
            client.will_set(options.will.topic, options.will.payload, options.will.qos)
        client.on_connect = self._connected
        client.on_connect_fail = lambda *_: self._outcomes.put("no connection")
        client.on_message = self._received
        client.on_publish = lambda _c, _u, mid, code, _p: self._answers.put(("publish", mid, code.value))
        client.on_subscribe = lambda _c, _u, mid, codes, _p: self._answers.put(("subscribe", mid, codes[0].value))
        client.on_unsubscribe = lambda _c, _u, mid, _codes, _p: self._answers.put(("unsubscribe", mid, 0))

    def connect(self) -> Connected:
        later: dict[str, Any] = {}
        if self._version is Version.V5:
            later["clean_start"] = not self._options.persistent
            if self._options.persistent:
                later["properties"] = session_expiry()
        self._client.connect(self._address.host, self._options.port or self._address.port, **later)
        self._client.loop_start()
        outcome = self._outcomes.take("CONNACK")
        if isinstance(outcome, str):
            raise ConnectionRefusedError(outcome)
        return outcome

    def subscribe(self, filter_: str, qos: int = 1) -> int:
        _, mid = self._client.subscribe(filter_, qos)
        return self._answer("subscribe", mid)

    def unsubscribe(self, filter_: str) -> None:
        _, mid = self._client.unsubscribe(filter_)
        self._answer("unsubscribe", mid)

    def publish(
        self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False, properties: Properties = NONE
    ) -> int:
        sent = to_paho(properties) if self._version is Version.V5 else None
        info = self._client.publish(topic, payload, qos, retain, sent)
        info.wait_for_publish(PATIENCE)
        return self._answer("publish", info.mid)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _answer(self, kind: str, mid: int | None) -> int:
        return self._answers.take(f"the answer to {kind}", lambda one: one[:2] == (kind, mid))[2]

    def _connected(
        self,
        _client: mqtt.Client,
        _data: Any,
        flags: mqtt.ConnectFlags,
        code: ReasonCode,
        properties: PahoProperties | None,
    ) -> None:
        if code.is_failure:
            self._outcomes.put(str(code))
            return
        assigned = getattr(properties, "AssignedClientIdentifier", self._options.client_id)
        self._outcomes.put(Connected(flags.session_present, assigned))

    def _received(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        properties = from_paho(message.properties)
        self.messages.put(Arrived(message.topic, bytes(message.payload), message.qos, message.retain, properties))
