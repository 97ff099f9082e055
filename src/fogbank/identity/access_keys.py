"""The access keys that requests to the HTTP API are signed with.

A SigV4 signature is checked by making it again, so the secret itself must be kept: in the data directory, which is
readable by its owner alone. All keys are held in memory, for every request asks for one.
"""

import base64
import enum
import re
import secrets

import msgspec

from fogbank.clock import Clock
from fogbank.errors import FogbankError
from fogbank.ports import Delete, Documents, Put
from fogbank.settings import AccessKey
from fogbank.storage.collection import Collection, Indexes

_ID = re.compile(r"\w{1,128}", re.ASCII)
_SECRET = re.compile(r"[!-~]{1,128}", re.ASCII)


class Status(enum.Enum):
    """AWS's two states of an access key (IAM API reference, AccessKeyMetadata)."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"


class AccessKeyRecord(msgspec.Struct, frozen=True):
    """An access key as it is stored. The secret stays out of `repr` and so out of logs."""

    id: str
    secret: str
    status: Status
    created: float
    """Seconds since the epoch."""
    first: bool = False
    """Whether this is the key that `fogbank up` shows: the one made on first start, or given by `--access-key`."""
    user: str | None = None
    """Whose it is; None: the account's root's, who may do everything."""

    def __repr__(self) -> str:
        whose = "root" if self.user is None else repr(self.user)
        return f"AccessKeyRecord(id={self.id!r}, secret=..., status={self.status}, first={self.first}, of {whose})"


class InvalidAccessKey(FogbankError):
    """A given access key pair that no request could be signed with."""


class AccessKeys:
    """The keys of the account. `ensure_first` loads them; until then there are none."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock
        self._collection = Collection(documents, "access-key", AccessKeyRecord, indexes=_indexes)
        self._keys: dict[str, AccessKeyRecord] = {}

    async def ensure_first(self, given: AccessKey | None) -> AccessKey:
        """Load the keys and return the first one: `given`, else the one there is, else a new one.

        A given pair takes the place of the first key before it, which no longer works from then on. Raises
        InvalidAccessKey.
        """
        self._keys = {stored.key: stored.value for stored in await self._collection.scan()}
        before = next((key for key in self._keys.values() if key.first), None)
        pair = given or (AccessKey(before.id, before.secret) if before else _generate())
        if given is not None:
            _check(given)
        if before is None or before.status is not Status.ACTIVE or (before.id, before.secret) != (pair.id, pair.secret):
            await self._make_first(pair, before)
        return pair

    @property
    def first(self) -> AccessKey:
        """The key that `ensure_first` returned."""
        record = next(key for key in self._keys.values() if key.first)
        return AccessKey(record.id, record.secret)

    def get(self, key_id: str) -> AccessKey | None:
        """The active key of that ID, if it is one of the root's: what a signature is checked with."""
        record = self.record(key_id)
        return None if record is None or record.user is not None else AccessKey(record.id, record.secret)

    def record(self, key_id: str) -> AccessKeyRecord | None:
        """The active key of that ID as it is stored."""
        record = self._keys.get(key_id)
        return record if record is not None and record.status is Status.ACTIVE else None

    # --- the keys of users, which are written in one batch with their users -----------------------------------------

    async def of_user(self, user: str) -> list[AccessKeyRecord]:
        """All keys of a user as they are stored, which those in memory follow; the oldest first."""
        found = [stored.value for stored in await self._collection.find("user", user)]
        return sorted(found, key=lambda key: (key.created, key.id))

    def putting(self, key: AccessKeyRecord) -> Put:
        """The change that writes a key; `know` follows once it is durable."""
        return self._collection.putting(key.id, key)

    def deleting(self, key: AccessKeyRecord) -> Delete:
        """The change that removes a key; `forget` follows once it is durable."""
        return self._collection.deleting(key.id)

    def know(self, key: AccessKeyRecord) -> None:
        self._keys[key.id] = key

    def forget(self, key: AccessKeyRecord) -> None:
        self._keys.pop(key.id, None)

    # --- the root's first key ---------------------------------------------------------------------------------------

    async def _make_first(self, pair: AccessKey, before: AccessKeyRecord | None) -> None:
        changed = [AccessKeyRecord(pair.id, pair.secret, Status.ACTIVE, self._clock.time(), first=True)]
        if before is not None and before.id != pair.id:
            changed.append(msgspec.structs.replace(before, status=Status.INACTIVE, first=False))
        await self._documents.commit(*(self._collection.putting(key.id, key) for key in changed))
        self._keys.update((key.id, key) for key in changed)


def _indexes(key: AccessKeyRecord) -> Indexes:
    return {} if key.user is None else {"user": (key.user,)}


def _generate() -> AccessKey:
    """A pair of AWS's form: an ID of `AKIA` and 16 characters of base32, a secret of 40 characters of base64."""
    return AccessKey(
        id="AKIA" + base64.b32encode(secrets.token_bytes(10)).decode(),
        secret=base64.b64encode(secrets.token_bytes(30)).decode(),
    )


def _check(pair: AccessKey) -> None:
    """The ID stands between slashes and commas in the Authorization header, and the secret in a shell's `export`."""
    if not _ID.fullmatch(pair.id):
        raise InvalidAccessKey(f"the access key ID {pair.id!r} must be 1 to 128 letters, digits or underscores")
    if not _SECRET.fullmatch(pair.secret):
        raise InvalidAccessKey(f"the secret of access key {pair.id!r} must be 1 to 128 visible ASCII characters")
