"""A CA of one's own, as files on the machine where devices are made: its certificate, and its key encrypted.

What is signed here, the instance sees when a device first connects, or when somebody registers it.
"""

import datetime
from collections.abc import Callable
from pathlib import Path

import click
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_SKEW = datetime.timedelta(hours=1)
"""Certificates begin this much earlier, for clocks that are slow."""


class OwnAuthority:
    """A CA's certificate with its key."""

    def __init__(self, certificate: x509.Certificate, key: PrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def make(cls, name: str, days: int) -> "OwnAuthority":
        """A new root: P-256, which small devices verify quickly."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begin = datetime.datetime.now(datetime.UTC).replace(microsecond=0) - _SKEW
        public = key.public_key()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def read(cls, certificate: Path, key: Path, passphrase: Callable[[], bytes]) -> "OwnAuthority":
        """From PEM files; `passphrase` is asked where the key is encrypted. Raises ClickException."""
        try:
            root = x509.load_pem_x509_certificate(certificate.read_bytes())
        except ValueError:
            raise click.ClickException(f"{certificate} is not a certificate in PEM") from None
        private = _read_key(key, passphrase)
        if private.public_key() != root.public_key():
            raise click.ClickException(f"{key} is not the key of {certificate}")
        return cls(root, private)

    def key_pem(self, passphrase: bytes | None) -> bytes:
        """PKCS #8, encrypted where there is a passphrase."""
        encryption = (
            serialization.NoEncryption() if passphrase is None else serialization.BestAvailableEncryption(passphrase)
        )
        return self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, subject: x509.Name, public: CertificatePublicKeyTypes, days: int) -> str:
        """A device's certificate, in PEM; it ends when the CA does, at the latest."""
        begin = datetime.datetime.now(datetime.UTC).replace(microsecond=0) - _SKEW
        end = min(begin + datetime.timedelta(days=days), self.certificate.not_valid_after_utc)
        if end <= begin + _SKEW:
            raise click.ClickException(f"the CA has expired on {self.certificate.not_valid_after_utc:%Y-%m-%d}")
        key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(begin, self.certificate.not_valid_before_utc))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(key_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def verification(self, code: str) -> str:
        """The certificate that proves possession of the key: its common name is the registration code."""
        public = ec.generate_private_key(ec.SECP256R1()).public_key()
        return self.issue(named(code), public, days=1)

    def crl(self, revoked: list[x509.Certificate], days: int) -> bytes:
        """A list of certificates of this CA that are no longer good, in PEM. Raises ClickException for another's."""
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now)
            .next_update(now + datetime.timedelta(days=days))
            .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
        )
        for one in revoked:
            try:
                one.verify_directly_issued_by(self.certificate)
            except (ValueError, TypeError, InvalidSignature):
                raise click.ClickException(f"{one.subject.rfc4514_string()} was not signed by this CA") from None
            entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number).revocation_date(now).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def named(common_name: str) -> x509.Name:
    """A subject that is a common name and nothing else. Raises ClickException where it cannot be one."""
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    except ValueError as error:
        raise click.ClickException(f"{common_name!r} cannot be a common name: {error}") from None


def read_request(path: Path) -> x509.CertificateSigningRequest:
    """A PKCS #10 request whose signature proves possession of its key. Raises ClickException."""
    try:
        request = x509.load_pem_x509_csr(path.read_bytes())
        proven = request.is_signature_valid
    except ValueError:
        raise click.ClickException(f"{path} is not a certificate signing request in PEM") from None
    if not proven:
        raise click.ClickException(f"the signature of {path} is not good")
    return request


def _read_key(path: Path, passphrase: Callable[[], bytes]) -> PrivateKey:
    pem = path.read_bytes()
    try:
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except TypeError:  # it is encrypted
            key = serialization.load_pem_private_key(pem, password=passphrase())
    except ValueError:
        raise click.ClickException(f"{path} is not a private key in PEM, or the passphrase is wrong") from None
    if not isinstance(key, PrivateKey):
        raise click.ClickException(f"{path} is neither an RSA nor an EC key")
    return key


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
