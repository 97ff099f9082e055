"""Devices that should not get in, many at once and with hostile names: nothing is half done, and the rest get in."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from awscrt.exceptions import AwsCrtError
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.e2e.conftest import Connect
from tests.e2e.identity import store
from tests.e2e.registry_storm import ask, at_once, client, signing_request
from tests.e2e.sdk import SdkDevice
from tests.e2e.works import Works, status
from tests.registry import pki

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import eventually
from fogbank.ready import Ready
from fogbank.registry.certificate_checks import id_of

OWN = "AWS::IoT::Certificate::"
SUBJECT = {
    "Country": NameOID.COUNTRY_NAME,
    "Organization": NameOID.ORGANIZATION_NAME,
    "OrganizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "DistinguishedNameQualifier": NameOID.DN_QUALIFIER,
    "StateName": NameOID.STATE_OR_PROVINCE_NAME,
    "CommonName": NameOID.COMMON_NAME,
    "SerialNumber": NameOID.SERIAL_NUMBER,
}
"""The built-in parameters (developer guide, jit-provisioning)."""
GOOD = {
    "Country": "DE",
    "Organization": "org",
    "OrganizationalUnit": "ou",
    "DistinguishedNameQualifier": "q",
    "StateName": "st",
    "CommonName": "",
    "SerialNumber": "42",
}


def refused(where: Ready, credentials: Credentials) -> None:
    with pytest.raises(AwsCrtError):
        SdkDevice(where, credentials).connect()


class TestJustInTimeProvisioning:
    @pytest.fixture
    def works(self, app: App, tmp_path: Path) -> Works:
        """Its template uses all of the subject; the organization ends up in a policy's text."""
        arn = app.arn("client/")
        policy = f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"iot:Connect","Resource":"{arn}'
        properties = {
            "ThingName": {"Ref": OWN + "CommonName"},
            "AttributePayload": {
                "country": {"Ref": OWN + "Country"},
                "serial": {"Ref": OWN + "SerialNumber"},
                "place": {"Fn::Join": [":", [{"Ref": OWN + one} for one in ("StateName", "OrganizationalUnit")]]},
            },
        }
        body = {
            "Parameters": {OWN + one: {"Type": "String"} for one in (*SUBJECT, "Id")},
            "Resources": {
                "thing": {"Type": "AWS::IoT::Thing", "Properties": properties},
                "certificate": {
                    "Type": "AWS::IoT::Certificate",
                    "Properties": {"CertificateId": {"Ref": OWN + "Id"}, "Status": "Active"},
                },
                "policy": {
                    "Type": "AWS::IoT::Policy",
                    "Properties": {
                        "PolicyDocument": {"Fn::Join": ["", [policy, {"Ref": OWN + "Organization"}, '*"}]}']]}
                    },
                },
            },
        }
        role = app.role("provisioner", "iot:*")
        return Works(app, tmp_path, registrationConfig={"templateBody": json.dumps(body), "roleArn": role})

    def make(self, works: Works, thing: str, **subject: str | None) -> tuple[Credentials, str]:
        """A device with one certificate; None leaves something out."""
        given = GOOD | {"CommonName": thing, "Organization": thing} | subject
        names = [x509.NameAttribute(SUBJECT[one], value) for one, value in given.items() if value is not None]
        return works.make(thing, subject=x509.Name(names))

    def test_all_that_a_subject_says(self, where: Ready, app: App, works: Works, name: str, connect: Connect) -> None:
        device, id_ = self.make(works, name)
        refused(where, device)
        eventually("it to be in", lambda: status(app, id_), lambda one: one == "ACTIVE")
        connect(device)
        described = app.iot.describe_thing(thingName=name)
        assert described["attributes"] == {"country": "DE", "serial": "42", "place": "st:ou"}

    @pytest.mark.parametrize(
        "subject",
        [
            *({one: None} for one in SUBJECT),
            {"CommonName": "a b"},
            {"CommonName": "../x"},
            {"CommonName": "ümlaut"},
            {"CommonName": "${iot:ClientId}"},
            {"SerialNumber": "4 2"},
            {"Organization": "*"},
            {"Organization": "${iot:ClientId}"},
            {"Organization": "\\u002a"},
            {"Organization": '*"},{"Effect":"Allow","Action":"*","Resource":"*'},
        ],
        ids=str,
    )
    def test_subjects_that_make_nothing(
        self, where: Ready, app: App, works: Works, name: str, subject: dict[str, str | None]
    ) -> None:
        """Neither a thing nor a policy; the certificate waits, as it does where a template is mended meanwhile."""
        device, id_ = self.make(works, name, **subject)
        for _ in range(2):
            refused(where, device)
        assert status(app, id_) == "PENDING_ACTIVATION"
        arn = app.arn(f"cert/{id_}")
        assert app.iot.list_principal_things(principal=arn)["things"] == []
        assert app.iot.list_attached_policies(target=arn)["policies"] == []
        assert ask(app.iot, "describe_thing", thingName=name) == ("ResourceNotFoundException", 404)


def test_a_crowd_of_connections_registers_a_device_once(
    where: Ready, app: App, tmp_path: Path, name: str, watcher: SdkDevice
) -> None:
    """And under that one of two CAs of the same name that has signed it."""
    authorities = [pki.Authority(name) for _ in range(2)]
    code = app.iot.get_registration_code()["registrationCode"]
    cas = [
        app.iot.register_ca_certificate(
            caCertificate=one.pem,
            verificationCertificate=one.verification(code),
            setAsActive=True,
            allowAutoRegistration=True,
        )["certificateId"]
        for one in authorities
    ]
    key = pki.new_key()
    certificate = authorities[1].issue(name, key=key)
    device, id_ = store(tmp_path, name, pki.pem(certificate), pki.key_pem(key).decode()), id_of(certificate)
    topics = [f"$aws/events/certificates/registered/{ca}" for ca in cas]
    watcher.subscribe(*topics)

    def connect() -> str:
        try:
            SdkDevice(where, device, client_id=f"{name}-{uuid4().hex[:8]}").connect()
        except AwsCrtError:
            return "refused"
        return "in"

    assert set(at_once([connect] * 10, 10)) == {"refused"}
    assert watcher.take(topics[1])["certificateId"] == id_
    assert [one for one in watcher.messages.waiting() if one.topic == topics[0]] == []
    listed = [app.iot.list_certificates_by_ca(caCertificateId=ca)["certificates"] for ca in cas]
    assert (listed[0], [one["certificateId"] for one in listed[1]]) == ([], [id_])


def test_a_crowd_of_requests_uses_a_token_once(app: App, name: str, watcher: SdkDevice) -> None:
    certificate = {"CertificateId": {"Ref": OWN + "Id"}}
    body = {
        "Parameters": {"Name": {"Type": "String"}, OWN + "Id": {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}},
            "certificate": {"Type": "AWS::IoT::Certificate", "Properties": certificate},
        },
    }
    app.iot.create_provisioning_template(
        templateName=name,
        templateBody=json.dumps(body),
        enabled=True,
        provisioningRoleArn=app.role("provisioner", "iot:*"),
    )
    create, provision = "$aws/certificates/create-from-csr/json", f"$aws/provisioning-templates/{name}/provision/json"
    answers = {f"{provision}/accepted", f"{provision}/rejected"}
    watcher.subscribe(f"{create}/accepted", *answers)
    watcher.publish(create, {"certificateSigningRequest": signing_request()})
    given = watcher.take(f"{create}/accepted")
    for one in range(8):
        asked = {
            "certificateOwnershipToken": given["certificateOwnershipToken"],
            "parameters": {"Name": f"{name}-{one}"},
        }
        watcher.publish(provision, asked, wait=False)
    told = [watcher.messages.take("an answer", lambda one: one.topic in answers) for _ in range(8)]
    [accepted] = [one.json() for one in told if one.topic.endswith("accepted")]
    codes = {one.json()["errorCode"] for one in told if one.topic.endswith("rejected")}
    assert codes <= {"ResourceConflict", "InvalidCertificateOwnershipToken"}
    arn = app.arn(f"cert/{given['certificateId']}")
    assert app.iot.list_principal_things(principal=arn)["things"] == [accepted["thingName"]]
    made = [
        f"{name}-{one}"
        for one in range(8)
        if isinstance(ask(app.iot, "describe_thing", thingName=f"{name}-{one}"), dict)
    ]
    assert made == [accepted["thingName"]]


@pytest.mark.parametrize(
    "missing",
    [
        {"certificate": {"CertificateId": "a" * 64}},
        {"certificate": {"CertificateSigningRequest": "none"}},
        {"certificate": {"CertificatePem": "none"}},
        {"policy": {"PolicyName": "nonesuch"}},
        {"thing": {"ThingTypeName": "nonesuch"}},
        {"thing": {"ThingGroups": ["nonesuch"]}},
        {"thing": {"BillingGroup": "nonesuch"}},
        {"thing": {"AttributePayload": {"a": "b c"}}},
        {"thing": {"AttributePayload": {"v": {"Fn::Select": ["2", ["a"]]}}}},
        {"thing": {"ThingName": {"Ref": "Absent"}}},
    ],
    ids=str,
)
def test_register_thing_makes_all_or_nothing(
    where: Ready, app: App, name: str, missing: dict[str, dict[str, Any]]
) -> None:
    policy = app.policy(("iot:Connect", f"client/{name}"))
    properties: dict[str, dict[str, Any]] = {
        "thing": {"ThingName": name},
        "certificate": {"CertificateSigningRequest": signing_request()},
        "policy": {"PolicyDocument": json.dumps(policy)},
    }
    for logical, wrong in missing.items():
        replaced = logical != "thing"
        properties[logical] = wrong if replaced else properties[logical] | wrong
    resources = {one: {"Type": f"AWS::IoT::{one.title()}", "Properties": given} for one, given in properties.items()}
    body = json.dumps({"Parameters": {"Absent": {"Type": "String"}}, "Resources": resources})
    failure = ("ResourceRegistrationFailureException", 400)
    assert ask(client(where), "register_thing", templateBody=body, parameters={}) == failure
    assert ask(app.iot, "describe_thing", thingName=name) == ("ResourceNotFoundException", 404)
    documents = [
        app.iot.get_policy(policyName=one["policyName"])["policyDocument"]
        for page in app.iot.get_paginator("list_policies").paginate()
        for one in page["policies"]
        if len(one["policyName"]) == 40
    ]
    assert not [one for one in documents if name in one]
