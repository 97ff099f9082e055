"""A certificate authority of our own: a P-256 key and its self-signed root, made on first start and kept.

P-256 with SHA-256, because every TLS library a device may bring verifies it (OpenSSL, aws-lc and s2n under the AWS
SDKs, mbedTLS under FreeRTOS and ESP-IDF, Apple's and Java's), and because it signs some twenty times faster than
RSA 2048: the server signs once per handshake. AWS serves the same choice as Amazon Root CA 3.

The roots name their extensions as RFC 5280 section 4.2 and Python's VERIFY_X509_STRICT want them.

Keys lie encrypted (PKCS #8, as `openssl pkey` reads it); one from before that is encrypted when it is next opened, and
one under a former passphrase again under the present one: by a file that replaces it at once, so that a kill leaves the
old or the new.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes

from fogbank.clock import Clock
from fogbank.errors import FogbankError
from fogbank.registry.key_files import PRIVATE, PUBLIC, check_unwritten, read_private, write_durably
from fogbank.registry.passphrase import Passphrase, WrongPassphrase

END = datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
"""When AWS's device certificates end, the last second that X.509 writes with two digits of the year."""

_CLOCK_SKEW = datetime.timedelta(hours=1)
"""Certificates begin this much earlier, for devices whose clocks are slow."""

_ROOT_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
_LEAF_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class BrokenAuthority(FogbankError):
    """The CA's files do not fit together, or are not what they should be."""


class Authority:
    """A root and its key. It issues leaves only."""

    def __init__(
        self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, path: Path, clock: Clock
    ) -> None:
        self.certificate = certificate
        self.path = path
        """Where the root lies as PEM, for those who must trust it."""
        self._key = key
        self._clock = clock

    @classmethod
    def open(cls, path: Path, subject: x509.Name, clock: Clock, passphrase: Passphrase) -> "Authority":
        """The authority whose root is the PEM file `path` and whose key lies beside it as `.key`; made where missing.

        The key is written first: a kill in between leaves a key without root, for which the next start makes one.
        Raises BrokenAuthority, ExposedKey, WrongPassphrase.
        """
        key_path = path.with_suffix(".key")
        key = _load_key(key_path, passphrase)
        if key is None:
            if path.exists():
                raise BrokenAuthority(f"{path} is there and its key {key_path} is not: restore it, or remove {path}")
            key = ec.generate_private_key(ec.SECP256R1())
            write_durably(key_path, _key_pem(key, passphrase), PRIVATE)
        if path.exists():
            certificate = _load_root(path, key)
        else:
            certificate = _make_root(subject, key, now(clock))
            write_durably(path, certificate.public_bytes(serialization.Encoding.PEM), PUBLIC)
        return cls(certificate, key, path, clock)

    def issue(
        self,
        subject: x509.Name,
        public_key: CertificatePublicKeyTypes,
        *,
        until: datetime.datetime = END,
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> x509.Certificate:
        """Sign a leaf that may sign, not encipher or certify; with a random serial number, from an hour ago on."""
        key_id = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now(self._clock) - _CLOCK_SKEW)
            .not_valid_after(until)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_LEAF_USAGE, critical=True)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def now(clock: Clock) -> datetime.datetime:
    """The clock's time to the second, which is as fine as X.509 writes."""
    return datetime.datetime.fromtimestamp(int(clock.time()), datetime.UTC)


def _make_root(subject: x509.Name, key: ec.EllipticCurvePrivateKey, at: datetime.datetime) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _CLOCK_SKEW)
        .not_valid_after(END)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_ROOT_USAGE, critical=True)
        .sign(key, hashes.SHA256())
    )


def _load_root(path: Path, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    check_unwritten(path)
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        raise BrokenAuthority(f"{path} is not a self-signed certificate in PEM") from None
    if certificate.public_key() != key.public_key():
        raise BrokenAuthority(f"{path} does not belong to the key {path.with_suffix('.key')}")
    return certificate


def _load_key(path: Path, passphrase: Passphrase) -> ec.EllipticCurvePrivateKey | None:
    pem = read_private(path)
    if pem is None:
        return None
    key, as_it_should_be = _decrypted(path, pem, passphrase)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BrokenAuthority(f"{path} is not the elliptic-curve key that Fogbank made")
    if not as_it_should_be:
        write_durably(path, _key_pem(key, passphrase), PRIVATE)
    return key


def _decrypted(path: Path, pem: bytes, passphrase: Passphrase) -> tuple[PrivateKeyTypes, bool]:
    """The key, and whether it is encrypted with the present passphrase."""
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" not in pem:
        try:
            return serialization.load_pem_private_key(pem, password=None), False
        except (ValueError, TypeError):
            raise BrokenAuthority(f"{path} is not a private key in PEM") from None
    for candidate in passphrase.candidates:
        try:
            return serialization.load_pem_private_key(pem, candidate), candidate == passphrase.secret
        except ValueError:
            continue
    raise WrongPassphrase(
        f"{path} cannot be opened with {passphrase.origin}: it is another one, or the file is damaged"
    )


def _key_pem(key: ec.EllipticCurvePrivateKey, passphrase: Passphrase) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.secret),
    )
