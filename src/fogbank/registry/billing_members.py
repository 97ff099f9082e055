"""Which things are in which billing groups: a thing in at most one, since its membership is kept under its own name.

Of group and thing it is merely expected that they are there, so that a fleet can join one group at once.
"""

from fogbank.errors import InvalidRequest
from fogbank.registry.billing_groups import BillingGroups
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.constraints import THING_NAME
from fogbank.registry.records import BillingMembership, Records
from fogbank.registry.removal import relying
from fogbank.registry.things import Things
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Page, Paging


class BillingMembers:
    """Lets things join and leave billing groups."""

    def __init__(self, records: Records, changes: Changes, *, things: Things, groups: BillingGroups) -> None:
        self._records = records
        self._changes = changes
        self._things = things
        self._groups = groups

    async def join(self, thing: str, group: str) -> None:
        """Put `thing` in `group`; being there already is no error.

        Raises ResourceNotFound, and InvalidRequest where it is in another one: that it does not change over is
        UNVERIFIED, the guide says no more than that a thing can be in one.
        """

        async def attempt() -> None:
            stored = await self._things.stored(thing)
            billing_group = await self._groups.stored(group)
            there = await self._records.billing_memberships.get(thing)
            if there is not None:
                if there.value.group == group:
                    return
                raise InvalidRequest(
                    f"Thing {thing} is in billing group {there.value.group}: a thing can be in one billing group."
                    " Remove it from there first"
                )
            await self._changes.commit(
                self._records.things.expecting(thing, stored.version),
                relying(self._records.billing_groups, billing_group),
                self._records.billing_memberships.putting(thing, BillingMembership(thing, group), expect=0),
                change=Change(things=frozenset((thing,))),
            )

        await settle(attempt)

    async def leave(self, thing: str, group: str) -> None:
        """Take `thing` out of `group`; not being there is no error. Raises ResourceNotFound, InvalidRequest."""

        async def attempt() -> None:
            await self._things.stored(thing)
            await self._groups.stored(group)
            there = await self._records.billing_memberships.get(thing)
            if there is not None and there.value.group == group:
                write = self._records.billing_memberships.deleting(thing, expect=there.version)
                await self._changes.commit(write, change=Change(things=frozenset((thing,))))

        await settle(attempt)

    async def group_of(self, thing: str) -> str | None:
        """The billing group that `thing` is in."""
        there = await self._records.billing_memberships.get(THING_NAME.check(thing))
        return None if there is None else there.value.group

    async def things_in(self, group: str, paging: Paging) -> Page[str]:
        """Names of the things in `group`. Raises ResourceNotFound, InvalidRequest."""
        await self._groups.stored(group)

        async def read(after: str, limit: int) -> list[Stored[BillingMembership]]:
            return await self._records.billing_memberships.find("group", group, after=after, limit=limit)

        page = await paging.page(f"things billed to {group}", read)
        return Page([one.value.thing for one in page.items], page.next)
