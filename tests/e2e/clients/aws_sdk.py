"""AWS's IoT Device SDK v2, MQTT 3.1.1: `awsiot.mqtt_connection_builder`."""

from typing import Any

from awscrt import auth, mqtt
from awsiot import mqtt_connection_builder
from tests.e2e.clients.base import FAILURE, NONE, Arrived, Connected, Door, Options, Properties, Site, Version, only

from fogbank.cli.demo.inbox import PATIENCE, Inbox

GAVE_UP = 60
"""Seconds until the SDK reconnects by itself: later than any test ends."""


def credentials_provider(site: Site) -> Any:
    """The access key of the instance, as static credentials."""
    return auth.AwsCredentialsProvider.new_static(site.where.access_key_id, site.where.secret_access_key)


def custom_authorizer(site: Site) -> dict[str, str]:
    """What the builders of both versions take for a custom authorizer."""
    token = site.token()
    return {
        "auth_username": token.username,
        "auth_password": token.password,
        "auth_authorizer_name": token.authorizer,
        "auth_authorizer_signature": token.signature,
        "auth_token_key_name": token.key_name,
        "auth_token_value": token.value,
    }


class AwsSdk:
    """One connection."""

    def __init__(self, site: Site, version: Version, door: Door, options: Options) -> None:
        assert version is Version.V3_1_1
        self.messages: Inbox[Arrived] = Inbox()
        self._client_id = options.client_id
        self._gone = True
        will = options.will
        common = {
            "client_id": options.client_id,
            "clean_session": not options.persistent,
            "ca_filepath": site.where.ca_file,
            "keep_alive_secs": 60,
            "reconnect_min_timeout_secs": GAVE_UP,
            "on_connection_interrupted": self._on_interrupted,
            **only(will=will and mqtt.Will(will.topic, mqtt.QoS(will.qos), will.payload, False)),
        }
        address = site.address(door)
        common |= {"endpoint": address.host, "port": options.port or address.port}
        builder = mqtt_connection_builder
        match door:
            case Door.CERTIFICATE:
                files = {"cert_filepath": str(site.certificate), "pri_key_filepath": str(site.key)}
                self._connection = builder.mtls_from_path(**files, **common)
            case Door.SIGV4:
                self._connection = builder.websockets_with_default_aws_signing(
                    site.where.region, credentials_provider(site), **common
                )
            case Door.AUTHORIZER:
                self._connection = builder.direct_with_custom_authorizer(**custom_authorizer(site), **common)
                self._connection.port = common["port"]  # the builder knows 443 alone
            case Door.AUTHORIZER_BY_WEBSOCKET:
                self._connection = builder.websockets_with_custom_authorizer(**custom_authorizer(site), **common)
        self._connection.on_message(self._received)

    def connect(self) -> Connected:
        answer = self._connection.connect().result(PATIENCE)
        self._gone = False
        return Connected(answer["session_present"], self._client_id)

    def subscribe(self, filter_: str, qos: int = 1) -> int:
        subscribed, _ = self._connection.subscribe(filter_, mqtt.QoS(qos))
        try:
            return int(subscribed.result(PATIENCE)["qos"])
        except mqtt.SubscribeError:
            return FAILURE

    def unsubscribe(self, filter_: str) -> None:
        unsubscribed, _ = self._connection.unsubscribe(filter_)
        unsubscribed.result(PATIENCE)

    def publish(
        self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False, properties: Properties = NONE
    ) -> int:
        assert properties == NONE, "MQTT 3.1.1 has no properties"
        published, _ = self._connection.publish(topic, payload, mqtt.QoS(qos), retain)
        published.result(PATIENCE)
        return 0

    def close(self) -> None:
        disconnected = self._connection.disconnect()
        if not self._gone:  # the SDK answers at once only on a connection that stands
            disconnected.result(PATIENCE)
            self._gone = True

    def _on_interrupted(self, **_: Any) -> None:
        self._gone = True

    def _received(self, topic: str, payload: bytes, *, qos: mqtt.QoS, retain: bool, **_: Any) -> None:
        self.messages.put(Arrived(topic, bytes(payload), int(qos), retain))
