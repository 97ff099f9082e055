"""The registry's things and groups as jobs see them: port Fleet."""

from collections.abc import Mapping

from fogbank.ports import FleetListener, FleetMember
from fogbank.registry.changes import Change, Changes
from fogbank.registry.records import Records, memberships_prefix


class RegistryFleet:
    """Port Fleet."""

    def __init__(self, records: Records, changes: Changes) -> None:
        self._records = records
        self._changes = changes

    async def exists(self, thing: str) -> bool:
        return await self._records.things.get(thing) is not None

    async def group_id(self, name: str) -> str | None:
        """The ID of a group; None where there is none of this name."""
        found = await self._records.thing_groups.get(name)
        return None if found is None else found.value.id

    async def members(self, group: str, *, after: str = "", limit: int) -> list[FleetMember]:
        """Things in a group or below it. A thing is in one group of a hierarchy at most, and so comes once."""
        found = await self._records.memberships.find("within", group, after=after, limit=limit)
        return [FleetMember(one.value.thing, one.value.created, one.key) for one in found]

    async def groups_of(self, thing: str) -> Mapping[str, float]:
        """The groups that a thing is in, and those above them; since when."""
        found = await self._records.memberships.scan(prefix=memberships_prefix(thing))
        return {name: one.value.created for one in found for name in one.value.path}

    def watch(self, listener: FleetListener) -> None:
        """Call `listener` with the things of every change, once it is durable."""

        def tell(change: Change) -> None:
            if change.things:
                listener(change.things)

        self._changes.invalidate(tell)
