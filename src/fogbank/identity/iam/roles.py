"""Roles, and who may assume them."""

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.identity.iam import ids
from fogbank.identity.iam.changes import Changes
from fogbank.identity.iam.holders import HolderStore, Kind
from fogbank.identity.iam.policies import Policies
from fogbank.identity.iam.records import Records, Role
from fogbank.identity.iam.texts import ROLE_INLINE_SIZE, check_trust

ROLE = Kind(noun="role", most=1000, quota="RolesPerAccount", inline_size=ROLE_INLINE_SIZE)


class Roles(HolderStore[Role]):
    """The account's roles."""

    def __init__(self, records: Records, policies: Policies, changes: Changes, arns: Arns, clock: Clock) -> None:
        super().__init__(ROLE, records.roles, policies, changes, arns)
        self._clock = clock

    async def make(
        self,
        name: str,
        trust: str,
        *,
        path: str = "/",
        description: str | None = None,
        max_session: int = 3600,
        tags: dict[str, str] | None = None,
        boundary: str | None = None,
    ) -> Role:
        """Raises MalformedPolicyDocument, EntityAlreadyExists, LimitExceeded, NoSuchEntity for the boundary."""
        check_trust(trust)
        made = Role(
            name=name,
            id=ids.new_id(ids.ROLE),
            path=path,
            created=self._clock.time(),
            tags=tags or {},
            trust=trust,
            description=description,
            max_session=max_session,
        )
        return await self.create(made, boundary)

    async def by_arn(self, arn: str) -> Role | None:
        """The role of that ARN, path and all."""
        found = await self.find(arn.rpartition("/")[2])
        return found if found is not None and self.arn(found) == arn else None

    async def update_trust(self, name: str, trust: str) -> None:
        """Raises NoSuchEntity, MalformedPolicyDocument."""
        check_trust(trust)
        await self.change(name, lambda role: msgspec.structs.replace(role, trust=trust))

    async def update(self, name: str, *, description: str | None, max_session: int | None) -> Role:
        """Change what is not None. Raises NoSuchEntity."""

        def change(role: Role) -> Role:
            return msgspec.structs.replace(
                role,
                description=role.description if description is None else description,
                max_session=role.max_session if max_session is None else max_session,
            )

        return await self.change(name, change)
