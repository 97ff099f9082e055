"""Users and their access keys."""

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.identity.access_keys import AccessKeyRecord, AccessKeys, Status
from fogbank.identity.iam import ids
from fogbank.identity.iam.changes import Changes
from fogbank.identity.iam.errors import DeleteConflict, LimitExceeded, NoSuchEntity
from fogbank.identity.iam.holders import HolderStore, Kind
from fogbank.identity.iam.policies import Policies
from fogbank.identity.iam.records import Records, User
from fogbank.identity.iam.texts import USER_INLINE_SIZE
from fogbank.identity.records import held, settle

USER = Kind(noun="user", most=5000, quota="UsersPerAccount", inline_size=USER_INLINE_SIZE)
MAX_KEYS = 2
"""Of a user (IAM user guide, "IAM and AWS STS quotas")."""


class Users(HolderStore[User]):
    """The account's users. Whose an access key is stands in the key, which goes with the user in one batch."""

    def __init__(
        self, records: Records, policies: Policies, keys: AccessKeys, changes: Changes, arns: Arns, clock: Clock
    ) -> None:
        super().__init__(USER, records.users, policies, changes, arns)
        self._keys = keys
        self._clock = clock

    async def make(
        self, name: str, *, path: str = "/", tags: dict[str, str] | None = None, boundary: str | None = None
    ) -> User:
        """Raises EntityAlreadyExists, LimitExceeded, NoSuchEntity for the boundary."""
        made = User(name=name, id=ids.new_id(ids.USER), path=path, created=self._clock.time(), tags=tags or {})
        return await self.create(made, boundary)

    # --- access keys --------------------------------------------------------------------------------------------

    async def create_key(self, name: str) -> AccessKeyRecord:
        """Give a user an access key; its secret is never shown again. Raises NoSuchEntity, LimitExceeded."""

        async def attempt() -> AccessKeyRecord:
            stored = await self.stored(name)
            if len(await self._keys.of_user(name)) >= MAX_KEYS:
                raise LimitExceeded(f"Cannot exceed quota for AccessKeysPerUser: {MAX_KEYS}")
            key = AccessKeyRecord(
                ids.new_key_id(ids.ACCESS_KEY), ids.new_secret(), Status.ACTIVE, self._clock.time(), user=name
            )
            await self._changes.commit(
                self._keys.putting(key), held(self._collection, stored), then=lambda: self._keys.know(key)
            )
            return key

        return await settle(attempt)

    async def keys(self, name: str) -> list[AccessKeyRecord]:
        """Raises NoSuchEntity."""
        await self.stored(name)
        return await self._keys.of_user(name)

    async def update_key(self, name: str, key_id: str, status: Status) -> None:
        """Raises NoSuchEntity."""

        async def attempt() -> None:
            stored, key = await self.stored(name), await self._key(name, key_id)
            changed = msgspec.structs.replace(key, status=status)
            await self._changes.commit(
                self._keys.putting(changed),
                held(self._collection, stored),
                then=lambda: self._keys.know(changed),
                unsure=lambda: self._keys.forget(key),
                touched=frozenset((stored.value.id,)),
            )

        await settle(attempt)

    async def delete_key(self, name: str, key_id: str) -> None:
        """Raises NoSuchEntity."""

        async def attempt() -> None:
            stored, key = await self.stored(name), await self._key(name, key_id)
            await self._changes.commit(
                self._keys.deleting(key),
                held(self._collection, stored),
                then=lambda: self._keys.forget(key),
                unsure=lambda: self._keys.forget(key),
                touched=frozenset((stored.value.id,)),
            )

        await settle(attempt)

    async def _check_removable(self, holder: User) -> None:
        """A key that somebody makes meanwhile holds on to the user, so that one of the two finds it changed."""
        if await self._keys.of_user(holder.name):
            raise DeleteConflict("Cannot delete entity, must delete access keys first.")
        await super()._check_removable(holder)

    async def _key(self, name: str, key_id: str) -> AccessKeyRecord:
        for key in await self._keys.of_user(name):
            if key.id == key_id:
                return key
        raise NoSuchEntity(f"The Access Key with id {key_id} cannot be found.")
