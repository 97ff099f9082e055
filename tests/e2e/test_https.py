"""The HTTPS port: MQTT by ALPN, and REST for devices that have a certificate and no MQTT."""

import http.client
import json
import socket
import ssl
import threading
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from tests.e2e.sdk import certificate_arn

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.ready import Ready


@pytest.fixture
def holder(app: App, name: str) -> Credentials:
    """A thing whose policy allows REST on its own shadow, and MQTT."""
    return app.create_thing(
        name,
        app.policy(
            ("iot:GetThingShadow", f"thing/{name}"),
            ("iot:UpdateThingShadow", f"thing/{name}"),
            ("iot:Publish", f"topic/device/{name}/*"),
            ("iot:Connect", f"client/{name}"),
            ("iot:Subscribe", f"topicfilter/device/{name}/*"),
            ("iot:Receive", f"topic/device/{name}/*"),
        ),
    )


def context(where: Ready, credentials: Credentials | None, *protocols: str) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=where.ca_file)
    if credentials is not None:
        made.load_cert_chain(credentials.certificate, credentials.key)
    if protocols:
        made.set_alpn_protocols(list(protocols))
    return made


def ask(
    where: Ready, credentials: Credentials | None, method: str, path: str, body: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPSConnection(
        where.https.host, where.https.port, context=context(where, credentials, "x-amzn-http-ca"), timeout=10
    )
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "{}")
    finally:
        connection.close()


def test_a_device_reads_and_updates_its_shadow(where: Ready, app: App, holder: Credentials) -> None:
    path = f"/things/{holder.thing}/shadow"
    assert ask(where, holder, "GET", path)[0] == 404
    status, updated = ask(where, holder, "POST", path, {"state": {"reported": {"on": True}}})
    assert (status, updated["version"]) == (200, 1)
    assert app.shadow(holder.thing) == {"reported": {"on": True}}
    status, read = ask(where, holder, "GET", path)
    assert (status, read["state"]) == (200, {"reported": {"on": True}})


@pytest.mark.parametrize(("method", "path"), [("GET", "/things/another/shadow"), ("DELETE", "/things/{thing}/shadow")])
def test_what_its_policy_does_not_allow_is_forbidden(where: Ready, holder: Credentials, method: str, path: str) -> None:
    status, _ = ask(where, holder, method, path.format(thing=holder.thing))
    assert status == 403


def test_nobody_comes_in_without_certificate_and_signature(where: Ready, holder: Credentials) -> None:
    assert ask(where, None, "GET", f"/things/{holder.thing}/shadow")[0] == 403


def test_an_inactive_certificate_is_forbidden(where: Ready, app: App, holder: Credentials) -> None:
    certificate_id = certificate_arn(app, holder).rpartition("/")[2]
    app.iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    assert ask(where, holder, "GET", f"/things/{holder.thing}/shadow")[0] == 403


def test_mqtt_is_chosen_by_alpn_as_paho_does_on_port_443(where: Ready, holder: Credentials) -> None:
    topic = f"device/{holder.thing}/x"
    came, payloads = threading.Event(), []

    def on_connect(client: paho.Client, *_: Any) -> None:
        client.subscribe(topic, 1)

    def on_subscribe(client: paho.Client, *_: Any) -> None:
        client.publish(topic, b"over 443", 1)

    def on_message(client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        payloads.append(message.payload)
        came.set()

    client = paho.Client(CallbackAPIVersion.VERSION2, holder.thing, protocol=paho.MQTTv311)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.tls_set_context(context(where, holder, "x-amzn-mqtt-ca"))
    client.connect(where.https.host, where.https.port)
    client.loop_start()
    try:
        assert came.wait(10)
        assert payloads == [b"over 443"]
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (("x-amzn-mqtt-ca",), "x-amzn-mqtt-ca"),
        (("x-amzn-http-ca",), "x-amzn-http-ca"),
        (("h2", "http/1.1"), "http/1.1"),
        ((), None),
    ],
)
def test_alpn(where: Ready, holder: Credentials, offered: tuple[str, ...], chosen: str | None) -> None:
    tcp = socket.create_connection((where.https.host, where.https.port), 10)
    with context(where, holder, *offered).wrap_socket(tcp, server_hostname=where.https.host) as connection:
        assert connection.selected_alpn_protocol() == chosen


def test_a_device_publishes_over_https(where: Ready, holder: Credentials) -> None:
    assert ask(where, holder, "POST", f"/topics/device/{holder.thing}/x?qos=1", {"on": True})[0] == 200
    assert ask(where, holder, "POST", "/topics/device/another/x?qos=1", {"on": True})[0] == 403
