"""What the registry keeps: one kind of document per noun, attachments included.

Attachments are documents of their own, keyed by the principal first, so that a principal's are a key range and a
policy's or a thing's an index: both directions list with paging. Names, not ARNs, are stored: an instance that is
started with another account or region keeps its fleet.
"""

import enum
from collections.abc import Mapping

import msgspec

from fogbank.ports import Documents
from fogbank.storage.collection import Collection, Indexes


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """A device's entry in the registry. Times are seconds since the epoch, here and below."""

    name: str
    id: str
    type_name: str | None = None
    attributes: Mapping[str, str] = {}
    version: int = 1
    """AWS's record version: one more with every update, and only with those."""


class PropagatingAttribute(msgspec.Struct, frozen=True, kw_only=True):
    """A user property that every message of a thing bears, from its attributes or from its connection."""

    key: str
    """The user property's."""
    thing_attribute: str | None = None
    connection_attribute: str | None = None
    """`iot:ClientId`, `iot:Thing.ThingName`, ...; one of both is set."""

    def members(self) -> dict[str, str]:
        """As the API and events have it."""
        if self.thing_attribute is not None:
            return {"userPropertyKey": self.key, "thingAttribute": self.thing_attribute}
        return {"userPropertyKey": self.key, "connectionAttribute": self.connection_attribute or ""}


class ThingType(msgspec.Struct, frozen=True, kw_only=True):
    """What things of one kind have in common."""

    name: str
    id: str
    created: float
    description: str | None = None
    searchable: tuple[str, ...] = ()
    propagating: tuple[PropagatingAttribute, ...] = ()
    deprecated: float | None = None
    """Since when; None while things may take this type."""


class CertificateStatus(enum.Enum):
    """A certificate's states; only an ACTIVE one authenticates. REVOKED is final."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    REVOKED = "REVOKED"
    PENDING_TRANSFER = "PENDING_TRANSFER"
    PENDING_ACTIVATION = "PENDING_ACTIVATION"
    REGISTER_INACTIVE = "REGISTER_INACTIVE"


class CertificateMode(enum.Enum):
    """SNI_ONLY certificates are those that several of AWS's accounts may register; AWS tells the accounts apart by the
    server name that the device asks for. An instance is one account, so that here nobody needs to ask for one."""

    DEFAULT = "DEFAULT"
    SNI_ONLY = "SNI_ONLY"


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate's way from one account to another, or how that ended."""

    source: str
    target: str
    started: float
    message: str | None = None
    accepted: float | None = None
    rejected: float | None = None
    reject_reason: str | None = None


class Certificate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A registered client certificate. Its private key is never here."""

    id: str
    """The SHA-256 digest of the DER certificate, as 64 hex digits."""
    pem: str
    status: CertificateStatus
    created: float
    modified: float
    not_before: float
    not_after: float
    generation: str
    ca: str | None = None
    """The ID of the registered CA that signed it; None: this instance's own, or none that is known."""
    mode: CertificateMode = CertificateMode.DEFAULT
    listed: bool = True
    """False for claims, which are in no list (developer guide, provision-wo-cert)."""
    issued: str = ""
    """Issuer and serial number, as revocation lists name it; "" for those of our own CA, which has no such lists."""
    content: str = ""
    """A digest of what its issuer signed; "" for those of our own CA. Whoever holds a certificate can write its
    signature in other ways, which changes the ID; this stays."""
    customer_version: int = 1
    """Counts the accounts it has belonged to."""
    previous_owner: str | None = None
    transfer: Transfer | None = None


class CaStatus(enum.Enum):
    """Only an ACTIVE CA's certificates can be registered; those that are registered do not mind."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


class RegistrationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How devices of a CA are provisioned at their first connection: by a template of its own or by a named one."""

    template_body: str | None = None
    role_arn: str | None = None
    template_name: str | None = None


class CaCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's certificate authority. Its key never comes here."""

    id: str
    """The SHA-256 digest of the DER certificate, as 64 hex digits."""
    pem: str
    status: CaStatus
    auto_registration: bool
    """Whether its devices' certificates are registered when they first connect."""
    mode: CertificateMode
    registration: RegistrationConfig | None
    created: float
    modified: float
    not_before: float
    not_after: float
    generation: str
    subject: str
    """Its subject as a digest: what certificates that it issued name as their issuer."""
    authority: str
    """Its subject and key as a digest: CA certificates that are alike in both are one authority, renewed."""
    customer_version: int = 1


class RevokedSerial(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that its CA's revocation list names, registered here or not."""

    revoked: float
    """When the CA did."""
    reason: str | None = None


class RevocationList(msgspec.Struct, frozen=True, kw_only=True):
    """The newest revocation list seen of an authority."""

    this_update: float
    number: int | None
    digest: str
    """SHA-256 of its DER form in hex."""


class RegistrationCode(msgspec.Struct, frozen=True, kw_only=True):
    """What a CA signs to show that whoever registers it holds its key."""

    code: str


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One of a policy's up to five documents, as text."""

    document: str
    created: float
    generation: str


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A named policy with all its versions, so that what must hold between them is one compare-and-set."""

    name: str
    created: float
    modified: float
    default: int
    last: int
    """The highest version ever made: a number is never used again."""
    versions: Mapping[int, PolicyVersion]
    leaving: bool = False
    """Somebody has tried to delete it; see `removal`."""

    @property
    def document(self) -> str:
        """The document in effect."""
        return self.versions[self.default].document


class PolicyAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """A policy on a certificate, thing group or Cognito identity: the key says which."""

    policy: str
    created: float


class CognitoIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that policies were attached to. Its pool knows nothing of it, so that this is all there is."""

    id: str


class ThingAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate attached to a thing."""

    certificate: str
    thing: str
    exclusive: bool
    created: float

    @property
    def key(self) -> str:
        return attachment_key(self.certificate, self.thing)


class DynamicStatus(enum.Enum):
    """How far the members of a dynamic group are: all are in it only while it is ACTIVE."""

    BUILDING = "BUILDING"
    REBUILDING = "REBUILDING"
    ACTIVE = "ACTIVE"


class DynamicQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which things are in a dynamic thing group: those that a search of the fleet index finds."""

    text: str
    index: str
    version: str
    """Of the query language."""
    mapping: str
    """What events call `dynamicGroupMappingId`: another one with every other query."""
    status: DynamicStatus


class ThingGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A thing group. Its place in the hierarchy is fixed when it is made; dynamic ones are in none."""

    name: str
    id: str
    created: float
    ancestors: tuple[str, ...] = ()
    """The groups above it, the root first."""
    description: str | None = None
    attributes: Mapping[str, str] = {}
    version: int = 1
    leaving: bool = False
    """Somebody has tried to delete it; see `removal`."""
    dynamic: DynamicQuery | None = None
    """Of a dynamic group; None: things are put into it."""

    @property
    def parent(self) -> str | None:
        return self.ancestors[-1] if self.ancestors else None

    @property
    def path(self) -> tuple[str, ...]:
        """From the root of its hierarchy down to itself."""
        return (*self.ancestors, self.name)


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """A thing in a thing group."""

    thing: str
    path: tuple[str, ...]
    """The group's, itself last: whose policies the thing inherits. It cannot change while the group exists."""
    created: float
    thing_id: str = ""
    group_id: str = ""
    """Both IDs for the event of its end, when thing or group may be gone."""
    dynamic: bool = False
    """Whether the group's query put it there."""

    @property
    def group(self) -> str:
        return self.path[-1]

    @property
    def root(self) -> str:
        return self.path[0]

    @property
    def key(self) -> str:
        return memberships_prefix(self.thing) + self.group


class BillingGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group of things that costs are put down to."""

    name: str
    id: str
    created: float
    description: str | None = None
    version: int = 1
    leaving: bool = False
    """Somebody has tried to delete it; see `removal`."""


class BillingMembership(msgspec.Struct, frozen=True):
    """The one billing group that a thing is in: its key is the thing's name."""

    thing: str
    group: str


def attachments_prefix(certificate: str) -> str:
    """The key range of all that is attached to a certificate; for other holders of policies see `targets.Holder`."""
    return f"cert/{certificate}/"


def attachment_key(certificate: str, name: str) -> str:
    """The key of the thing `name` on a certificate."""
    return attachments_prefix(certificate) + name


def memberships_prefix(thing: str) -> str:
    """The key range of a thing's memberships in groups."""
    return f"{thing}/"


class Records:
    """The registry's collections."""

    def __init__(self, documents: Documents) -> None:
        self.things = Collection(documents, "thing", Thing, indexes=_thing_indexes)
        self.thing_types = Collection(documents, "thing-type", ThingType)
        self.certificates = Collection(documents, "certificate", Certificate, indexes=_certificate_indexes)
        self.ca_certificates = Collection(documents, "ca-certificate", CaCertificate, indexes=_ca_indexes)
        self.revoked_serials = Collection(documents, "revoked-serial", RevokedSerial)
        self.revocation_lists = Collection(documents, "revocation-list", RevocationList)
        self.registration_codes = Collection(documents, "registration-code", RegistrationCode)
        self.policies = Collection(documents, "policy", Policy)
        self.policy_attachments = Collection(
            documents, "policy-attachment", PolicyAttachment, indexes=lambda one: {"policy": (one.policy,)}
        )
        self.cognito_identities = Collection(documents, "cognito-identity", CognitoIdentity)
        self.thing_groups = Collection(documents, "thing-group", ThingGroup, indexes=_group_indexes)
        self.memberships = Collection(
            documents,
            "thing-group-member",
            Membership,
            indexes=lambda one: {"group": (one.group,), "within": one.path},
        )
        self.billing_groups = Collection(documents, "billing-group", BillingGroup)
        self.billing_memberships = Collection(
            documents, "billing-group-member", BillingMembership, indexes=lambda one: {"group": (one.group,)}
        )
        self.thing_attachments = Collection(
            documents, "thing-attachment", ThingAttachment, indexes=lambda one: {"thing": (one.thing,)}
        )


def attribute_entry(name: str, value: str) -> str:
    """The index entry of an attribute with its value; `=` cannot occur in a name, so that it is unambiguous."""
    return f"{name}={value}"


def _thing_indexes(thing: Thing) -> Indexes:
    """`attribute` holds each name alone and with its value: ListThings asks for either."""
    named = list(thing.attributes)
    valued = [attribute_entry(name, value) for name, value in thing.attributes.items()]
    return {"type": () if thing.type_name is None else (thing.type_name,), "attribute": named + valued}


def _certificate_indexes(certificate: Certificate) -> Indexes:
    """`issued` for revocation lists, `content` for what is the same certificate under another ID."""
    return {
        "issued": (certificate.issued,) if certificate.issued else (),
        "content": (certificate.content,) if certificate.content else (),
    }


def _ca_indexes(ca: CaCertificate) -> Indexes:
    """By what names it: certificates, revocation lists, templates."""
    named = None if ca.registration is None else ca.registration.template_name
    return {"subject": (ca.subject,), "authority": (ca.authority,), "template": () if named is None else (named,)}


def _group_indexes(group: ThingGroup) -> Indexes:
    """`parent` for the direct children of a group, "" for the roots; `ancestor` for all below it; `dynamic` for all
    dynamic ones."""
    return {
        "parent": (group.parent or "",),
        "ancestor": group.ancestors,
        "dynamic": () if group.dynamic is None else ("yes",),
    }
