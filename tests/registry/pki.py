"""A customer's certificate authority, with which tests issue certificates, good ones and bad ones."""

import datetime
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

START = datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC)
"""Before a FakeClock's time, and now."""
END = datetime.datetime(2045, 1, 1, tzinfo=datetime.UTC)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    signer: Key,
    *,
    start: datetime.datetime = START,
    end: datetime.datetime = END,
    ca: bool | None = None,
    serial: int | None = None,
    digest: Any = None,
    extensions: Sequence[x509.ExtensionType] = (),
) -> x509.Certificate:
    """`ca` is what basicConstraints say, None: nothing."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() if serial is None else serial)
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer, digest or hashes.SHA256())


class Authority:
    """A CA with its key and self-signed certificate."""

    def __init__(self, common_name: str = "Works CA", *, key: Key | None = None, **options: Any) -> None:
        self.key = key or new_key()
        self.name = name(common_name)
        self.certificate = certificate(self.name, self.name, self.key, self.key, **{"ca": True} | options)
        self.pem = pem(self.certificate)

    def issue(self, common_name: str = "sensor-1", **options: Any) -> x509.Certificate:
        """A device's certificate, for a key that nobody keeps unless it is given."""
        key = options.pop("key", None) or new_key()
        subject = options.pop("subject", name(common_name))
        return certificate(subject, self.name, key, self.key, **options)

    def verification(self, code: str, **options: Any) -> str:
        """The certificate for a registration code, in PEM."""
        return pem(self.issue(code, **options))

    def revoke(
        self,
        *serials: int,
        number: int | None = None,
        at: datetime.datetime = START,
        key: Key | None = None,
        extensions: Sequence[x509.ExtensionType] = (),
        reason: x509.ReasonFlags | None = None,
    ) -> x509.CertificateRevocationList:
        """A revocation list, signed with the CA's key unless another is given."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(at)
            .next_update(at + datetime.timedelta(days=7))
        )
        if number is not None:
            builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
            if reason is not None:
                entry = entry.add_extension(x509.CRLReason(reason), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(key or self.key, hashes.SHA256())


def crl_pem(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(serialization.Encoding.PEM)


def written_anew(certificate: x509.Certificate) -> bytes:
    """The same certificate in DER with its ECDSA signature (r, s) as (r, n-s): as good, and of another ID."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
    r, s = decode_dss_signature(certificate.signature)
    signature = encode_dss_signature(r, order - s)
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    bits = b"\x03" + bytes([len(signature) + 1]) + b"\x00" + signature
    body = certificate.tbs_certificate_bytes + algorithm + bits
    return b"\x30\x82" + len(body).to_bytes(2, "big") + body
