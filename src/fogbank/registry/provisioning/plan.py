"""What a template asks for once everything in it has its value: plain values, checked for length and form alone."""

import enum
from collections.abc import Mapping

import msgspec


class Override(enum.Enum):
    """What to do about a property of a resource that exists already (developer guide, provision-template)."""

    SAME = ""
    """Nothing is said: what is as the template has it is left alone, and what differs is a conflict. AWS documents no
    default; so a device that repeats itself succeeds, and nobody's thing is taken over unasked. UNVERIFIED."""
    DO_NOTHING = "DO_NOTHING"
    REPLACE = "REPLACE"
    FAIL = "FAIL"
    MERGE = "MERGE"


class ThingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A thing. What is None is not said."""

    name: str
    attributes: Mapping[str, str] | None = None
    type_name: str | None = None
    groups: tuple[str, ...] | None = None
    billing_group: str | None = None
    on_attributes: Override = Override.SAME
    on_type: Override = Override.SAME
    on_groups: Override = Override.SAME


class CertificateWay(enum.Enum):
    """How a template names the certificate."""

    REQUEST = "CertificateSigningRequest"
    ID = "CertificateId"
    PEM = "CertificatePem"


class CertificatePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate."""

    way: CertificateWay
    value: str
    ca_pem: str | None = None
    active: bool = True
    on_status: Override = Override.REPLACE
    """UNVERIFIED where the template says nothing: AWS's own example of RegisterThing names a certificate as
    CreateKeysAndCertificate makes it, INACTIVE, and wants it to be ACTIVE."""
    exclusive: bool | None = None
    """Whether it is to stand for the thing alone; None: nothing is said."""


class PolicyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A policy to be attached to the certificate."""

    logical_name: str
    name: str
    document: str | None = None
    """None: it must be there."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    thing: ThingPlan | None = None
    certificate: CertificatePlan | None = None
    policies: tuple[PolicyPlan, ...] = ()
    device_configuration: Mapping[str, str] = {}
