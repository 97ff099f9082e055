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


class ThingType(msgspec.Struct, frozen=True, kw_only=True):
    """What things of one kind have in common."""

    name: str
    id: str
    created: float
    description: str | None = None
    searchable: tuple[str, ...] = ()
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


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
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


class ThingGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A static thing group. Its place in the hierarchy is fixed when it is made."""

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

    @property
    def group(self) -> str:
        return self.path[-1]

    @property
    def root(self) -> str:
        return self.path[0]

    @property
    def key(self) -> str:
        return memberships_prefix(self.thing) + self.group


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
        self.certificates = Collection(documents, "certificate", Certificate)
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


def _group_indexes(group: ThingGroup) -> Indexes:
    """`parent` for the direct children of a group, "" for the roots; `ancestor` for all below it."""
    return {"parent": (group.parent or "",), "ancestor": group.ancestors}
