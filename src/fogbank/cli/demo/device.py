"""The device: a lamp with a thermometer, built on AWS's IoT Device SDK as any device would be.

Run as `python -m fogbank.cli.demo.device`, a process of its own that can be killed like one. Orders come as lines of
JSON on stdin, what happens goes as lines of JSON to stdout. Nothing in here knows Fogbank: given an endpoint of AWS
and a certificate from there, it is a lamp on AWS.
"""

import argparse
import json
import sys
import threading
import time
from concurrent.futures import Future
from typing import Any

from awscrt import mqtt
from awscrt.exceptions import AwsCrtError
from awsiot import mqtt_connection_builder

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
"""Seconds between attempts to connect: twice as many each time."""

GONE = {"state": {"reported": {"connected": False}}}
"""The will: what the broker is to say of the lamp when the lamp cannot any more."""


class Lamp:
    """Connects, obeys its shadow, and does what it is told."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._name = arguments.thing
        self._shadow = f"$aws/things/{self._name}/shadow/update"
        self._printing = threading.Lock()
        self._connection = mqtt_connection_builder.mtls_from_path(
            endpoint=arguments.endpoint,
            port=arguments.port,
            cert_filepath=arguments.cert,
            pri_key_filepath=arguments.key,
            ca_filepath=arguments.ca,
            client_id=self._name,
            clean_session=True,
            keep_alive_secs=30,
            will=mqtt.Will(f"device/{self._name}/will", mqtt.QoS.AT_LEAST_ONCE, json.dumps(GONE).encode(), False),
            on_connection_interrupted=self._interrupted,
        )

    def start(self) -> None:
        """Connect, however often it takes, and listen for what is desired of the lamp.

        A device that registers itself by connecting is always refused the first time.
        """
        pause = FIRST_PAUSE
        while not self._connects():
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        subscribed, _ = self._connection.subscribe(f"{self._shadow}/delta", mqtt.QoS.AT_LEAST_ONCE, self._desired)
        subscribed.result()
        self._say("connected")

    def obey(self, order: dict[str, Any]) -> None:
        """{"do": "publish", "topic": ..., "payload": ...} or {"do": "report", "state": ...}."""
        if order["do"] == "report":
            self._report(order["state"])
        else:
            self._publish(order["topic"], order["payload"])

    def _connects(self) -> bool:
        try:
            self._connection.connect().result()
        except AwsCrtError as error:
            self._say("refused", error=str(error))
            return False
        return True

    def _desired(self, topic: str, payload: bytes, **_: Any) -> None:
        delta = json.loads(payload)["state"]
        self._say("delta", payload=delta)
        self._report(delta)  # here a real lamp would first turn itself into what is desired

    def _report(self, state: dict[str, Any]) -> None:
        self._publish(self._shadow, {"state": {"reported": state}})

    def _publish(self, topic: str, payload: dict[str, Any]) -> None:
        published, _ = self._connection.publish(topic, json.dumps(payload), mqtt.QoS.AT_LEAST_ONCE)
        published.add_done_callback(lambda done: self._published(done, topic, payload))

    def _published(self, done: "Future[Any]", topic: str, payload: dict[str, Any]) -> None:
        if done.exception() is None:
            self._say("published", topic=topic, payload=payload)

    def _interrupted(self, connection: mqtt.Connection, error: Exception, **_: Any) -> None:
        self._say("interrupted", error=str(error))

    def _say(self, kind: str, **fields: Any) -> None:
        with self._printing:
            print(json.dumps({"kind": kind, **fields}), flush=True)


def main() -> None:
    """Live until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("thing", "endpoint", "cert", "key", "ca"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--port", type=int, default=8883)
    lamp = Lamp(parser.parse_args())
    lamp.start()
    for line in sys.stdin:
        lamp.obey(json.loads(line))


if __name__ == "__main__":
    main()
