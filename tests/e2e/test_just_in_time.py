"""Devices that register themselves by connecting, whatever they speak."""

import datetime
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from awscrt.exceptions import AwsCrtError
from cryptography.hazmat.primitives.asymmetric import rsa
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from tests.e2e.conftest import Connect, CreateRule
from tests.e2e.sdk import SdkDevice
from tests.e2e.works import HOUR, Works, https, post_crl, publish, status, tls
from tests.registry import pki

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import Inbox
from fogbank.cli.demo.trace import TraceStream
from fogbank.ready import Ready

ACTIVATE = """
import boto3

iot = boto3.client("iot")


def handler(event, context):
    name = event["certificateId"][:16]
    arn = iot.describe_certificate(certificateId=event["certificateId"])["certificateDescription"]["certificateArn"]
    iot.create_thing(thingName=name)
    iot.attach_policy(policyName="{policy}", target=arn)
    iot.attach_thing_principal(thingName=name, principal=arn)
    iot.update_certificate(certificateId=event["certificateId"], newStatus="ACTIVE")
"""


@pytest.fixture
def works(app: App, tmp_path: Path) -> Works:
    return Works(app, tmp_path)


def refused(where: Ready, credentials: Credentials) -> None:
    with pytest.raises(AwsCrtError):
        SdkDevice(where, credentials).connect()


def test_an_unknown_device_is_refused_registered_and_told_of(
    where: Ready, app: App, works: Works, name: str, watcher: SdkDevice
) -> None:
    """Developer guide, auto-register-device-cert."""
    watcher.subscribe(works.topic)
    device, id_ = works.make(name)
    begun = int(time.time() * 1000)
    for attempt in (1, 2):
        refused(where, device)
        event = watcher.take(works.topic)
        assert begun <= event.pop("timestamp") <= int(time.time() * 1000)
        assert begun <= int(event.pop("certificateRegistrationTimestamp")) <= int(time.time() * 1000)
        assert (attempt, event) == (
            attempt,
            {
                "certificateId": id_,
                "caCertificateId": works.id,
                "certificateStatus": "PENDING_ACTIVATION",
                "awsAccountId": where.account_id,
            },
        )
    description = app.iot.describe_certificate(certificateId=id_)["certificateDescription"]
    assert (description["status"], description["caCertificateId"]) == ("PENDING_ACTIVATION", works.id)
    listed = app.iot.list_certificates_by_ca(caCertificateId=works.id)["certificates"]
    assert [one["certificateId"] for one in listed] == [id_]


def test_a_rule_and_a_function_take_it_in(
    where: Ready,
    app: App,
    works: Works,
    name: str,
    create_rule: CreateRule,
    trace: TraceStream,
    connect: Connect,
) -> None:
    app.create_policy(name, app.policy(("iot:*", "*")))
    may = ("iot:DescribeCertificate", "iot:CreateThing", "iot:AttachPolicy", "iot:AttachThingPrincipal")
    function = app.create_function(name, ACTIVATE.format(policy=name), *may, "iot:UpdateCertificate")
    create_rule(f"SELECT * FROM '{works.topic}'", app.invoke_from_rule(name, function))
    device, id_ = works.make(name)
    refused(where, device)
    run = trace.events.take("the function to run", lambda event: (event.kind, event.name) == ("function", name))
    assert run.status == "success"
    assert status(app, id_) == "ACTIVE"
    connect(device).publish(f"{name}/x", {})
    assert app.iot.list_thing_principals(thingName=id_[:16])["principals"] == [app.arn(f"cert/{id_}")]


def connack(where: Ready, credentials: Credentials, version: MQTTProtocolVersion, *alpn: str) -> int:
    """The code that answers CONNECT, on the HTTPS port where the protocol is chosen by ALPN."""
    codes: Inbox[int] = Inbox()
    client = paho.Client(CallbackAPIVersion.VERSION2, credentials.thing, protocol=version)
    client.tls_set_context(tls(where, credentials, *alpn))
    client.on_connect = lambda _1, _2, _3, code, _4: codes.put(code.value)
    address = where.https if alpn else where.mqtts
    client.connect(address.host, address.port)
    client.loop_start()
    try:
        return codes.take("CONNACK")
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize("alpn", [(), ("x-amzn-mqtt-ca",)], ids=["port 8883", "port 443"])
@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
def test_on_every_port_in_every_version(
    where: Ready, app: App, works: Works, name: str, alpn: tuple[str, ...], version: MQTTProtocolVersion
) -> None:
    device, id_ = works.make(name)
    # paho gives MQTT 5's code for MQTT 3.1.1's 5
    assert connack(where, device, version, *alpn) == 135
    assert status(app, id_) == "PENDING_ACTIVATION"


def test_over_https(where: Ready, app: App, works: Works, name: str, watcher: SdkDevice) -> None:
    watcher.subscribe(works.topic)
    app.create_policy(name, app.policy(("iot:Publish", f"topic/{name}/*")))
    device, id_ = works.make(name)
    connection = https(where, device)
    try:
        assert publish(connection, f"{name}/x") == 403
        assert watcher.take(works.topic)["certificateId"] == id_
        app.iot.attach_policy(policyName=name, target=app.arn(f"cert/{id_}"))
        app.iot.update_certificate(certificateId=id_, newStatus="ACTIVE")
        assert publish(connection, f"{name}/x") == 200, "on the same connection"
    finally:
        connection.close()


def test_a_handshake_alone_registers_nothing(where: Ready, app: App, works: Works, name: str) -> None:
    """As was measured at AWS."""
    device, id_ = works.make(name)
    connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"
    with (
        socket.create_connection((where.mqtts.host, where.mqtts.port)) as plain,
        tls(where, device).wrap_socket(plain, server_hostname=where.mqtts.host) as secured,
    ):
        secured.sendall(connect[:1])
        assert status(app, id_) is None
        secured.sendall(connect[1:])
        assert secured.recv(4) == b"\x20\x02\x00\x05"
        assert status(app, id_) == "PENDING_ACTIVATION"


Bad = Callable[[Works], dict[str, Any]]
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
BAD: dict[str, Bad] = {
    "expired": lambda works: {"end": NOW - HOUR},
    "not valid yet": lambda works: {"start": NOW + HOUR},
    "weak key": lambda works: {"key": rsa.generate_private_key(65537, 1024)},
    "a CA's": lambda works: {"ca": True},
}


@pytest.mark.parametrize("what", BAD)
def test_what_its_ca_should_not_have_signed_is_not_registered(
    where: Ready, app: App, works: Works, name: str, what: str
) -> None:
    device, id_ = works.make(name, **BAD[what](works))
    if what == "weak key":
        with pytest.raises(Exception, match=r"(?i)key|tls|ssl|socket"):  # OpenSSL itself holds back, on either side
            connack(where, device, MQTTProtocolVersion.MQTTv311)
    else:
        assert connack(where, device, MQTTProtocolVersion.MQTTv311) == 135
    assert status(app, id_) is None


def test_what_its_ca_has_not_signed_is_not_registered(
    where: Ready, app: App, works: Works, name: str, trace: TraceStream
) -> None:
    """The name of the issuer is right each time, the signature is not; or it is the CA itself."""
    namesake = pki.Authority(works.authority.name.rfc4514_string().removeprefix("CN="))
    key = pki.new_key()
    for certificate, with_key, why in (
        (namesake.issue(name, key=key), key, "has not signed it"),
        (namesake.certificate, namesake.key, "has not signed it"),
        (works.authority.certificate, works.authority.key, "one of a CA"),
    ):
        device, id_ = works.files(name, certificate, with_key)
        assert connack(where, device, MQTTProtocolVersion.MQTTv5) == 135
        refusal = trace.events.take("the refusal", lambda event: (event.kind, event.status) == ("connect", "denied"))
        assert why in refusal.reason
        assert status(app, id_) is None


def test_a_ca_that_registers_nobody_by_itself(where: Ready, app: App, works: Works, name: str) -> None:
    device, id_ = works.make(name)
    app.iot.update_ca_certificate(certificateId=works.id, newAutoRegistrationStatus="DISABLE")
    refused(where, device)
    assert status(app, id_) is None
    app.iot.update_ca_certificate(certificateId=works.id, newAutoRegistrationStatus="ENABLE")
    refused(where, device)
    assert status(app, id_) == "PENDING_ACTIVATION"


def test_a_device_that_was_revoked_before_it_came_stays_out(where: Ready, app: App, works: Works, name: str) -> None:
    device, id_ = works.make(name, serial=7)
    assert post_crl(where, works.authority.revoke(7, at=NOW))[0] == 200
    refused(where, device)
    assert status(app, id_) is None
