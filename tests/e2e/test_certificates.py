"""A certificate's status decides who comes in and who stays."""

import ssl
from pathlib import Path

import pytest
from awscrt.exceptions import AwsCrtError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.e2e.conftest import Connect
from tests.e2e.sdk import SdkDevice, certificate_arn

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.trace import TraceStream
from fogbank.ready import Ready


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_certificate_that_loses_its_status_loses_its_connection(
    app: App, where: Ready, lamp: Credentials, connect: Connect, trace: TraceStream, status: str
) -> None:
    certificate_id = certificate_arn(app, lamp).rpartition("/")[2]
    device = connect(lamp)
    app.iot.update_certificate(certificateId=certificate_id, newStatus=status)
    device.interruptions.take("the end of the live connection")
    with pytest.raises(AwsCrtError):
        SdkDevice(where, lamp).connect()
    refusal = trace.events.take("the refusal", lambda event: event.kind == "connect" and event.status == "denied")
    assert status in refusal.reason


def test_an_inactive_certificate_is_let_in_again_once_it_is_active(
    app: App, where: Ready, lamp: Credentials, connect: Connect
) -> None:
    certificate_id = certificate_arn(app, lamp).rpartition("/")[2]
    app.iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    with pytest.raises(AwsCrtError):
        SdkDevice(where, lamp).connect()
    app.iot.update_certificate(certificateId=certificate_id, newStatus="ACTIVE")
    connect(lamp).publish(f"device/{lamp.thing}/x", {})


def test_a_certificate_from_a_request_for_ones_own_key_is_good(app: App, lamp: Credentials, connect: Connect) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lamp")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    made = app.iot.create_certificate_from_csr(certificateSigningRequest=pem, setAsActive=True)
    app.iot.attach_policy(policyName=f"{lamp.thing}-policy", target=made["certificateArn"])
    app.iot.attach_thing_principal(thingName=lamp.thing, principal=made["certificateArn"])
    lamp.certificate.write_text(made["certificatePem"])
    lamp.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    connect(lamp).publish(f"device/{lamp.thing}/x", {})


def test_an_unregistered_certificate_is_refused_and_the_reason_told(
    where: Ready, lamp: Credentials, trace: TraceStream, app: App
) -> None:
    certificate_id = certificate_arn(app, lamp).rpartition("/")[2]
    app.iot.detach_policy(policyName=f"{lamp.thing}-policy", target=certificate_arn(app, lamp))
    app.iot.detach_thing_principal(thingName=lamp.thing, principal=certificate_arn(app, lamp))
    app.iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    app.iot.delete_certificate(certificateId=certificate_id)
    with pytest.raises(AwsCrtError):
        SdkDevice(where, lamp).connect()
    refusal = trace.events.take("the refusal", lambda event: event.kind == "connect" and event.status == "denied")
    assert "unknown certificate" in refusal.reason


def test_the_platforms_certificate_is_trusted_by_its_own_ca_alone(where: Ready) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.get_server_certificate((where.mqtts.host, where.mqtts.port), ca_certs=ssl.get_default_verify_paths().cafile)
    pem = ssl.get_server_certificate((where.mqtts.host, where.mqtts.port), ca_certs=where.ca_file)
    ca = x509.load_pem_x509_certificate(Path(where.ca_file).read_bytes())
    x509.load_pem_x509_certificate(pem.encode()).verify_directly_issued_by(ca)
