"""What IAM keeps: users, roles and policies, one document each, so that what must hold within one is one write.

Keys are names in lower case, since IAM does not let two names differ by case alone. A policy is referred to by its name
where it is the account's own and by its ARN where it is AWS's, so that an instance which is started with another
account keeps its roles.
"""

from collections.abc import Mapping

import msgspec

from fogbank.ports import Documents
from fogbank.storage.collection import Collection, Indexes


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """What users and roles have in common: they hold policies. Times are seconds since the epoch, here and below."""

    name: str
    id: str
    """Never used again: who has the name later is somebody else."""
    path: str
    created: float
    tags: Mapping[str, str] = {}
    inline: Mapping[str, str] = {}
    """Documents by policy name."""
    attached: tuple[str, ...] = ()
    """References to managed policies."""
    boundary: str | None = None
    """A reference to the managed policy that bounds what the others give."""

    @property
    def policies(self) -> tuple[str, ...]:
        """All managed policies that it refers to."""
        return self.attached if self.boundary is None else (*self.attached, self.boundary)


class User(Holder, frozen=True, kw_only=True):
    """A person or program with access keys of its own."""


class Role(Holder, frozen=True, kw_only=True):
    """What services and sessions act as."""

    trust: str
    """The document that says who may assume it."""
    description: str | None = None
    max_session: int = 3600
    """Seconds that a session lives at most."""


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One of a policy's up to five documents, as text."""

    document: str
    created: float


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A managed policy of the account, with all its versions."""

    name: str
    id: str
    path: str
    created: float
    updated: float
    default: int
    last: int
    """The highest version ever made: a number is never used again."""
    versions: Mapping[int, PolicyVersion]
    description: str | None = None
    tags: Mapping[str, str] = {}

    @property
    def document(self) -> str:
        """The document in effect."""
        return self.versions[self.default].document


class SealKey(msgspec.Struct, frozen=True):
    """The key that session tokens are sealed with; one document."""

    key: bytes

    def __repr__(self) -> str:
        return "SealKey(...)"


class Records:
    """IAM's collections."""

    def __init__(self, documents: Documents) -> None:
        self.users = Collection(documents, "iam-user", User, indexes=_policies)
        self.roles = Collection(documents, "iam-role", Role, indexes=_policies)
        self.policies = Collection(documents, "iam-policy", Policy)
        self.seal_keys = Collection(documents, "iam-seal-key", SealKey)


def _policies(holder: Holder) -> Indexes:
    return {"policy": tuple(dict.fromkeys(map(key_of, holder.policies)))}


def key_of(name: str) -> str:
    """The key of an entity, or of a reference to a policy."""
    return name.lower()
