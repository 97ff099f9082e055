"""What a certificate must be to be registered, and whether a CA has really issued it. Pure: bytes in, verdict out.

Certificates come from anybody: through the API, and in the TLS handshake of whoever connects. Parsing is lazy, so that
`sound` reads whatever is read later of a certificate: what has passed once raises nowhere. Which keys and signatures
are taken is the developer guide's list ("X.509 client certificates", certificate signing algorithms supported by AWS
IoT): RSA of at least 2048 bits or NIST P-256, P-384, P-521, with SHA-256 or better.

A subject may be empty or have several attributes in one step (RFC 5280 4.1.2.4 and X.501 know both, and industrial
device identities use them); what it may not have are characters that look like others' ends in a log, or no end at all.
"""

import hashlib
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fogbank.registry.errors import CertificateValidation

LONGEST = 65_536
"""Characters of a PEM text (API reference, CertificatePem), and bytes of DER."""
SHORTEST_RSA = 2048
LONGEST_RSA = 16_384
"""Bits; each more costs everybody who verifies. OpenSSL takes no more in a handshake either."""
MOST_ATTRIBUTES = 64
LONGEST_ATTRIBUTE = 1024
"""Characters; X.520 bounds most to 64, and certificates in the field do not all keep to it."""

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_HASHES = frozenset({"sha256", "sha384", "sha512"})
_UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)
"""All that reading a certificate may raise."""


# --- reading ----------------------------------------------------------------------------------------------------------


def load(pem: str) -> x509.Certificate:
    """The one certificate in a PEM text, sound. Text around it is no matter. Raises CertificateValidation."""
    if len(pem) > LONGEST:
        raise CertificateValidation(f"The certificate is longer than {LONGEST} characters.")
    if "PRIVATE KEY-----" in pem:
        raise CertificateValidation("The text holds a private key, which nobody should be sent; send the certificate.")
    with _unwarned(), readable("The text is not an X.509 certificate in PEM."):
        found = x509.load_pem_x509_certificates(pem.encode())
    if len(found) != 1:
        raise CertificateValidation(f"The text holds {len(found)} certificates; send the device's or the CA's alone.")
    return sound(found[0])


def load_der(der: bytes) -> x509.Certificate:
    """A certificate as it came in a handshake, sound. Raises CertificateValidation."""
    if len(der) > LONGEST:
        raise CertificateValidation(f"The certificate is longer than {LONGEST} bytes.")
    with _unwarned(), readable("The certificate cannot be read."):
        certificate = x509.load_der_x509_certificate(der)
    return sound(certificate)


def sound(certificate: x509.Certificate) -> x509.Certificate:
    """The certificate itself, read whole, where its form, names, key and signature are acceptable.

    Whether it is valid now and who signed it are other questions. Raises CertificateValidation.
    """
    with _unwarned(), readable("The certificate is malformed"):
        if certificate.version is not x509.Version.v3 and certificate.version is not x509.Version.v1:
            raise CertificateValidation("The certificate is neither of version 3 nor of version 1.")
        names = {"subject": certificate.subject, "issuer": certificate.issuer}
        extensions = list(certificate.extensions)
        key = certificate.public_key()
        digest = certificate.signature_hash_algorithm
        serial = certificate.serial_number
        backwards = certificate.not_valid_before_utc > certificate.not_valid_after_utc
        read_later = [name.public_bytes() for name in names.values()], certificate.tbs_certificate_bytes
    del extensions, read_later
    for what, name in names.items():
        if (problem := name_problem(name)) is not None:
            raise CertificateValidation(f"The certificate's {what} {problem}.")
    if (problem := key_problem(key)) is not None:
        raise CertificateValidation(f"The certificate's key is not acceptable: {problem}.")
    if digest is None or digest.name not in _HASHES:
        raise CertificateValidation(
            "The certificate's signature algorithm is not supported: sign with SHA-256, SHA-384 or SHA-512 and "
            "RSA or ECDSA."
        )
    if serial <= 0:
        raise CertificateValidation("The certificate's serial number is not positive (RFC 5280 4.1.2.2).")
    if backwards:
        raise CertificateValidation("The certificate ends before it begins.")
    return certificate


def key_problem(key: CertificatePublicKeyTypes) -> str | None:
    """What is wrong with a public key; None: nothing."""
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < SHORTEST_RSA:
            return f"an RSA key of {key.key_size} bits is too short, {SHORTEST_RSA} is the least"
        return None if key.key_size <= LONGEST_RSA else f"an RSA key of {key.key_size} bits is too long"
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return None
    return "it must be RSA of at least 2048 bits, or NIST P-256, P-384 or P-521"


def name_problem(name: x509.Name) -> str | None:
    """What is wrong with a distinguished name; None: nothing."""
    attributes = list(name)
    if len(attributes) > MOST_ATTRIBUTES:
        return f"has more than {MOST_ATTRIBUTES} attributes"
    for attribute in attributes:
        value = attribute.value
        what = attribute.rfc4514_attribute_name
        if isinstance(value, bytes):  # a bit string, x500UniqueIdentifier: opaque, and nothing reads it
            continue
        if not value:
            return f"has an empty {what}"
        if len(value) > LONGEST_ATTRIBUTE:
            return f"has a {what} of more than {LONGEST_ATTRIBUTE} characters"
        if any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") for one in value):
            return f"has a {what} with control characters"
    return None


@contextmanager
def readable(otherwise: str) -> Iterator[None]:
    """Whatever parsing stumbles over is CertificateValidation."""
    try:
        yield
    except _UNREADABLE as error:
        detail = "" if otherwise.endswith(".") else f": {_short(error)}"
        raise CertificateValidation(f"{otherwise}{detail}") from None


@contextmanager
def _unwarned() -> Iterator[None]:
    """What parsing frowns upon is not told on stderr. Not for threads: the filters of warnings are the process's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _short(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "".join(one if one.isprintable() else "?" for one in text[:200])


# --- judging ----------------------------------------------------------------------------------------------------------


def check_validity(certificate: x509.Certificate, at: float, what: str = "The certificate") -> None:
    """Whether it is valid at `at`, seconds since the epoch. Raises CertificateValidation."""
    if at > certificate.not_valid_after_utc.timestamp():
        raise CertificateValidation(
            f"{what} has expired: it was valid until {certificate.not_valid_after_utc:%F %T} UTC."
        )
    if at < certificate.not_valid_before_utc.timestamp():
        raise CertificateValidation(
            f"{what} is not valid yet: it begins at {certificate.not_valid_before_utc:%F %T} UTC."
        )


def check_ca(certificate: x509.Certificate) -> None:
    """Whether it may issue certificates (RFC 5280 4.2.1.3, 4.2.1.9). Raises CertificateValidation."""
    if not is_ca(certificate):
        raise CertificateValidation("The certificate is not one of a CA: it needs basicConstraints with CA:TRUE.")
    if not list(certificate.subject):
        raise CertificateValidation("The CA's subject is empty, and so could not be named as an issuer.")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.key_cert_sign:
        raise CertificateValidation("The CA's keyUsage does not let it sign certificates: it needs keyCertSign.")


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether it says of itself that it is a CA's."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def check_device(certificate: x509.Certificate) -> None:
    """Whether it is a device's and no CA's, which would speak for all devices. Raises CertificateValidation."""
    if is_ca(certificate):
        raise CertificateValidation("The certificate is one of a CA (basicConstraints CA:TRUE), not a device's.")


def is_issued_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    """Whether `ca` is named as its issuer and has signed it, with the key of this very certificate."""
    try:
        with _unwarned():
            certificate.verify_directly_issued_by(ca)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True


# --- names for what is stored -----------------------------------------------------------------------------------------


def certificate_id_of(der: bytes) -> str:
    """AWS's certificate ID: the SHA-256 digest of the DER form in hex."""
    return hashlib.sha256(der).hexdigest()


def id_of(certificate: x509.Certificate) -> str:
    """The same, of a parsed one."""
    return certificate_id_of(certificate.public_bytes(Encoding.DER))


def name_digest(name: x509.Name) -> str:
    """A subject or issuer by its digest: issuer names subject where these are the same bytes."""
    return hashlib.sha256(name.public_bytes()).hexdigest()


def authority_digest(ca: x509.Certificate) -> str:
    """A CA by subject and key: what its certificates have in common when they are renewed."""
    key = ca.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(ca.subject.public_bytes() + key).hexdigest()


def issued_entry(issuer: str, serial: int) -> str:
    """A certificate as revocation lists name it, with its issuer's `name_digest`."""
    return f"{issuer}/{serial:x}"


def content_digest(certificate: x509.Certificate) -> str:
    """A digest of what the issuer signed."""
    return hashlib.sha256(certificate.tbs_certificate_bytes).hexdigest()
