"""Client certificates, well-made and odd, and what registers them."""

import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from tests.hostile.server import Server

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
NOW = datetime.datetime.now(datetime.UTC)
YEAR = datetime.timedelta(days=365)


class Credentials(msgspec.Struct, frozen=True):
    """A certificate and its key, in files."""

    certificate: Path
    key: Path
    arn: str = ""
    """Once it is registered."""

    @property
    def files(self) -> tuple[Path, Path]:
        return self.certificate, self.key

    @property
    def pem(self) -> str:
        return self.certificate.read_text()


def make(
    place: Path,
    name: str,
    *,
    key: Key | None = None,
    subject: x509.Name | None = None,
    extensions: tuple[x509.ExtensionType, ...] = (),
    begins: datetime.datetime = NOW - YEAR,
    ends: datetime.datetime = NOW + YEAR,
) -> Credentials:
    """A self-signed certificate in `place`."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) if subject is None else subject
    builder = x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=begins,
        not_valid_after=ends,
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    signed = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return write(place, name, signed.public_bytes(serialization.Encoding.PEM), key)


def write(place: Path, name: str, pem: bytes, key: Key) -> Credentials:
    place.mkdir(parents=True, exist_ok=True)
    credentials = Credentials(place / f"{name}.pem", place / f"{name}.key")
    credentials.certificate.write_bytes(pem)
    credentials.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return credentials


def issue(server: Server, place: Path, name: str, policy: dict[str, Any] | None = None) -> Credentials:
    """An active certificate of the platform's own, under a policy of its own if one is given."""
    answer = done(server.ask("iot", "POST", "/keys-and-certificate", query="setAsActive=true"))
    place.mkdir(parents=True, exist_ok=True)
    issued = Credentials(place / f"{name}.pem", place / f"{name}.key", answer["certificateArn"])
    issued.certificate.write_text(answer["certificatePem"])
    issued.key.write_text(answer["keyPair"]["PrivateKey"])
    if policy is not None:
        attach(server, name, issued.arn, policy)
    return issued


def attach(server: Server, name: str, arn: str, policy: dict[str, Any]) -> None:
    """Make the policy and attach it to the certificate."""
    document = {"policyDocument": msgspec.json.encode(policy).decode()}
    done(server.ask("iot", "POST", f"/policies/{name}", document))
    done(server.ask("iot", "PUT", f"/target-policies/{name}", {"target": arn}))


def done(answer: tuple[int, dict[str, str], bytes]) -> Any:
    """The document of an answer that must be a success."""
    status, _, body = answer
    assert 200 <= status < 300, (status, body)
    return msgspec.json.decode(body) if body else None
