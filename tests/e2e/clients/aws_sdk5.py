"""AWS's IoT Device SDK v2, MQTT 5: `awsiot.mqtt5_client_builder`."""

from typing import Any

from awscrt import mqtt5
from awsiot import mqtt5_client_builder
from tests.e2e.clients.aws_sdk import GAVE_UP, credentials_provider, custom_authorizer
from tests.e2e.clients.base import (
    NONE,
    SESSION_EXPIRY,
    Arrived,
    Connected,
    Door,
    Options,
    Properties,
    Site,
    Version,
    only,
)

from fogbank.cli.demo.inbox import PATIENCE, Inbox

ALIASES = mqtt5.TopicAliasingOptions(
    outbound_behavior=mqtt5.OutboundTopicAliasBehaviorType.LRU,
    outbound_cache_max_size=4,
    inbound_behavior=mqtt5.InboundTopicAliasBehaviorType.ENABLED,
    inbound_cache_max_size=4,
)


class AwsSdk5:
    """One client."""

    def __init__(self, site: Site, version: Version, door: Door, options: Options) -> None:
        assert version is Version.V5
        self.messages: Inbox[Arrived] = Inbox()
        self._outcomes: Inbox[Connected | str] = Inbox()
        self._stopped: Inbox[str] = Inbox()
        self._started = False
        rejoin, clean = mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS, mqtt5.ClientSessionBehaviorType.CLEAN
        will = options.will
        common = {
            "client_id": options.client_id,
            "session_behavior": rejoin if options.persistent else clean,
            "ca_filepath": site.where.ca_file,
            "min_reconnect_delay_ms": GAVE_UP * 1000,
            "max_reconnect_delay_ms": GAVE_UP * 1000,
            "on_publish_received": self._received,
            "on_lifecycle_connection_success": self._succeeded,
            "on_lifecycle_connection_failure": self._failed,
            "on_lifecycle_stopped": lambda _: self._stopped.put("stopped"),
            **only(
                session_expiry_interval_sec=SESSION_EXPIRY if options.persistent else None,
                topic_aliasing_options=ALIASES if options.aliases else None,
                will=will and mqtt5.PublishPacket(will.payload, mqtt5.QoS(will.qos), False, will.topic),
            ),
        }
        address = site.address(door)
        common |= {"endpoint": address.host, "port": options.port or address.port}
        builder = mqtt5_client_builder
        match door:
            case Door.CERTIFICATE:
                files = {"cert_filepath": str(site.certificate), "pri_key_filepath": str(site.key)}
                self._client = builder.mtls_from_path(**files, **common)
            case Door.SIGV4:
                self._client = builder.websockets_with_default_aws_signing(
                    site.where.region, credentials_provider(site), **common
                )
            case Door.AUTHORIZER:
                self._client = builder.direct_with_custom_authorizer(**custom_authorizer(site), **common)
            case Door.AUTHORIZER_BY_WEBSOCKET:
                self._client = builder.websockets_with_custom_authorizer(**custom_authorizer(site), **common)

    def connect(self) -> Connected:
        self._client.start()
        self._started = True
        outcome = self._outcomes.take("the connection")
        if isinstance(outcome, str):
            raise ConnectionRefusedError(outcome)
        return outcome

    def subscribe(self, filter_: str, qos: int = 1) -> int:
        packet = mqtt5.SubscribePacket([mqtt5.Subscription(filter_, mqtt5.QoS(qos))])
        return int(self._client.subscribe(packet).result(PATIENCE).reason_codes[0])

    def unsubscribe(self, filter_: str) -> None:
        self._client.unsubscribe(mqtt5.UnsubscribePacket([filter_])).result(PATIENCE)

    def publish(
        self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False, properties: Properties = NONE
    ) -> int:
        packet = mqtt5.PublishPacket(
            payload,
            mqtt5.QoS(qos),
            retain,
            topic,
            message_expiry_interval_sec=properties.expiry,
            response_topic=properties.response_topic,
            correlation_data_bytes=properties.correlation,
            content_type=properties.content_type,
            user_properties=[mqtt5.UserProperty(name, value) for name, value in properties.user],
        )
        puback = self._client.publish(packet).result(PATIENCE).puback
        return int(puback.reason_code or 0) if qos else 0

    def close(self) -> None:
        self._client.stop(mqtt5.DisconnectPacket())
        if self._started:
            self._stopped.take("the client to stop")
            self._started = False

    def _succeeded(self, data: mqtt5.LifecycleConnectSuccessData) -> None:
        settings = data.negotiated_settings
        self._outcomes.put(Connected(settings.rejoined_session, settings.client_id))

    def _failed(self, data: mqtt5.LifecycleConnectFailureData) -> None:
        code = data.connack_packet and data.connack_packet.reason_code
        self._outcomes.put(f"{data.exception}, reason code {code}")

    def _received(self, data: mqtt5.PublishReceivedData) -> None:
        packet: Any = data.publish_packet
        properties = Properties(
            user=tuple((one.name, one.value) for one in packet.user_properties or ()),
            response_topic=packet.response_topic,
            correlation=packet.correlation_data_bytes,
            content_type=packet.content_type,
            expiry=packet.message_expiry_interval_sec,
        )
        self.messages.put(
            Arrived(packet.topic, bytes(packet.payload or b""), int(packet.qos), packet.retain, properties)
        )
