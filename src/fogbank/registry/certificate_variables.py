"""The policy variables that a client certificate brings along (developer guide, cert-policy-variables)."""

from collections.abc import Mapping, Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

Variables = Mapping[str, str | Sequence[str]]

_NAME_ATTRIBUTES = {
    NameOID.DN_QUALIFIER: "DistinguishedNameQualifier",
    NameOID.COUNTRY_NAME: "Country",
    NameOID.ORGANIZATION_NAME: "Organization",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OrganizationalUnit",
    NameOID.STATE_OR_PROVINCE_NAME: "State",
    NameOID.COMMON_NAME: "CommonName",
    NameOID.SERIAL_NUMBER: "SerialNumber",
    NameOID.TITLE: "Title",
    NameOID.SURNAME: "Surname",
    NameOID.GIVEN_NAME: "GivenName",
    NameOID.INITIALS: "Initials",
    NameOID.PSEUDONYM: "Pseudonym",
    NameOID.GENERATION_QUALIFIER: "GenerationQualifier",
}
_ALTERNATIVE_NAMES: dict[type[x509.GeneralName], str] = {
    x509.RFC822Name: "RFC822Name",
    x509.DNSName: "DNSName",
    x509.DirectoryName: "DirectoryName",
    x509.UniformResourceIdentifier: "UniformResourceIdentifier",
    x509.IPAddress: "IPAddress",
}


def certificate_variables(certificate: x509.Certificate) -> Variables:
    """Variables by name, `iot:Certificate.Subject.CommonName` and so on; several values in the certificate's order.

    Raises ValueError where the certificate's names or extensions cannot be read.
    """
    found: dict[str, list[str]] = {}
    _add_name(found, "Subject", certificate.subject)
    _add_name(found, "Issuer", certificate.issuer)
    try:
        for extension in certificate.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                _add_alternatives(found, "Subject", extension.value)
            elif isinstance(extension.value, x509.IssuerAlternativeName):
                _add_alternatives(found, "Issuer", extension.value)
    except x509.DuplicateExtension as error:
        raise ValueError(str(error)) from None
    found["iot:Certificate.SerialNumber"] = [f"{certificate.serial_number:x}"]
    found["iot:Certificate.AvailableKeys"] = list(found)
    return {name: values[0] if len(values) == 1 else tuple(values) for name, values in found.items()}


def _add_name(found: dict[str, list[str]], whose: str, name: x509.Name) -> None:
    for attribute in name:
        known = _NAME_ATTRIBUTES.get(attribute.oid)
        if known is not None:
            value = attribute.value
            text = value if isinstance(value, str) else value.decode("utf-8", "replace")
            found.setdefault(f"iot:Certificate.{whose}.{known}", []).append(text)


def _add_alternatives(
    found: dict[str, list[str]], whose: str, names: x509.SubjectAlternativeName | x509.IssuerAlternativeName
) -> None:
    for name in names:
        known = _ALTERNATIVE_NAMES.get(type(name))
        if known is not None:
            text = name.value.rfc4514_string() if isinstance(name, x509.DirectoryName) else str(name.value)
            found.setdefault(f"iot:Certificate.{whose}.AlternativeName.{known}", []).append(text)
