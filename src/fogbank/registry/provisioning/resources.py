"""The resources of a provisioning template: which properties each kind has, and what they come to for a device.

Templates of different kinds may say different things (developer guide, provision-template): who registers by API names
the certificate in any of three ways; a device that is being provisioned already has its own, and may name no other.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.registry.errors import MalformedPolicy, ResourceRegistrationFailure
from fogbank.registry.policies import check_document
from fogbank.registry.provisioning.intrinsics import (
    Compiler,
    Expression,
    Literal,
    Maps,
    Members,
    Ref,
    Scope,
    evaluate_text,
    evaluate_texts,
    malformed,
)
from fogbank.registry.provisioning.plan import CertificatePlan, CertificateWay, Override, PolicyPlan, ThingPlan

CERTIFICATE_ID = "AWS::IoT::Certificate::Id"
"""The parameter that holds the ID of the certificate being provisioned."""

_STATUS = {"active": True, "inactive": False}
_PRINCIPAL_TYPES = {"EXCLUSIVE_THING": True, "NON_EXCLUSIVE_THING": False}
_CONTROLS = "".join(map(chr, (*range(0x20), 0x7F)))
_QUOTING = '"\\' + _CONTROLS
"""What would end the string that a value stands in."""
_WILDCARDS = "*?${}"
"""What policies read as more than itself."""


class Reader:
    """One resource of a template while it is read."""

    def __init__(self, name: str, node: Mapping[str, Any], compiler: Compiler) -> None:
        self.where = f"Resources.{name}"
        self.name = name
        self._compiler = compiler
        if unknown := sorted(node.keys() - {"Type", "Properties", "OverrideSettings"}):
            raise malformed(self.where, f"unknown: {', '.join(unknown)[:256]}")
        self.properties = self._object(node, "Properties")
        self._overrides = self._object(node, "OverrideSettings")

    @property
    def maps(self) -> Maps:
        """The template's mappings."""
        return self._compiler.maps

    def only(self, *known: str) -> None:
        """Refuse properties that resources of this type do not have."""
        if unknown := sorted(self.properties.keys() - {*known}):
            raise malformed(f"{self.where}.Properties", f"unknown: {', '.join(unknown)[:256]}")

    def text(self, name: str) -> Expression | None:
        """A property that is text; None where it is missing."""
        node = self.properties.get(name)
        return None if node is None else self._compiler.text(node, self.at(name))

    def texts(self, name: str) -> Expression | None:
        """A property that is a list of text."""
        node = self.properties.get(name)
        return None if node is None else self._compiler.texts(node, self.at(name))

    def map(self, name: str) -> dict[str, Expression] | None:
        """A property that has text by name."""
        node = self.properties.get(name)
        if node is None:
            return None
        if not isinstance(node, dict):
            raise malformed(self.at(name), "must be an object of names and values")
        return {key: self._compiler.text(value, f"{self.at(name)}.{key}") for key, value in node.items()}

    def document(self, name: str) -> Expression | None:
        """A property that is a document, as text or as an object."""
        node = self.properties.get(name)
        if node is None:
            return None
        if isinstance(node, dict):
            return self._compiler.compile(node, self.at(name))
        return self._compiler.text(node, self.at(name))

    def overrides(self, **allowed: Sequence[Override]) -> dict[str, Override]:
        """`OverrideSettings` by property; the guide spells the properties in two ways."""
        spelled = {alias: name for name in allowed for alias in (name, _upper(name))}
        found: dict[str, Override] = {}
        for key, value in self._overrides.items():
            where = f"{self.where}.OverrideSettings.{key}"
            name = spelled.get(key)
            if name is None:
                raise malformed(where, f"there are {', '.join(allowed) or 'none for this type'}")
            choices = {one.value: one for one in allowed[name]}
            if not isinstance(value, str) or value not in choices or name in found:
                raise malformed(where, f"must be one of {', '.join(choices)}, once")
            found[name] = choices[value]
        return found

    def at(self, name: str) -> str:
        """Where a property is."""
        return f"{self.where}.Properties.{name}"

    def _object(self, node: Mapping[str, Any], name: str) -> dict[str, Any]:
        found = node.get(name, {})
        if not isinstance(found, dict):
            raise malformed(f"{self.where}.{name}", "must be an object")
        return found


_CHANGES = (Override.DO_NOTHING, Override.REPLACE, Override.FAIL)
_MERGES = (*_CHANGES, Override.MERGE)


class ThingResource(msgspec.Struct, frozen=True, kw_only=True):
    """`AWS::IoT::Thing`."""

    where: str
    name: Expression
    attributes: Mapping[str, Expression] | None
    type_name: Expression | None
    groups: Expression | None
    billing_group: Expression | None
    overrides: Mapping[str, Override]

    @classmethod
    def read(cls, reader: Reader) -> "ThingResource":
        """Raises InvalidRequest."""
        reader.only("ThingName", "AttributePayload", "ThingTypeName", "ThingGroups", "BillingGroup", "PackageVersions")
        if reader.properties.get("PackageVersions"):
            raise malformed(reader.at("PackageVersions"), "is not supported by Fogbank; leave it out")
        if (name := reader.text("ThingName")) is None:
            raise malformed(reader.where, "ThingName is missing")
        return cls(
            where=f"{reader.where}.Properties",
            name=name,
            attributes=reader.map("AttributePayload"),
            type_name=reader.text("ThingTypeName"),
            groups=reader.texts("ThingGroups"),
            billing_group=reader.text("BillingGroup"),
            overrides=reader.overrides(AttributePayload=_MERGES, ThingTypeName=_CHANGES, ThingGroups=_MERGES),
        )

    def plan(self, scope: Scope) -> ThingPlan:
        """Raises ResourceRegistrationFailure."""
        given = self.attributes
        groups = None if self.groups is None else evaluate_texts(self.groups, scope, f"{self.where}.ThingGroups")
        return ThingPlan(
            name=evaluate_text(self.name, scope, f"{self.where}.ThingName"),
            attributes=None
            if given is None
            else {key: evaluate_text(one, scope, f"{self.where}.AttributePayload.{key}") for key, one in given.items()},
            type_name=_optional(self.type_name, scope, f"{self.where}.ThingTypeName"),
            groups=None if groups is None else tuple(dict.fromkeys(groups)),
            billing_group=_optional(self.billing_group, scope, f"{self.where}.BillingGroup"),
            on_attributes=self.overrides.get("AttributePayload", Override.SAME),
            on_type=self.overrides.get("ThingTypeName", Override.SAME),
            on_groups=self.overrides.get("ThingGroups", Override.SAME),
        )


class CertificateResource(msgspec.Struct, frozen=True, kw_only=True):
    """`AWS::IoT::Certificate`."""

    where: str
    way: CertificateWay
    value: Expression
    ca_pem: Expression | None
    status: Expression
    principal_type: Expression | None
    override: Override

    @classmethod
    def read(cls, reader: Reader, *, own: bool) -> "CertificateResource":
        """`own`: only the certificate that is being provisioned may be named. Raises InvalidRequest."""
        ways = [way for way in CertificateWay if way.value in reader.properties]
        reader.only(*(way.value for way in CertificateWay), "CACertificatePem", "Status", "ThingPrincipalType")
        if len(ways) != 1:
            choices = ", ".join(way.value for way in CertificateWay)
            raise malformed(f"{reader.where}.Properties", f"must have exactly one of {choices}")
        way = ways[0]
        if "CACertificatePem" in reader.properties and way is not CertificateWay.PEM:
            raise malformed(reader.at("CACertificatePem"), "goes with CertificatePem alone")
        value = reader.text(way.value)
        assert value is not None, "it is among the properties"
        if own and (way is not CertificateWay.ID or value != Ref(CERTIFICATE_ID)):
            raise malformed(f"{reader.where}.Properties", f'CertificateId must be {{"Ref": "{CERTIFICATE_ID}"}}')
        status = reader.text("Status") or Literal("ACTIVE")
        principal_type = reader.text("ThingPrincipalType")
        for one, check, name in (
            (status, _active, "Status"),
            (principal_type, _exclusive, "ThingPrincipalType"),
        ):
            if isinstance(one, Literal) and check(one.value) is None:
                raise malformed(reader.at(name), f"cannot be {one.value[:64]!r}")
        return cls(
            where=f"{reader.where}.Properties",
            way=way,
            value=value,
            ca_pem=reader.text("CACertificatePem"),
            status=status,
            principal_type=principal_type,
            override=reader.overrides(Status=_CHANGES).get("Status", Override.REPLACE),
        )

    def plan(self, scope: Scope) -> CertificatePlan:
        """Raises ResourceRegistrationFailure."""
        status = evaluate_text(self.status, scope, f"{self.where}.Status")
        kind = _optional(self.principal_type, scope, f"{self.where}.ThingPrincipalType")
        active, exclusive = _active(status), None if kind is None else _exclusive(kind)
        if active is None:
            raise ResourceRegistrationFailure(f"{self.where}.Status: cannot be {status[:64]!r}")
        if kind is not None and exclusive is None:
            raise ResourceRegistrationFailure(f"{self.where}.ThingPrincipalType: cannot be {kind[:64]!r}")
        return CertificatePlan(
            way=self.way,
            value=evaluate_text(self.value, scope, f"{self.where}.{self.way.value}"),
            ca_pem=_optional(self.ca_pem, scope, f"{self.where}.CACertificatePem"),
            active=active,
            on_status=self.override,
            exclusive=exclusive,
        )


class PolicyResource(msgspec.Struct, frozen=True, kw_only=True):
    """`AWS::IoT::Policy`: one that is there, by its name, or one that is made of a document."""

    where: str
    logical_name: str
    name: Expression | None
    document: Expression | None
    taboo: str
    same: PolicyPlan | None = None
    """What it comes to where that is the same for all devices."""

    @classmethod
    def read(cls, reader: Reader, *, own: bool) -> "PolicyResource":
        """`own`: devices say what the parameters are. Raises InvalidRequest."""
        reader.only("PolicyName", "PolicyDocument")
        reader.overrides()
        name, document = reader.text("PolicyName"), reader.document("PolicyDocument")
        if name is None and document is None:  # in the words of AWS
            raise malformed(reader.where, "Neither policyName nor policyDocument is present in the Template.")
        if name is not None and document is not None:
            raise malformed(reader.where, "PolicyName or PolicyDocument, but not both, must be specified")
        found = cls(
            where=f"{reader.where}.Properties",
            logical_name=reader.name,
            name=name,
            document=document,
            taboo=(_WILDCARDS if own else "") + ("" if _is_structure(document, own) else _QUOTING),
        )
        if document is None or document.references:
            return found
        try:
            return msgspec.structs.replace(found, same=found.plan(Scope({}, {}, reader.maps)))
        except ResourceRegistrationFailure as error:
            raise InvalidRequest(f"Invalid registration template. {error.message}") from None

    def plan(self, scope: Scope) -> PolicyPlan:
        """Raises ResourceRegistrationFailure."""
        if self.same is not None:
            return self.same
        if self.document is None:
            assert self.name is not None, "one of them was there"
            return PolicyPlan(
                logical_name=self.logical_name, name=evaluate_text(self.name, scope, f"{self.where}.PolicyName")
            )
        where = f"{self.where}.PolicyDocument"
        scope = msgspec.structs.replace(scope, taboo=self.taboo, purpose=f"in {where}")
        if isinstance(self.document, Members):
            text = msgspec.json.encode(self.document.evaluate(scope)).decode()
        else:
            text = evaluate_text(self.document, scope, where)
        try:
            check_document(text)
        except MalformedPolicy as error:
            raise ResourceRegistrationFailure(f"{where}: {error.message}") from None
        return PolicyPlan(logical_name=self.logical_name, name=policy_name(text), document=text)


def policy_name(document: str) -> str:
    """A policy's name where the template gives none: a hash of the document, forty digits as in the guide's example."""
    return hashlib.sha256(document.encode()).hexdigest()[:40].upper()


def _is_structure(document: Expression | None, own: bool) -> bool:
    """Whether values can be nothing but values: in an object; or where the whole document is one, by who registers."""
    return isinstance(document, Members) or (isinstance(document, Ref) and not own)


def _optional(expression: Expression | None, scope: Scope, where: str) -> str | None:
    return None if expression is None else evaluate_text(expression, scope, where)


def _active(status: str) -> bool | None:
    return _STATUS.get(status.lower())  # the guide's own examples have `ACTIVE` and `Active`


def _exclusive(type_: str) -> bool | None:
    return _PRINCIPAL_TYPES.get(type_)


def _upper(name: str) -> str:
    """`AttributePayload` as `ATTRIBUTE_PAYLOAD`."""
    return "".join(f"_{char}" if char.isupper() and i else char for i, char in enumerate(name)).upper()
