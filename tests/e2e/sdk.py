"""A device in the test's own process, by AWS's IoT Device SDK."""

import json
from typing import Any

from awscrt import mqtt
from awsiot import mqtt_connection_builder

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import PATIENCE, Inbox
from fogbank.cli.demo.observer import Received
from fogbank.ready import Ready


def certificate_arn(app: App, credentials: Credentials) -> str:
    """Of the one certificate that the thing has."""
    [arn] = app.iot.list_thing_principals(thingName=credentials.thing)["principals"]
    return str(arn)


class SdkDevice:
    """One connection; what comes is in `messages`, why it broke in `interruptions`."""

    def __init__(self, where: Ready, credentials: Credentials, **options: Any) -> None:
        self.messages: Inbox[Received] = Inbox()
        self.interruptions: Inbox[str] = Inbox()
        self._interrupted = False
        defaults = {
            "endpoint": where.mqtts.host,
            "port": where.mqtts.port,
            "client_id": credentials.thing,
            "clean_session": True,
            "keep_alive_secs": 60,
            "reconnect_min_timeout_secs": 60,  # what was interrupted stays so, and does not disturb the test
        }
        self.connection = mqtt_connection_builder.mtls_from_path(
            cert_filepath=str(credentials.certificate),
            pri_key_filepath=str(credentials.key),
            ca_filepath=where.ca_file,
            on_connection_interrupted=self._on_interrupted,
            **(defaults | options),
        )
        self.connection.on_message(self._received)

    def connect(self) -> bool:
        """Whether a session was present. Raises AwsCrtError where the broker refuses."""
        answer: dict[str, bool] = self.connection.connect().result(PATIENCE)
        return answer["session_present"]

    def subscribe(self, *filters: str) -> None:
        """At quality of service 1."""
        for filter_ in filters:
            subscribed, _ = self.connection.subscribe(filter_, mqtt.QoS.AT_LEAST_ONCE)
            subscribed.result(PATIENCE)

    def publish(self, topic: str, payload: dict[str, Any], *, wait: bool = True) -> None:
        """At quality of service 1; returns when it is acknowledged, unless told not to `wait`."""
        published, _ = self.connection.publish(topic, json.dumps(payload), mqtt.QoS.AT_LEAST_ONCE)
        if wait:
            published.result(PATIENCE)

    def take(self, topic: str) -> Any:
        """The next message on the topic, decoded."""
        return self.messages.take(f"a message on {topic}", lambda message: message.topic == topic).json()

    def close(self) -> None:
        """Disconnect. The SDK answers that at once only on a connection that stands."""
        disconnected = self.connection.disconnect()
        if not self._interrupted:
            disconnected.result(PATIENCE)

    def _on_interrupted(self, connection: mqtt.Connection, error: Exception, **_: Any) -> None:
        self._interrupted = True
        self.interruptions.put(str(error))

    def _received(self, topic: str, payload: bytes, **_: Any) -> None:
        self.messages.put(Received(topic, payload))
