"""Just-in-time provisioning end to end: a factory's own CA, a template, and devices nobody has told us of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from awscrt.exceptions import AwsCrtError
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.e2e.conftest import Connect
from tests.e2e.identity import store
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import eventually
from fogbank.cli.demo.trace import TraceStream
from fogbank.cli.own_authority import OwnAuthority
from fogbank.ready import Ready

Produce = Callable[..., Credentials]
DEVICE = "AWS::IoT::Certificate::CommonName"
UNIT = "AWS::IoT::Certificate::OrganizationalUnit"


def template(app: App) -> str:
    """A thing of the common name, with its unit, that may speak for itself alone."""
    policy = app.policy(
        ("iot:Connect", "client/${iot:Connection.Thing.ThingName}"),
        ("iot:Publish", "topic/factory/${iot:Connection.Thing.ThingName}"),
    )
    properties = {"ThingName": {"Ref": DEVICE}, "AttributePayload": {"unit": {"Ref": UNIT}}}
    return json.dumps(
        {
            "Parameters": {name: {"Type": "String"} for name in (DEVICE, UNIT, "AWS::IoT::Certificate::Id")},
            "Resources": {
                "thing": {"Type": "AWS::IoT::Thing", "Properties": properties},
                "certificate": {
                    "Type": "AWS::IoT::Certificate",
                    "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"},
                },
                "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": json.dumps(policy)}},
            },
        }
    )


@pytest.fixture
def factory(name: str) -> OwnAuthority:
    return OwnAuthority.make(f"{name} factory", 30)


@pytest.fixture
def produce(factory: OwnAuthority, tmp_path: Path) -> Produce:
    """`produce(name)`: a device as it leaves the factory, with a certificate that only the factory knows of."""

    def produce(name: str, unit: str | None = "lamps") -> Credentials:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if unit is not None:
            subject.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return store(tmp_path, name, factory.issue(x509.Name(subject), key.public_key(), 30), pem.decode())

    return produce


def register(app: App, factory: OwnAuthority, **registration: str) -> str:
    """The CA's ID."""
    made = app.iot.register_ca_certificate(
        caCertificate=factory.pem.decode(),
        verificationCertificate=factory.verification(app.iot.get_registration_code()["registrationCode"]),
        setAsActive=True,
        allowAutoRegistration=True,
        registrationConfig=registration,
    )
    return str(made["certificateId"])


@pytest.fixture
def inline(app: App) -> dict[str, str]:
    return {"templateBody": template(app), "roleArn": app.role("provisioner", "iot:*")}


@pytest.fixture
def named(app: App, name: str) -> dict[str, str]:
    app.iot.create_provisioning_template(
        templateName=name,
        templateBody=template(app),
        provisioningRoleArn=app.role("provisioner", "iot:*"),
        type="JITP",
        enabled=True,
    )
    return {"templateName": name}


def refused(where: Ready, credentials: Credentials) -> None:
    with pytest.raises(AwsCrtError):
        SdkDevice(where, credentials).connect()


def is_in(where: Ready, credentials: Credentials) -> bool:
    """Whether the device is in, of one attempt."""
    device = SdkDevice(where, credentials)
    try:
        device.connect()
    except AwsCrtError:
        return False
    device.publish(f"factory/{credentials.thing}", {"on": True})
    device.close()
    return True


def certificates(app: App, ca: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = app.iot.list_certificates_by_ca(caCertificateId=ca)["certificates"]
    return found


@pytest.mark.parametrize("registration", ["inline", "named"])
def test_a_device_is_in_when_it_comes_again(
    where: Ready,
    app: App,
    factory: OwnAuthority,
    produce: Produce,
    name: str,
    registration: str,
    request: pytest.FixtureRequest,
    trace: TraceStream,
) -> None:
    ca = register(app, factory, **request.getfixturevalue(registration))
    lamp = produce(name)
    refused(where, lamp)
    step = trace.events.take("the provisioning", lambda one: one.kind == "provisioning")
    assert (step.status, (step.detail or {})["thingName"]) == ("success", name)
    assert is_in(where, lamp)
    [certificate] = certificates(app, ca)
    assert certificate["status"] == "ACTIVE"
    assert app.iot.describe_thing(thingName=name)["attributes"] == {"unit": "lamps"}
    assert app.iot.list_thing_principals(thingName=name)["principals"] == [certificate["certificateArn"]]


def test_a_device_that_tries_and_tries(
    where: Ready, app: App, factory: OwnAuthority, produce: Produce, inline: dict[str, str], name: str
) -> None:
    """As the guide tells devices to."""
    ca = register(app, factory, **inline)
    lamp = produce(name)
    eventually("the device to be in", lambda: is_in(where, lamp), lambda in_: in_)
    assert len(certificates(app, ca)) == 1


def test_a_subject_without_what_the_template_asks_for(
    where: Ready,
    app: App,
    factory: OwnAuthority,
    produce: Produce,
    inline: dict[str, str],
    name: str,
    trace: TraceStream,
) -> None:
    ca = register(app, factory, **inline)
    refused(where, produce(name, None))
    step = trace.events.take("the provisioning", lambda one: one.kind == "provisioning")
    assert step.status == "failure"
    assert UNIT in step.reason
    assert [one["status"] for one in certificates(app, ca)] == ["PENDING_ACTIVATION"]
    with pytest.raises(app.iot.exceptions.ResourceNotFoundException):
        app.iot.describe_thing(thingName=name)


def test_a_template_that_is_switched_on_later(
    where: Ready,
    app: App,
    factory: OwnAuthority,
    produce: Produce,
    named: dict[str, str],
    name: str,
    trace: TraceStream,
) -> None:
    """What failed is tried again with the device's next attempt."""
    register(app, factory, **named)
    app.iot.update_provisioning_template(templateName=name, enabled=False)
    lamp = produce(name)
    refused(where, lamp)
    step = trace.events.take("the provisioning", lambda one: one.kind == "provisioning")
    assert "not enabled" in step.reason
    app.iot.update_provisioning_template(templateName=name, enabled=True)
    refused(where, lamp)
    trace.events.take("the provisioning", lambda one: one.kind == "provisioning" and one.status == "success")
    assert is_in(where, lamp)


def test_another_device_of_the_name_of_one_that_is_there(
    where: Ready,
    app: App,
    factory: OwnAuthority,
    produce: Produce,
    inline: dict[str, str],
    name: str,
    trace: TraceStream,
    connect: Connect,
) -> None:
    register(app, factory, **inline)
    app.iot.create_thing(thingName=name, attributePayload={"attributes": {"unit": "doors"}})
    refused(where, produce(name))
    step = trace.events.take("the provisioning", lambda one: one.kind == "provisioning")
    assert step.status == "failure"
    assert app.iot.describe_thing(thingName=name)["attributes"] == {"unit": "doors"}


@pytest.mark.parametrize("body", ["{", "{}", json.dumps({"Resources": {}, "DeviceConfiguration": {"a": "b"}})])
def test_templates_that_are_none(app: App, factory: OwnAuthority, body: str) -> None:
    with pytest.raises(app.iot.exceptions.InvalidRequestException):
        register(app, factory, templateBody=body, roleArn=app.role("provisioner", "iot:*"))


def test_a_template_that_a_ca_names_stays(app: App, factory: OwnAuthority, named: dict[str, str], name: str) -> None:
    ca = register(app, factory, **named)
    with pytest.raises(app.iot.exceptions.DeleteConflictException):
        app.iot.delete_provisioning_template(templateName=name)
    app.iot.update_ca_certificate(certificateId=ca, removeAutoRegistration=True)
    app.iot.delete_provisioning_template(templateName=name)
