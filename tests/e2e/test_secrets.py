"""What is secret is handed out once and is nowhere to be found afterwards; and what devices have done is."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from awscrt.exceptions import AwsCrtError
from botocore.config import Config
from cryptography.hazmat.primitives import serialization
from tests.e2e.conftest import Connect
from tests.e2e.identity import ByCbor, FirstVersion, store
from tests.e2e.sdk import SdkDevice
from tests.e2e.test_authorisation import TEMPLATE
from tests.e2e.test_credential_provider import ask
from tests.e2e.works import Works, status

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import eventually
from fogbank.cli.demo.server import Server
from fogbank.ready import Ready

TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "credentials.iot.amazonaws.com", "AWS": "*"},
    "Action": "sts:AssumeRole",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One whose log and data are nobody else's."""
    directory = tmp_path_factory.mktemp("secrets")
    server = Server(directory / "data", directory / "server.log", "--verbose")
    server.start()
    yield server
    assert server.stop() == 0, "\n".join(server.log_tail())


@pytest.fixture(scope="module")
def where(server: Server) -> Ready:
    return server.where


@pytest.fixture(scope="module")
def app(where: Ready, tmp_path_factory: pytest.TempPathFactory) -> App:
    return App(where, tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def template(app: App, name: str) -> str:
    app.iot.create_provisioning_template(
        templateName=name,
        templateBody=json.dumps(TEMPLATE),
        provisioningRoleArn=app.role("provisioner", "iot:*"),
        enabled=True,
    )
    return name


def spellings(secret: str) -> dict[str, bytes]:
    """How a secret could stand in a file."""
    found = {"as it is": secret.encode(), "in base64": base64.b64encode(secret.encode()).rstrip(b"=")[:-1]}
    if "PRIVATE KEY" in secret:
        key = serialization.load_pem_private_key(secret.encode(), None)
        private = key.private_numbers()  # type: ignore[union-attr]
        number: int = getattr(private, "d", 0) or private.private_value  # type: ignore[union-attr]
        lines = secret.splitlines()
        found["a line of its PEM"] = lines[len(lines) // 2].encode()
        found["its number"] = raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        for shift in range(3):  # within base64, wherever in a document it stands; a line of a PEM is 64 characters
            inner = base64.b64encode(b"\0" * shift + raw)[4:-4]
            found |= {f"its number in base64, {shift}, {at}": inner[at : at + 24] for at in range(0, 64, 16)}
        found["its number as text"] = f"{number:x}".encode()
    return found


def leaks(where: Ready, secrets: dict[str, str]) -> list[tuple[str, str, str]]:
    """Secrets, the files in which they stand and how: in all that the platform has written so far."""
    directory = Path(where.data_dir)
    files = [one for one in directory.rglob("*") if one.is_file()]
    files += list(directory.parent.glob("*.log"))
    assert any(one.name.endswith("-wal") or one.suffix == ".log" for one in files)
    found = []
    for file in files:
        content = file.read_bytes()
        for name, secret in secrets.items():
            assert len(secret) > 20, name
            found += [(name, file.name, how) for how, spelled in spellings(secret).items() if spelled in content]
    return found


def test_the_search_finds_what_is_there(where: Ready, app: App, name: str) -> None:
    """Else the tests below could not fail."""
    made = app.iot.create_keys_and_certificate(setAsActive=True)
    assert leaks(where, {"a line of a PEM": made["certificatePem"].splitlines()[5]})
    assert leaks(where, {"its ID": made["certificateId"]})
    file = Path(where.data_dir) / "forgotten"
    key = serialization.load_pem_private_key(made["keyPair"]["PrivateKey"].encode(), None)
    try:
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
            form = serialization.PrivateFormat.PKCS8
            file.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
            assert leaks(where, {"the key": made["keyPair"]["PrivateKey"]})
    finally:
        file.unlink()


def test_private_keys_are_handed_out_once_and_kept_nowhere(
    where: Ready, app: App, template: str, tmp_path: Path
) -> None:
    """In the database, its log, blobs, indexes, the audit log and the server's own; and those of tokens."""
    claim = app.iot.create_provisioning_claim(templateName=template)
    claimed = store(tmp_path, template, claim["certificatePem"], claim["keyPair"]["PrivateKey"])
    by_json = FirstVersion(where, claimed)
    given = by_json.create_keys()
    by_json.register(template, given.token, {"Name": template})
    by_json.close()
    by_cbor = ByCbor(where, claimed, app)
    small = by_cbor.create_keys()
    by_cbor.close()
    by_api = app.iot.create_keys_and_certificate(setAsActive=True)
    assert given.private_key is not None
    assert small.private_key is not None
    keys = {
        "CreateProvisioningClaim": claim["keyPair"]["PrivateKey"],
        "CreateKeysAndCertificate": by_api["keyPair"]["PrivateKey"],
        "over MQTT": given.private_key,
        "by CBOR": small.private_key,
    }
    tokens = {"used token": given.token, "waiting token": small.token}
    assert leaks(where, keys | tokens) == []


def test_secrets_of_sessions_are_kept_nowhere(where: Ready, app: App, name: str) -> None:
    session = boto3.Session(where.access_key_id, where.secret_access_key, region_name=where.region)
    iam, sts = (session.client(one, endpoint_url=where.api, config=Config(proxies={})) for one in ("iam", "sts"))
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    app.iot.create_role_alias(roleAlias=name, roleArn=role)
    camera = app.create_thing(name, app.policy(("iot:AssumeRoleWithCertificate", f"rolealias/{name}")))
    code, answer = ask(where, camera, f"/role-aliases/{name}/credentials")
    assert code == 200, answer
    given = [
        sts.assume_role(RoleArn=role, RoleSessionName="me")["Credentials"],
        sts.get_session_token()["Credentials"],
        {
            "SecretAccessKey": answer["credentials"]["secretAccessKey"],
            "SessionToken": answer["credentials"]["sessionToken"],
        },
    ]
    secrets = {
        f"{member} {i}": one[member] for i, one in enumerate(given) for member in ("SecretAccessKey", "SessionToken")
    }
    assert leaks(where, secrets) == []
    log = Path(where.data_dir, "audit", "audit.ndjson").read_text()
    assert where.secret_access_key not in log
    for event in ("AssumeRole", "GetSessionToken", "AssumeRoleWithCertificate"):
        assert f'"eventName":"{event}"' in log
    iam.close()
    sts.close()


def test_the_data_directory_is_its_owner_s_alone(where: Ready) -> None:
    directory = Path(where.data_dir)
    for one in (directory, *directory.rglob("*")):
        assert one.stat().st_mode & 0o077 == 0 or _is_within_private(one, directory), one


def _is_within_private(path: Path, top: Path) -> bool:
    """What lies in a directory that nobody else may enter is out of reach, whatever its own mode."""
    return path != top and top.stat().st_mode & 0o077 == 0


# --- the trace that devices leave -------------------------------------------------------------------------------------


def deeds(where: Ready, certificate: str) -> list[dict[str, Any]]:
    lines = Path(where.data_dir, "audit", "audit.ndjson").read_text().splitlines()
    return [event for event in map(json.loads, lines) if certificate in json.dumps(event.get("serviceEventDetails"))]


def refused(where: Ready, device: Credentials) -> None:
    with pytest.raises(AwsCrtError):
        SdkDevice(where, device).connect()


def test_just_in_time_registration_and_provisioning_are_in_the_audit_log(
    where: Ready, app: App, name: str, tmp_path: Path, connect: Connect
) -> None:
    certificate = {"Ref": "AWS::IoT::Certificate::Id"}
    body = {
        "Parameters": {"AWS::IoT::Certificate::CommonName": {"Type": "String"}, certificate["Ref"]: {"Type": "String"}},
        "Resources": {
            "thing": {
                "Type": "AWS::IoT::Thing",
                "Properties": {"ThingName": {"Ref": "AWS::IoT::Certificate::CommonName"}},
            },
            "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": certificate}},
        },
    }
    registration = {"templateBody": json.dumps(body), "roleArn": app.role("provisioner", "iot:*")}
    works = Works(app, tmp_path, registrationConfig=registration)
    device, id_ = works.make(name)
    refused(where, device)
    eventually("the device to be provisioned", lambda: status(app, id_), lambda now: now == "ACTIVE")
    found = eventually("both deeds", lambda: deeds(where, id_), lambda events: len(events) == 2)
    [told] = [one for one in found if one["eventName"] == "JustInTimeRegistration"]
    assert told["eventType"] == "AwsServiceEvent"
    assert told["userIdentity"]["arn"] == app.arn(f"cert/{id_}")
    assert told["serviceEventDetails"] == {"certificateId": id_, "caCertificateId": works.id}
    [made] = [one for one in found if one["eventName"] == "JustInTimeProvisioning"]
    assert made["serviceEventDetails"]["thing"] == app.arn(f"thing/{name}")


def test_fleet_provisioning_is_in_the_audit_log(where: Ready, app: App, template: str, tmp_path: Path) -> None:
    made = app.iot.create_provisioning_claim(templateName=template)
    claim = store(tmp_path, template, made["certificatePem"], made["keyPair"]["PrivateKey"])
    device = FirstVersion(where, claim)
    given = device.create_keys()
    device.register(template, given.token, {"Name": template})
    device.close()
    created, registered = deeds(where, given.id)
    assert [created["eventName"], registered["eventName"]] == ["CreateKeysAndCertificate", "RegisterThing"]
    for one in (created, registered):
        assert one["userIdentity"]["principalId"] == made["certificateId"], "the claim asked"
        assert re.fullmatch(r"127\.0\.0\.1|::1", one["sourceIPAddress"])
        assert one["serviceEventDetails"]["clientId"] == claim.thing
    assert registered["serviceEventDetails"]["provisioningTemplate"] == template
    assert registered["serviceEventDetails"]["thing"] == app.arn(f"thing/{template}")
