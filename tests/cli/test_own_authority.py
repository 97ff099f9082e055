"""A CA on the machine where devices are made: what it signs holds against other people's tools."""

import datetime
import subprocess
from pathlib import Path

import click
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from fogbank.cli.own_authority import OwnAuthority, named, read_request


def passphrase() -> bytes:
    return b"secret"


def never() -> bytes:
    raise AssertionError("nobody is to be asked")


@pytest.fixture
def own() -> OwnAuthority:
    return OwnAuthority.make("factory", 100)


def test_a_root_that_signs_devices_and_nothing_else(own: OwnAuthority) -> None:
    extensions = own.certificate.extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    own.certificate.verify_directly_issued_by(own.certificate)


def test_files_and_back(own: OwnAuthority, tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.write_bytes(own.pem)
    key.write_bytes(own.key_pem(b"secret"))
    assert b"ENCRYPTED" in key.read_bytes()
    assert OwnAuthority.read(certificate, key, passphrase).certificate == own.certificate
    key.write_bytes(own.key_pem(None))
    assert OwnAuthority.read(certificate, key, never).certificate == own.certificate


def test_openssl_takes_what_it_signs(own: OwnAuthority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(own.pem)
    public = rsa.generate_private_key(65537, 2048).public_key()
    (tmp_path / "device.pem").write_text(own.issue(named("lamp-1"), public, 10))
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "device.pem"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "device.pem: OK\n", done.stderr


def test_a_device_ends_with_its_ca_at_the_latest(own: OwnAuthority) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    device = x509.load_pem_x509_certificate(own.issue(named("x"), public, 36_500).encode())
    assert device.not_valid_after_utc == own.certificate.not_valid_after_utc
    short = x509.load_pem_x509_certificate(own.issue(named("x"), public, 7).encode())
    assert short.not_valid_after_utc - short.not_valid_before_utc == datetime.timedelta(days=7)


def test_a_revocation_list(own: OwnAuthority) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    devices = [x509.load_pem_x509_certificate(own.issue(named(name), public, 7).encode()) for name in ("a", "b")]
    listed = x509.load_pem_x509_crl(own.crl(devices, 30))
    assert {one.serial_number for one in listed} == {one.serial_number for one in devices}
    assert listed.is_signature_valid(own.certificate.public_key())  # type: ignore[arg-type]
    stranger = OwnAuthority.make("factory", 10)
    other = x509.load_pem_x509_certificate(stranger.issue(named("c"), public, 7).encode())
    with pytest.raises(click.ClickException, match="CN=c was not signed by this CA"):
        own.crl([other], 30)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_files_that_do_not_fit(own: OwnAuthority, tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.write_bytes(own.pem)
    key.write_bytes(OwnAuthority.make("other", 10).key_pem(None))
    with pytest.raises(click.ClickException, match="is not the key of"):
        OwnAuthority.read(certificate, key, never)
    key.write_bytes(own.key_pem(b"other"))
    with pytest.raises(click.ClickException, match="or the passphrase is wrong"):
        OwnAuthority.read(certificate, key, passphrase)
    key.write_bytes(b"nonsense")
    with pytest.raises(click.ClickException, match="is not a private key in PEM"):
        OwnAuthority.read(certificate, key, passphrase)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(pem, pkcs8, serialization.NoEncryption()))
    with pytest.raises(click.ClickException, match="is neither an RSA nor an EC key"):
        OwnAuthority.read(certificate, key, never)
    certificate.write_bytes(b"nonsense")
    with pytest.raises(click.ClickException, match="is not a certificate in PEM"):
        OwnAuthority.read(certificate, key, never)


def test_names_that_cannot_be() -> None:
    for name in ("", "x" * 65):
        with pytest.raises(click.ClickException, match="cannot be a common name"):
            named(name)


def test_requests(tmp_path: Path) -> None:
    path = tmp_path / "csr.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(named("x")).sign(key, hashes.SHA256())
    path.write_bytes(request.public_bytes(serialization.Encoding.PEM))
    assert read_request(path).public_key() == key.public_key()
    der = bytearray(request.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    path.write_bytes(x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM))
    with pytest.raises(click.ClickException, match="is not good"):
        read_request(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(click.ClickException, match="is not a certificate signing request"):
        read_request(path)
