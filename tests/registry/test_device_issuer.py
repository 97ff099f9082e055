from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from fogbank.errors import InvalidRequest
from fogbank.registry.authority import END
from fogbank.registry.device_issuer import AWS_ISSUER, AWS_SUBJECT
from fogbank.registry.own_ca import OwnCa

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
EMPTY = x509.Name([])


def _request(
    key: Key, subject: x509.Name = EMPTY, algorithm: hashes.HashAlgorithm | None = None
) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    chosen = None if isinstance(key, ed25519.Ed25519PrivateKey) else algorithm or hashes.SHA256()
    return builder.sign(key, chosen)  # type: ignore[arg-type]


def _pem(request: x509.CertificateSigningRequest) -> str:
    return request.public_bytes(serialization.Encoding.PEM).decode()


def test_keys_and_certificate_are_as_aws_makes_them(own_ca: OwnCa) -> None:
    issued = own_ca.devices.keys_and_certificate()
    assert issued.private_key.startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert issued.public_key.startswith("-----BEGIN PUBLIC KEY-----\n")
    private = serialization.load_pem_private_key(issued.private_key.encode(), password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    assert private.key_size == 2048
    assert private.public_key() == serialization.load_pem_public_key(issued.public_key.encode())
    assert private.public_key() == issued.certificate.public_key()
    assert (issued.certificate.subject, issued.certificate.issuer) == (AWS_SUBJECT, AWS_ISSUER)
    assert issued.certificate.not_valid_after_utc == END


def test_the_private_key_stays_out_of_repr(own_ca: OwnCa) -> None:
    issued = own_ca.devices.keys_and_certificate()
    shown = f"{issued!r} {issued}"
    assert "PRIVATE" not in shown
    assert issued.private_key.splitlines()[1] not in shown


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
    ],
    ids=["RSA 2048", "P-256", "P-384", "P-521"],
)
def test_keys_that_aws_takes(own_ca: OwnCa, make: Callable[[], Key]) -> None:
    """API reference, CreateCertificateFromCsr."""
    key = make()
    certificate = own_ca.devices.from_request(_pem(_request(key)))
    assert certificate.public_key() == key.public_key()
    assert certificate.subject == AWS_SUBJECT


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 1024),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: ec.generate_private_key(ec.SECP224R1()),
        ed25519.Ed25519PrivateKey.generate,
    ],
    ids=["RSA 1024", "secp256k1", "P-224", "Ed25519"],
)
def test_keys_that_aws_refuses(own_ca: OwnCa, make: Callable[[], Key]) -> None:
    with pytest.raises(InvalidRequest, match="signing request is not acceptable"):
        own_ca.devices.from_request(_pem(_request(make())))


def test_the_subject_is_that_of_the_request(own_ca: OwnCa) -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sensor-7")])
    key = ec.generate_private_key(ec.SECP256R1())
    assert own_ca.devices.from_request(_pem(_request(key, subject))).subject == subject


def test_what_the_request_asks_for_beyond_is_not_granted(own_ca: OwnCa) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(EMPTY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = own_ca.devices.from_request(_pem(request))
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_request_must_be_signed_with_its_own_key(own_ca: OwnCa) -> None:
    der = bytearray(_request(ec.generate_private_key(ec.SECP256R1())).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    with pytest.raises(InvalidRequest, match="its signature is not valid"):
        own_ca.devices.from_request(_pem(x509.load_der_x509_csr(bytes(der))))


def test_weak_hashes_are_refused(own_ca: OwnCa) -> None:
    request = _request(ec.generate_private_key(ec.SECP256R1()), algorithm=hashes.SHA224())
    with pytest.raises(InvalidRequest, match="SHA-256"):
        own_ca.devices.from_request(_pem(request))


def test_a_subject_that_is_no_name_is_refused(own_ca: OwnCa) -> None:
    """A country has two letters; the builder must be told not to see to it."""
    with pytest.warns(UserWarning, match="length"):
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "Germany", _validate=False)
    request = _request(ec.generate_private_key(ec.SECP256R1()), x509.Name([country]))
    with pytest.raises(InvalidRequest, match="distinguished name"):
        own_ca.devices.from_request(_pem(request))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * 5000,
        "\ud800",
        "ä",
    ],
)
def test_what_is_no_request_is_refused(own_ca: OwnCa, text: str) -> None:
    with pytest.raises(InvalidRequest, match="signing request is not acceptable"):
        own_ca.devices.from_request(text)


OLD_REQUEST = """
-----BEGIN CERTIFICATE REQUEST-----
MIICUzCCATsCAQAwDjEMMAoGA1UEAwwDb2xkMIIBIjANBgkqhkiG9w0BAQEFAAOC
AQ8AMIIBCgKCAQEAuPAKPpzwFFqk5C3/nG0OkvIBDWxfmKlvL1zwJwmfbPi8M/te
kRp6GosfMkYjIgAH4LbD/g+kc6ZsSOq085L0b6oJ5Tpqu5ugpd/YLEsFanFCpsqW
Hxlao2bLkW0/uB3Xylbx0JPgWDUAGvoLQ0ywu1zYc9joJ3W6E/lLS94SN3YsJcwj
u/8EyqgHjsIMi1cttD/d6ElZgHz+LWyx7fYEp/nGbnF3sWIT+waFqKkZT0qj/An+
v1tG6Q3cpYzUju6HAC2CIGy7mbLG+SMQYdnMMISto6QbWACH4BZ7vmjpUJcYIskP
Uv9z2l8rUzEgw82Ac6yolZxHZ1TBJF0LoXa6tQIDAQABoAAwDQYJKoZIhvcNAQEF
BQADggEBAI5FLnryfew3CvlVB2rCvUjaEXItTTSFA+l5Oa4pdL31EtdEnI+t1Gy3
o5Uh+9inVISfvQWWS27ar9QL4Eqre5ybRvQB1qek9X5gFQF+lfjqs7LA0HBTLlF4
mmzawMqkZ5xzAwm2XfNnhHriONpGexoUOloQEILKO0MInloZJnKs3/D9OAsE6cHS
db8KcOfqEgJQRoS53/5MP6D0jOaEtDgT4fyr0gIcRsrH/tdsKpcToBD+zTMY+iiU
HEDH8qogTpcgHLd39zqg2rreb+hLGSNc6fy1vqAuAEuYUbrZx42ZFxqqzqu1f5Ni
HbpXbwjTcMxPuf/K65FbpYxnFNIDeGM=
-----END CERTIFICATE REQUEST-----
"""
"""Made by `openssl req -new -newkey rsa:2048 -nodes -subj /CN=old -sha1`."""


def test_a_request_signed_with_sha1_shows_possession_all_the_same(own_ca: OwnCa) -> None:
    issued = own_ca.devices.from_request(OLD_REQUEST)
    assert issued.subject.rfc4514_string() == "CN=old"
    assert isinstance(issued.signature_hash_algorithm, hashes.SHA256)
    der = bytearray(x509.load_pem_x509_csr(OLD_REQUEST.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(InvalidRequest, match="signature is not valid"):
        own_ca.devices.from_request(forged)


@pytest.mark.parametrize("value", ["sensor\0evil", "line\nbreak", "\x1b[2J", "x" * 1025])
def test_hostile_names_are_not_certified(own_ca: OwnCa, value: str) -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.TITLE, value, _validate=False)])
    with pytest.raises(InvalidRequest, match="subject"):
        own_ca.devices.from_request(_pem(_request(ec.generate_private_key(ec.SECP256R1()), subject)))
