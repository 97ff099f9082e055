"""The app's own MQTT connection, with a certificate of its own: it sees what is published."""

from typing import Any

import msgspec
from awscrt import mqtt
from awscrt.exceptions import AwsCrtError
from awsiot import mqtt_connection_builder

from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import PATIENCE, Inbox
from fogbank.ready import Ready


class Received(msgspec.Struct, frozen=True):
    """A message that came."""

    topic: str
    payload: bytes

    def __str__(self) -> str:
        return f"{self.topic} {self.payload.decode(errors='replace')}"

    def json(self) -> Any:
        """The payload, decoded."""
        return msgspec.json.decode(self.payload)


class Observer:
    """A connected client; what it has subscribed to comes to `messages`."""

    def __init__(self, where: Ready, credentials: Credentials) -> None:
        self.messages: Inbox[Received] = Inbox()
        self._connection = mqtt_connection_builder.mtls_from_path(
            endpoint=where.mqtts.host,
            port=where.mqtts.port,
            cert_filepath=str(credentials.certificate),
            pri_key_filepath=str(credentials.key),
            ca_filepath=where.ca_file,
            client_id=credentials.thing,
            clean_session=True,
            keep_alive_secs=30,
        )
        self._connection.connect().result(PATIENCE)

    def subscribe(self, *filters: str) -> None:
        """Returns once the broker has acknowledged."""
        for filter_ in filters:
            subscribed, _ = self._connection.subscribe(filter_, mqtt.QoS.AT_LEAST_ONCE, self._received)
            subscribed.result(PATIENCE)

    def close(self) -> None:
        """Disconnect, where there is still a platform to disconnect from."""
        try:
            self._connection.disconnect().result(PATIENCE)
        except AwsCrtError:
            pass

    def _received(self, topic: str, payload: bytes, **_: Any) -> None:
        self.messages.put(Received(topic, payload))
