import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

from fogbank.registry.certificate_variables import certificate_variables

ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme CA"), x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")])


def _certificate(subject: x509.Name, *extensions: x509.ExtensionType) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ISSUER)
        .public_key(key.public_key())
        .serial_number(0xABC123)
        .not_valid_before(datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2034, 1, 1, tzinfo=datetime.UTC))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def _name(*attributes: tuple[ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


@pytest.mark.parametrize(
    ("oid", "variable"),
    [
        (NameOID.DN_QUALIFIER, "DistinguishedNameQualifier"),
        (NameOID.ORGANIZATION_NAME, "Organization"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "OrganizationalUnit"),
        (NameOID.STATE_OR_PROVINCE_NAME, "State"),
        (NameOID.COMMON_NAME, "CommonName"),
        (NameOID.SERIAL_NUMBER, "SerialNumber"),
        (NameOID.TITLE, "Title"),
        (NameOID.SURNAME, "Surname"),
        (NameOID.GIVEN_NAME, "GivenName"),
        (NameOID.INITIALS, "Initials"),
        (NameOID.PSEUDONYM, "Pseudonym"),
        (NameOID.GENERATION_QUALIFIER, "GenerationQualifier"),
    ],
)
def test_each_attribute_of_the_subject_has_its_variable(oid: ObjectIdentifier, variable: str) -> None:
    """Developer guide, cert-policy-variables."""
    variables = certificate_variables(_certificate(_name((oid, "value"))))
    assert variables[f"iot:Certificate.Subject.{variable}"] == "value"


def test_issuer_serial_number_and_available_keys() -> None:
    variables = certificate_variables(_certificate(_name((NameOID.COMMON_NAME, "x"), (NameOID.EMAIL_ADDRESS, "a@b"))))
    assert variables == {
        "iot:Certificate.Subject.CommonName": "x",
        "iot:Certificate.Issuer.CommonName": "Acme CA",
        "iot:Certificate.Issuer.Country": "DE",
        "iot:Certificate.SerialNumber": "abc123",
        "iot:Certificate.AvailableKeys": (
            "iot:Certificate.Subject.CommonName",
            "iot:Certificate.Issuer.CommonName",
            "iot:Certificate.Issuer.Country",
            "iot:Certificate.SerialNumber",
        ),
    }


def test_several_values_keep_their_order() -> None:
    unit = NameOID.ORGANIZATIONAL_UNIT_NAME
    variables = certificate_variables(_certificate(_name((unit, "a"), (unit, "c"), (unit, "b"))))
    assert variables["iot:Certificate.Subject.OrganizationalUnit"] == ("a", "c", "b")


def test_alternative_names_of_subject_and_issuer() -> None:
    directory = x509.DirectoryName(_name((NameOID.COMMON_NAME, "d")))
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName("a.example"),
            x509.DNSName("b.example"),
            x509.RFC822Name("me@example.org"),
            x509.UniformResourceIdentifier("urn:x"),
            x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
            directory,
            x509.RegisteredID(ObjectIdentifier("1.2.3")),
        ]
    )
    issuer = x509.IssuerAlternativeName([x509.DNSName("ca.example")])
    variables = certificate_variables(_certificate(_name(), names, issuer))
    alternatives = {
        name.removeprefix("iot:Certificate."): value for name, value in variables.items() if "Alternative" in name
    }
    assert alternatives == {
        "Subject.AlternativeName.DNSName": ("a.example", "b.example"),
        "Subject.AlternativeName.RFC822Name": "me@example.org",
        "Subject.AlternativeName.UniformResourceIdentifier": "urn:x",
        "Subject.AlternativeName.IPAddress": "192.0.2.1",
        "Subject.AlternativeName.DirectoryName": "CN=d",
        "Issuer.AlternativeName.DNSName": "ca.example",
    }
