"""Role aliases: names under which devices ask for credentials of roles (developer guide, authorizing-direct-aws)."""

import re
from collections.abc import Mapping

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound
from fogbank.identity.records import Records, RoleAlias, settle
from fogbank.storage.collection import Stored

DURATION = 3600
"""Seconds that credentials hold where nothing else is asked for."""
_NAME = re.compile(r"[\w=,@-]{1,128}", re.ASCII)
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]{1,576}", re.ASCII)


class RoleAliases:
    """The role aliases of the account."""

    def __init__(self, records: Records, arns: Arns, clock: Clock) -> None:
        self._records = records
        self._arns = arns
        self._clock = clock
        records.tags.register("rolealias", records.role_aliases.presence)

    def arn(self, name: str) -> str:
        return self._arns.iot("rolealias", name)

    async def create(
        self, name: str, role_arn: str, *, duration: int = DURATION, tags: Mapping[str, str] | None = None
    ) -> RoleAlias:
        """Make an alias. The role need not be there yet. Raises InvalidRequest, ResourceAlreadyExists."""
        if _NAME.fullmatch(name) is None:
            raise InvalidRequest(f"The role alias {name!r} is not 1 to 128 letters, digits and _=,@-")
        now = self._clock.time()
        made = RoleAlias(name=name, role_arn=_checked(role_arn), duration=duration, created=now, modified=now)

        async def attempt() -> RoleAlias:
            if await self._records.role_aliases.get(name) is not None:
                raise ResourceAlreadyExists(
                    f"Role alias {name} already exists", resourceId=name, resourceArn=self.arn(name)
                )
            await self._records.commit(
                self._records.role_aliases.putting(name, made, expect=0),
                self._records.tags.putting(self.arn(name), tags or {}),
            )
            return made

        return await settle(attempt)

    async def get(self, name: str) -> RoleAlias:
        """Raises ResourceNotFound."""
        return (await self._stored(name)).value

    async def all(self) -> list[RoleAlias]:
        """In the order of names."""
        return [one.value for one in await self._records.role_aliases.scan()]

    async def update(self, name: str, *, role_arn: str | None = None, duration: int | None = None) -> RoleAlias:
        """Change what is given. Credentials that were given out stay as they are. Raises ResourceNotFound, ..."""
        if role_arn is not None:
            _checked(role_arn)

        async def attempt() -> RoleAlias:
            stored = await self._stored(name)
            changed = msgspec.structs.replace(
                stored.value,
                role_arn=role_arn or stored.value.role_arn,
                duration=duration or stored.value.duration,
                modified=self._clock.time(),
            )
            await self._records.commit(self._records.role_aliases.putting(name, changed, expect=stored.version))
            return changed

        return await settle(attempt)

    async def delete(self, name: str) -> None:
        """Raises ResourceNotFound."""

        async def attempt() -> None:
            stored = await self._stored(name)
            await self._records.commit(
                self._records.role_aliases.deleting(name, expect=stored.version),
                self._records.tags.deleting(self.arn(name)),
            )

        await settle(attempt)

    async def _stored(self, name: str) -> Stored[RoleAlias]:
        stored = await self._records.role_aliases.get(name)
        if stored is None:
            raise ResourceNotFound(f"Role alias {name} does not exist")
        return stored


def _checked(role_arn: str) -> str:
    if _ROLE.fullmatch(role_arn) is None:
        raise InvalidRequest(f"{role_arn[:200]!r} is not the ARN of a role, arn:aws:iam::<account>:role/<name>")
    return role_arn
