"""Issues device certificates, as AWS IoT does for CreateKeysAndCertificate and CreateCertificateFromCsr.

Keys of devices pass through and are never kept: not in storage, not in a log, not in an error, not in a `repr`.
"""

import datetime
import warnings

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from fogbank.errors import InvalidRequest
from fogbank.registry.authority import END, Authority
from fogbank.registry.certificate_checks import SHORTEST_RSA, key_problem, name_problem

AWS_SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AWS IoT Certificate")])
"""What AWS writes into the certificates it makes keys for; policies and handlers may look at it."""

AWS_ISSUER = x509.Name(
    [
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Amazon Web Services"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Amazon.com Inc."),
        x509.NameAttribute(NameOID.LOCALITY_NAME, "Seattle"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Washington"),
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
    ]
)
"""The issuer of AWS's device certificates, so that `${iot:Certificate.Issuer...}` reads as it does there. It names an
authority that only this instance trusts and that nothing but device certificates comes from."""

_CSR_CHARACTERS = 4096
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


class IssuedKeys(msgspec.Struct, frozen=True):
    """A new certificate with the key pair it was made for. The private key stays out of `repr` and so out of logs."""

    certificate: x509.Certificate
    public_key: str
    private_key: str
    """PKCS #1 PEM, as AWS hands it out."""

    def __repr__(self) -> str:
        return f"IssuedKeys(certificate={self.certificate!r}, private_key=...)"


class DeviceIssuer:
    """Signs device certificates with the instance's device authority."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def keys_and_certificate(self, until: datetime.datetime = END) -> IssuedKeys:
        """A fresh RSA 2048 pair and its certificate. Takes some 50 ms of a core, the interpreter's lock released."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=SHORTEST_RSA)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        certificate = self._authority.issue(AWS_SUBJECT, key.public_key(), until=until)
        return IssuedKeys(certificate, public.decode(), private.decode())

    def from_request(self, pem: str) -> x509.Certificate:
        """A certificate for the key and subject of a PKCS #10 request; extensions it asks for are not granted.

        Raises InvalidRequest where the request does not prove possession of its key, or the key is too weak
        (API reference, CreateCertificateFromCsr).
        """
        request = _load(pem)
        key = request.public_key()
        if (problem := key_problem(key)) is not None:
            raise _refused(problem)
        if not _is_signed(request):
            raise _refused("its signature is not valid, or not made with SHA-256, SHA-384 or SHA-512")
        return self._authority.issue(_subject(request), key)


def _load(pem: str) -> x509.CertificateSigningRequest:
    if len(pem) > _CSR_CHARACTERS:
        raise _refused(f"it is longer than {_CSR_CHARACTERS} characters")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        request.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise _refused("it is not a PKCS #10 request in PEM with a supported key") from None
    return request


def _is_signed(request: x509.CertificateSigningRequest) -> bool:
    """Whether its own key has signed it. RSA with SHA-1 will do: tools of old devices sign so, and this signature shows
    who sends it to hold the key and vouches for nothing else, so that a collision gains nothing."""
    try:
        if isinstance(request.signature_hash_algorithm, _HASHES):
            return request.is_signature_valid
        key = request.public_key()
        if not isinstance(request.signature_hash_algorithm, hashes.SHA1) or not isinstance(key, rsa.RSAPublicKey):
            return False
        key.verify(request.signature, request.tbs_certrequest_bytes, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    except (UnsupportedAlgorithm, ValueError, InvalidSignature):
        return False
    return True


def _subject(request: x509.CertificateSigningRequest) -> x509.Name:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            subject = request.subject
        except (ValueError, UserWarning):
            raise _refused("its subject is not a valid distinguished name") from None
    if (problem := name_problem(subject)) is not None:
        raise _refused(f"its subject {problem}")
    return subject if subject.rdns else AWS_SUBJECT


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"The certificate signing request is not acceptable: {why}")
