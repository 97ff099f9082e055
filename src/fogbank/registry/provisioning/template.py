"""Provisioning templates: from JSON text to something that says, for each device, what is to be made.

    Parameters            what devices, files or callers fill in; String is the only type
    Mappings              two levels of names with values, for fleet provisioning alone
    Resources             at most one thing, one certificate, and its policies
    DeviceConfiguration   what a device is told afterwards, for fleet provisioning alone

Everything that can be wrong with a template is found here, once; a device meets only what depends on its own values.
The source is the developer guide's provision-template. It knows of no conditions: sections it does not have are refused
by name.
"""

import enum
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.registry.errors import ResourceRegistrationFailure
from fogbank.registry.provisioning.intrinsics import (
    LONGEST_TEXT,
    Compiler,
    Expression,
    Maps,
    Scope,
    evaluate_text,
    malformed,
)
from fogbank.registry.provisioning.plan import Plan
from fogbank.registry.provisioning.resources import (
    CERTIFICATE_ID,
    CertificateResource,
    PolicyResource,
    Reader,
    ThingResource,
)

LONGEST_BODY = 10_240
"""Characters (API model, TemplateBody)."""
MOST_POLICIES = 10
"""That a certificate may hold (general reference, IoT Core security limits)."""

SUBJECT_PARAMETERS = tuple(
    f"AWS::IoT::Certificate::{name}"
    for name in (
        "Country",
        "Organization",
        "OrganizationalUnit",
        "DistinguishedNameQualifier",
        "StateName",
        "CommonName",
        "SerialNumber",
    )
)
"""What JITP takes from the subject of the certificate (developer guide, jit-provisioning)."""

_SECTIONS = ("Parameters", "Mappings", "Resources", "DeviceConfiguration")
_FLEET_SECTIONS = ("Mappings", "DeviceConfiguration")


class TemplateKind(enum.Enum):
    """Who provisions by a template."""

    REGISTRATION = "REGISTRATION"
    """Who calls RegisterThing, or starts a bulk registration."""
    JITP = "JITP"
    """A device at its first connection."""
    FLEET_PROVISIONING = "FLEET_PROVISIONING"
    """A device with a claim."""

    @property
    def own(self) -> bool:
        """Whether it is about the device's own certificate, and devices say what the parameters are."""
        return self is not TemplateKind.REGISTRATION


_BUILT_IN: Mapping[TemplateKind, tuple[str, ...]] = {
    TemplateKind.REGISTRATION: (),
    TemplateKind.JITP: (CERTIFICATE_ID, *SUBJECT_PARAMETERS),
    TemplateKind.FLEET_PROVISIONING: (CERTIFICATE_ID,),
}
"""Parameters that can be referred to without being declared."""


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A template that makes sense."""

    kind: TemplateKind
    parameters: Mapping[str, str | None]
    """The declared names, with their defaults."""
    maps: Maps
    thing: ThingResource | None
    certificate: CertificateResource | None
    policies: tuple[PolicyResource, ...]
    device_configuration: Mapping[str, Expression]

    @classmethod
    def parse(cls, body: str, kind: TemplateKind) -> "Template":
        """Read a template. Raises InvalidRequest, saying where and what."""
        document = _document(body)
        _check_sections(document, kind)
        parameters = _parameters(_section(document, "Parameters"))
        maps = _maps(_section(document, "Mappings"))
        compiler = Compiler(frozenset((*parameters, *_BUILT_IN[kind])), maps)
        readers: dict[str, list[Reader]] = {type_: [] for type_ in _TYPES}
        for name, node in _section(document, "Resources").items():
            readers[_type(name, node)].append(Reader(name, node, compiler))
        things, certificates, policies = (readers[type_] for type_ in _TYPES)
        _check_counts(kind, things, certificates, policies)
        configuration = _section(document, "DeviceConfiguration").items()
        return cls(
            kind=kind,
            parameters=parameters,
            maps=maps,
            thing=ThingResource.read(things[0]) if things else None,
            certificate=CertificateResource.read(certificates[0], own=kind.own) if certificates else None,
            policies=tuple(PolicyResource.read(one, own=kind.own) for one in policies),
            device_configuration={
                name: compiler.text(node, f"DeviceConfiguration.{name}") for name, node in configuration
            },
        )

    def plan(self, given: Mapping[str, str]) -> Plan:
        """What is to be made where the parameters are as `given`; those that nobody has declared do not matter.

        Raises ResourceRegistrationFailure.
        """
        defaults = {name: default for name, default in self.parameters.items() if default is not None}
        if self.kind is TemplateKind.JITP:
            _check_present(self.parameters, {**defaults, **given})
        _check_values(given)
        scope = Scope(given, defaults, self.maps)
        configuration = {
            name: evaluate_text(one, scope, f"DeviceConfiguration.{name}")
            for name, one in self.device_configuration.items()
        }
        if sum(map(len, configuration.values())) > LONGEST_TEXT:
            raise ResourceRegistrationFailure(f"DeviceConfiguration is longer than {LONGEST_TEXT} characters")
        return Plan(
            thing=None if self.thing is None else self.thing.plan(scope),
            certificate=None if self.certificate is None else self.certificate.plan(scope),
            policies=tuple(one.plan(scope) for one in self.policies),
            device_configuration=configuration,
        )


_TYPES = ("AWS::IoT::Thing", "AWS::IoT::Certificate", "AWS::IoT::Policy")


def _document(body: str) -> dict[str, Any]:
    """The template as JSON. msgspec says what is none; which names stand twice, only the standard library tells."""
    if len(body) > LONGEST_BODY:
        raise InvalidRequest(f"Invalid registration template. It is longer than {LONGEST_BODY} characters")
    try:
        msgspec.json.decode(body)
        document = json.loads(body, object_pairs_hook=_unique)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise InvalidRequest(
            f"Invalid registration template. Template format error: JSON not well-formed: {error}"
        ) from None
    except RecursionError:
        raise InvalidRequest("Invalid registration template. It is nested too deeply") from None
    if not isinstance(document, dict):
        raise InvalidRequest("Invalid registration template. It must be a JSON object")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(f"Invalid registration template. {twice[:64]!r} stands twice in one object")
    return found


def _check_sections(document: dict[str, Any], kind: TemplateKind) -> None:
    if unknown := sorted(document.keys() - {*_SECTIONS}):
        names = ", ".join(unknown)[:256]
        raise InvalidRequest(
            f"Invalid registration template. It has sections that templates do not have: {names};"
            f" there are {', '.join(_SECTIONS)}"
        )
    for name in _FLEET_SECTIONS:
        if kind is not TemplateKind.FLEET_PROVISIONING and document.get(name):
            raise malformed(name, "only fleet provisioning templates have this section")


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise malformed(name, "must be an object")
    return found


def _parameters(section: dict[str, Any]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, node in section.items():
        where = f"Parameters.{name}"
        if not isinstance(node, dict) or node.keys() - {"Type", "Default"}:
            raise malformed(where, "must be an object with Type and, perhaps, Default")
        if node.get("Type") != "String":
            raise malformed(where, "Type must be String")
        default = node.get("Default")
        if "Default" in node and not isinstance(default, str):
            raise malformed(where, "Default must be a string")
        found[name] = default
    return found


def _maps(section: dict[str, Any]) -> Maps:
    """Values are strings or lists of them; functions cannot be called here."""
    for name, top in section.items():
        if not isinstance(top, dict) or not all(isinstance(one, dict) for one in top.values()):
            raise malformed(f"Mappings.{name}", "must have two levels of names")
        for first, second in top.items():
            for key, value in second.items():
                if not isinstance(value, str) and not (
                    isinstance(value, list) and all(isinstance(one, str) for one in value)
                ):
                    raise malformed(f"Mappings.{name}.{first}.{key}", "must be a string or a list of strings")
    return section


def _type(name: str, node: Any) -> str:
    type_ = node.get("Type") if isinstance(node, dict) else None
    if type_ not in _TYPES:
        raise malformed(f"Resources.{name}", f"Type must be one of {', '.join(_TYPES)}")
    return str(type_)


def _check_counts(kind: TemplateKind, things: list[Reader], certificates: list[Reader], policies: list[Reader]) -> None:
    for found, type_ in ((things, _TYPES[0]), (certificates, _TYPES[1])):
        if len(found) > 1:
            raise malformed(found[1].where, f"there can be one {type_}, and {found[0].name} is one")
    if not certificates and (kind.own or policies or not things):
        what = "a thing or " if not kind.own and not policies else ""
        raise malformed("Resources", f"must have {what}an {_TYPES[1]}{' for its policies' if policies else ''}")
    if len(policies) > MOST_POLICIES:
        raise malformed("Resources", f"a certificate can hold {MOST_POLICIES} policies, not {len(policies)}")


def _check_present(parameters: Mapping[str, str | None], values: Mapping[str, str]) -> None:
    """(jit-provisioning: "the certificate must contain values for all of the parameters in the template body")"""
    if missing := [name for name in parameters if name not in values]:
        raise ResourceRegistrationFailure(f"The certificate has no values for {', '.join(missing)[:512]}")


def _check_values(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if len(value) > LONGEST_TEXT:
            raise ResourceRegistrationFailure(f"Parameter {name[:64]} is longer than {LONGEST_TEXT} characters")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ResourceRegistrationFailure(f"Parameter {name[:64]} is not valid Unicode") from None
