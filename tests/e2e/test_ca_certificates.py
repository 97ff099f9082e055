"""Customers' own CAs, over boto3 and with real devices."""

import datetime
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from awscrt.exceptions import AwsCrtError
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.e2e.conftest import Connect
from tests.e2e.sdk import SdkDevice
from tests.e2e.works import HOUR, Works, https, post_crl, publish, status
from tests.registry import pki

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.server import Server
from fogbank.ready import Ready


@pytest.fixture
def works(app: App, tmp_path: Path) -> Works:
    return Works(app, tmp_path, allowAutoRegistration=False)


@pytest.fixture
def policy(app: App, name: str) -> str:
    """A policy that allows everything."""
    app.create_policy(f"{name}-all", app.policy(("iot:*", "*")))
    return f"{name}-all"


def register(app: App, credentials: Credentials, policy: str) -> str:
    """Register a device's certificate under its CA, let it do everything; its ID."""
    made = app.iot.register_certificate(certificatePem=credentials.certificate.read_text(), status="ACTIVE")
    app.iot.attach_policy(policyName=policy, target=made["certificateArn"])
    return str(made["certificateId"])


def test_a_registered_device_of_a_cas_comes_in_also_when_the_ca_is_no_longer_active(
    app: App, works: Works, policy: str, name: str, connect: Connect
) -> None:
    device, id_ = works.make(name)
    assert register(app, device, policy) == id_
    connect(device).publish(f"{name}/x", {})
    app.iot.update_ca_certificate(certificateId=works.id, newStatus="INACTIVE")
    connect(device, client_id=f"{name}-2").publish(f"{name}/x", {})
    another, _ = works.make(f"{name}-3")
    with pytest.raises(app.iot.exceptions.CertificateStateException):
        register(app, another, policy)
    listed = app.iot.list_certificates_by_ca(caCertificateId=works.id)["certificates"]
    assert [one["certificateId"] for one in listed] == [id_]


def test_a_revocation_list_ends_live_connections(
    where: Ready, app: App, works: Works, policy: str, name: str, connect: Connect
) -> None:
    revoked, revoked_id = works.make(f"{name}-1", serial=1)
    other, other_id = works.make(f"{name}-2", serial=2)
    register(app, revoked, policy)
    register(app, other, policy)
    device, bystander = connect(revoked), connect(other)
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    code, outcome = post_crl(where, works.authority.revoke(1, number=1, at=now))
    assert (code, outcome["revoked"], outcome["caCertificateIds"]) == (200, 1, [works.id])
    device.interruptions.take("the end of the live connection")
    bystander.publish(f"{name}/x", {})
    assert (status(app, revoked_id), status(app, other_id)) == ("REVOKED", "ACTIVE")
    code, error = post_crl(where, pki.Authority().revoke(2))
    assert (code, "No registered CA" in error["message"]) == (400, True)


def test_a_status_acts_on_a_kept_alive_https_connection(
    where: Ready, app: App, works: Works, policy: str, name: str
) -> None:
    device, _ = works.make(name)
    id_ = register(app, device, policy)
    connection = https(where, device)
    try:
        assert publish(connection, f"{name}/x") == 200
        app.iot.update_certificate(certificateId=id_, newStatus="INACTIVE")
        assert publish(connection, f"{name}/x") == 403
        app.iot.update_certificate(certificateId=id_, newStatus="ACTIVE")
        assert publish(connection, f"{name}/x") == 200
        app.iot.update_certificate(certificateId=id_, newStatus="INACTIVE")
        app.iot.delete_certificate(certificateId=id_, forceDelete=True)
        assert publish(connection, f"{name}/x") == 403
    finally:
        connection.close()


def test_a_certificate_that_expires_loses_its_connection(
    where: Ready, app: App, works: Works, policy: str, name: str, connect: Connect
) -> None:
    end = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(seconds=4)
    device, _ = works.make(name, end=end)
    register(app, device, policy)
    live, kept = connect(device), https(where, device)
    try:
        assert publish(kept, f"{name}/x") == 200
        live.interruptions.take("the end of the live connection", seconds=15)
        assert publish(kept, f"{name}/x") == 403
    finally:
        kept.close()
    with pytest.raises(AwsCrtError):
        SdkDevice(where, device).connect()


def test_bad_certificates_are_refused_by_name(app: App, works: Works) -> None:
    ca = works.authority
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    bad = {
        "expired": pki.pem(ca.issue(end=now - HOUR)),
        "not valid yet": pki.pem(ca.issue(start=now + HOUR)),
        "malformed": pki.pem(ca.issue())[:-60],
        "wrong chain": pki.pem(pki.Authority(ca.name.rfc4514_string().removeprefix("CN=")).issue()),
        "weak key": pki.pem(ca.issue(key=rsa.generate_private_key(65537, 1024))),
        "the CA itself": ca.pem,
    }
    for what, pem in bad.items():
        with pytest.raises(ClientError) as refused:
            app.iot.register_certificate(certificatePem=pem, status="ACTIVE")
        response = refused.value.response
        assert (what, response["Error"]["Code"]) == (what, "CertificateValidationException")
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert app.iot.list_certificates_by_ca(caCertificateId=works.id)["certificates"] == []
    for call in (app.iot.register_certificate, app.iot.register_certificate_without_ca):
        good = pki.pem(ca.issue())
        call(certificatePem=good)
        with pytest.raises(app.iot.exceptions.ResourceAlreadyExistsException):
            call(certificatePem=good)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A platform of the test's own."""
    server = Server(tmp_path / "data", tmp_path / "server.log")
    yield server
    server.stop()


def test_all_of_it_survives_a_kill(server: Server, tmp_path: Path) -> None:
    app = App(server.start(), tmp_path)
    works = Works(app, tmp_path)
    made = app.iot.register_certificate(certificatePem=pki.pem(works.authority.issue()))
    before = app.iot.describe_ca_certificate(certificateId=works.id)
    code = app.iot.get_registration_code()["registrationCode"]
    server.stop(signal.SIGKILL)
    where = server.start()
    app = App(where, tmp_path)
    assert app.iot.get_registration_code()["registrationCode"] == code
    after = app.iot.describe_ca_certificate(certificateId=works.id)
    assert after["certificateDescription"] == before["certificateDescription"]
    assert status(app, made["certificateId"]) == "INACTIVE"
    assert "ENCRYPTED" in (tmp_path / "data" / "ca" / "ca.key").read_text()
