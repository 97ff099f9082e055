import base64
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from tests.registry import pki

from fogbank.registry import certificate_checks as checks
from fogbank.registry.certificate_variables import certificate_variables
from fogbank.registry.errors import CertificateValidation

CA = pki.Authority()
DEVICE = CA.issue()
DER = pki.der(DEVICE)
RSA_CA = pki.Authority("RSA CA", key=rsa.generate_private_key(65537, 2048))
SHORT = rsa.generate_private_key(65537, 1024)
NOW = 1_700_000_000.0


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_good_certificate_is_read() -> None:
    assert checks.load(pki.pem(DEVICE)) == DEVICE
    assert checks.load(f"some text\n{pki.pem(DEVICE)}more text") == DEVICE
    assert checks.load_der(DER) == DEVICE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not an X.509 certificate"),
        ("garbage", "not an X.509 certificate"),
        ("\ud800", "not an X.509 certificate"),
        ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "not an X.509 certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not an X.509 certificate"),
        ("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "not an X.509 certificate"),
        (pki.pem(DEVICE)[:-40], "not an X.509 certificate"),
        (pki.pem(DEVICE) * 2, "2 certificates"),
        (pki.pem(DEVICE) + pki.key_pem(CA.key).decode(), "private key"),
        ("x" * 65_537, "longer than 65536"),
    ],
)
def test_what_is_not_one_certificate_is_refused(text: str, why: str) -> None:
    with pytest.raises(CertificateValidation, match=why) as refused:
        checks.load(text)
    assert (refused.value.code, refused.value.status) == ("CertificateValidationException", 400)


def test_der_must_be_whole_and_alone() -> None:
    for der in (DER[:-1], DER + b"\0", b"", bytes(70_000)):
        with pytest.raises(CertificateValidation):
            checks.load_der(der)


# --- keys and signatures ----------------------------------------------------------------------------------------------

GOOD_KEYS = [
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP384R1()),
    ec.generate_private_key(ec.SECP521R1()),
    RSA_CA.key,
]


@pytest.mark.parametrize("key", GOOD_KEYS, ids=lambda key: f"{type(key).__name__}-{key.key_size}")
def test_strong_keys_are_taken(key: pki.Key) -> None:
    checks.sound(CA.issue(key=key))


@pytest.mark.parametrize(
    "key",
    [SHORT, ec.generate_private_key(ec.SECP192R1()), ec.generate_private_key(ec.SECP256K1())],
    ids=["RSA-1024", "P-192", "secp256k1"],
)
def test_weak_keys_are_not(key: pki.Key) -> None:
    with pytest.raises(CertificateValidation, match="key is not acceptable"):
        checks.sound(CA.issue(key=key))


def test_keys_of_other_kinds_are_not() -> None:
    key: Any = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(CertificateValidation, match="key is not acceptable"):
        checks.sound(CA.issue(key=key))


def test_numbers_are_positive_and_ends_come_after_beginnings() -> None:
    """RFC 5280 4.1.2.2, 4.1.2.5. No library makes such certificates: so one that is good is changed."""
    serial = 0x7FEDCBA987654321
    good = pki.der(CA.issue(serial=serial))
    number = serial.to_bytes(8, "big")
    for bad in (bytes(8), b"\xff" + number[1:]):
        with pytest.raises(CertificateValidation):
            checks.load_der(good.replace(number, bad))
    with pytest.raises(CertificateValidation, match="not positive"):
        checks.load_der(good.replace(number, b"\x80" + number[1:]))
    with pytest.raises(CertificateValidation, match="ends before it begins"):
        checks.load_der(good.replace(b"230101000000Z", b"460101000000Z"))


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
@pytest.mark.parametrize("ca", [CA, RSA_CA])
def test_signatures_of_the_guide_are_taken(ca: pki.Authority, digest: hashes.HashAlgorithm) -> None:
    issued = ca.issue(digest=digest)
    assert checks.is_issued_by(checks.sound(issued), ca.certificate)


@pytest.mark.parametrize("digest", [hashes.SHA224(), hashes.SHA3_256()])
def test_others_are_not(digest: hashes.HashAlgorithm) -> None:
    with pytest.raises(CertificateValidation, match="signature algorithm"):
        checks.sound(CA.issue(digest=digest))


OLD_SIGNATURES = {
    "sha1WithRSAEncryption": "2a864886f70d010105",
    "md5WithRSAEncryption": "2a864886f70d010104",
}


@pytest.mark.parametrize("name", OLD_SIGNATURES)
def test_sha1_and_md5_are_not(name: str) -> None:
    """No library signs like that any more: so the algorithm's identifier is changed in a certificate that is good."""
    good = pki.der(RSA_CA.issue())
    weak = good.replace(bytes.fromhex("2a864886f70d01010b"), bytes.fromhex(OLD_SIGNATURES[name]))
    assert weak != good
    with pytest.raises(CertificateValidation, match="signature algorithm"):
        checks.load_der(weak)


# --- names ------------------------------------------------------------------------------------------------------------


def _subject(*values: str, oid: x509.ObjectIdentifier = NameOID.COMMON_NAME) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value, _validate=False) for value in values])


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        (_subject("sensor\0.evil"), "control characters"),
        (_subject("sensor\n[root] logged in"), "control characters"),
        (_subject("\x1b[2J"), "control characters"),
        (_subject("line\u2028separator"), "control characters"),
        (_subject("x" * 1025, oid=NameOID.TITLE), "more than 1024"),
        (_subject(*"abcdefgh" * 9), "more than 64 attributes"),
    ],
)
def test_hostile_names_are_refused(subject: x509.Name, why: str) -> None:
    with pytest.raises(CertificateValidation, match=why):
        checks.sound(CA.issue(subject=subject))


def test_invalid_utf8_in_a_name_is_malformed() -> None:
    good = pki.der(CA.issue("sensor-utf8"))
    with pytest.raises(CertificateValidation):
        checks.load_der(good.replace(b"sensor-utf8", b"sensor-\xff\xfe\xfd\xfc"))


@pytest.mark.parametrize(
    "subject",
    [
        x509.Name([]),
        x509.Name(
            [
                x509.RelativeDistinguishedName(
                    [
                        x509.NameAttribute(NameOID.COMMON_NAME, "plant"),
                        x509.NameAttribute(NameOID.SERIAL_NUMBER, "0815"),
                    ]
                )
            ]
        ),
        pki.name("Größe 東京 🏭"),
        pki.name("'; DROP TABLE things; -- ${iot:ClientId} <script>"),
    ],
    ids=["empty", "two in one step", "unicode", "code"],
)
def test_odd_names_that_harm_nobody_are_taken(subject: x509.Name) -> None:
    """RFC 5280 4.1.2.6 knows empty subjects, X.501 several attributes in one step."""
    certificate_variables(checks.sound(CA.issue(subject=subject)))


# --- validity and issue -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [(2020, 2021, "has expired: it was valid until 2021"), (2040, 2041, "not valid yet: it begins at 2040")],
)
def test_time_is_told(start: int, end: int, why: str) -> None:
    issued = CA.issue(
        start=datetime.datetime(start, 1, 1, tzinfo=datetime.UTC), end=datetime.datetime(end, 1, 1, tzinfo=datetime.UTC)
    )
    with pytest.raises(CertificateValidation, match=why):
        checks.check_validity(issued, NOW)


def test_its_first_and_last_second_are_valid() -> None:
    for second in (pki.START, pki.END):
        checks.check_validity(DEVICE, second.timestamp())


def _usage(*, sign: bool) -> x509.KeyUsage:
    others = "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only"
    off = dict.fromkeys(others.split(), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=sign, crl_sign=sign, **off)


def test_a_ca_is_one_by_its_extensions() -> None:
    """RFC 5280 4.2.1.3, 4.2.1.9."""
    checks.check_ca(CA.certificate)
    checks.check_ca(pki.Authority(extensions=[_usage(sign=True)]).certificate)
    for bad, why in (
        (pki.Authority(ca=None), "CA:TRUE"),
        (pki.Authority(ca=False), "CA:TRUE"),
        (pki.Authority(extensions=[_usage(sign=False)]), "keyCertSign"),
    ):
        with pytest.raises(CertificateValidation, match=why):
            checks.check_ca(bad.certificate)


def test_a_ca_has_a_name() -> None:
    """RFC 5280 4.1.2.4."""
    nameless = pki.certificate(x509.Name([]), x509.Name([]), CA.key, CA.key, ca=True)
    with pytest.raises(CertificateValidation, match="subject is empty"):
        checks.check_ca(checks.sound(nameless))


def test_a_device_is_none() -> None:
    checks.check_device(DEVICE)
    with pytest.raises(CertificateValidation, match="not a device's"):
        checks.check_device(CA.certificate)


def test_only_who_signed_it_has_issued_it() -> None:
    assert checks.is_issued_by(DEVICE, CA.certificate)
    namesake = pki.Authority()
    assert not checks.is_issued_by(DEVICE, namesake.certificate), "the name is right, the signature is not"
    renamed = pki.Authority("Other CA", key=CA.key)
    assert not checks.is_issued_by(DEVICE, renamed.certificate), "the signature is right, the name is not"
    assert not checks.is_issued_by(DEVICE, RSA_CA.certificate)


def test_a_renewed_ca_is_the_same_authority() -> None:
    renewed = pki.Authority(key=CA.key)
    assert checks.id_of(renewed.certificate) != checks.id_of(CA.certificate)
    assert checks.authority_digest(renewed.certificate) == checks.authority_digest(CA.certificate)
    assert checks.authority_digest(pki.Authority().certificate) != checks.authority_digest(CA.certificate)


def test_a_signature_in_another_encoding_changes_the_id_and_not_the_content() -> None:
    same = checks.load_der(pki.written_anew(DEVICE))
    assert checks.is_issued_by(same, CA.certificate)
    assert checks.id_of(same) != checks.id_of(DEVICE)
    assert checks.content_digest(same) == checks.content_digest(DEVICE)


# --- whatever comes ---------------------------------------------------------------------------------------------------

SEEDS = [DER, pki.der(CA.certificate), pki.der(RSA_CA.issue()), pki.der(CA.issue(extensions=[_usage(sign=False)]))]
CONTENTS = {checks.content_digest(checks.load_der(seed)) for seed in SEEDS}


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A certificate with some bytes changed, inserted or left out."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.sampled_from(["set", "insert", "cut"])):
            case "set":
                data[at] = draw(st.integers(0, 255))
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=4))
            case _:
                del data[at : at + draw(st.integers(1, 8))]
        if not data:
            break
    return bytes(data)


def _judge(certificate: x509.Certificate) -> None:
    """All that is asked of a certificate later: nothing of it may raise anything else."""
    certificate_variables(certificate)
    checks.is_ca(certificate)
    checks.name_digest(certificate.issuer)
    checks.issued_entry("x", certificate.serial_number)
    checks.content_digest(certificate)
    assert not checks.is_issued_by(certificate, pki.Authority("nobody", key=CA.key).certificate)
    for check in (checks.check_device, checks.check_ca):
        try:
            check(certificate)
        except CertificateValidation:
            pass
    try:
        checks.check_validity(certificate, NOW)
    except CertificateValidation:
        pass


def _tells(refused: CertificateValidation) -> None:
    """The text can be shown to anybody."""
    assert refused.message.isprintable()


@given(mutated())
def test_no_bytes_do_more_than_be_refused(der: bytes) -> None:
    try:
        certificate = checks.load_der(der)
    except CertificateValidation as refused:
        _tells(refused)
        return
    _judge(certificate)
    if checks.content_digest(certificate) not in CONTENTS:
        assert not checks.is_issued_by(certificate, CA.certificate)


@given(mutated(), st.sampled_from(["utf-8", "latin-1", "base64"]))
def test_no_text_does_either(der: bytes, how: str) -> None:
    text = base64.b64encode(der).decode() if how == "base64" else der.decode(how, "replace")
    pem = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
    try:
        certificate = checks.load(pem)
    except CertificateValidation as refused:
        _tells(refused)
        return
    _judge(certificate)
