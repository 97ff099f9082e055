"""Certificates for brokers and for the generator: P-256 throughout, so that all do the same arithmetic."""

import datetime
import ipaddress
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.process import LOOPBACK

LIFETIME = datetime.timedelta(days=1)


class Credentials(msgspec.Struct, frozen=True):
    """What one side of mutual TLS needs: whom it trusts, and what it proves itself by. PEM files."""

    ca: Path
    certificate: Path
    key: Path


def new_key() -> ec.EllipticCurvePrivateKey:
    """As every party has it."""
    return ec.generate_private_key(ec.SECP256R1())


def write_key(key: ec.EllipticCurvePrivateKey, path: Path) -> None:
    """In PEM."""
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def signing_request(key: ec.EllipticCurvePrivateKey) -> str:
    """A request for a client's certificate, in PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name("bench client"))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    """A certificate authority of the benchmark's own, for brokers that bring none."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._key = new_key()
        self._name = _name("bench authority")
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        built = self._builder(self._name, self._key).add_extension(constraints, critical=True)
        self.file = directory / "ca.pem"
        self.file.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> Credentials:
        """For a server on loopback, or a client: each is satisfied with it."""
        key = new_key()
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK)), x509.DNSName(name)])
        built = self._builder(_name(name), key).add_extension(names, critical=False)
        certificate, key_file = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        certificate.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        write_key(key, key_file)
        return Credentials(self.file, certificate, key_file)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - LIFETIME)
            .not_valid_after(now + LIFETIME)
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
