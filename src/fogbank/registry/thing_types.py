"""Thing types: what things of one kind share (developer guide, thing-types)."""

import uuid
from collections.abc import Sequence

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.constraints import ATTRIBUTE_NAME, THING_TYPE_DESCRIPTION, THING_TYPE_NAME
from fogbank.registry.paging import Page, Paging
from fogbank.registry.records import Records, ThingType
from fogbank.storage.collection import Stored

SEARCHABLE_ATTRIBUTES = 3
DELETE_AFTER = 5 * 60
"""Seconds between deprecation and deletion."""


class ThingTypes:
    """The thing types of the account."""

    def __init__(self, records: Records, changes: Changes, arns: Arns, clock: Clock) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock

    def arn(self, name: str) -> str:
        return self._arns.iot("thingtype", name)

    async def create(self, name: str, description: str | None = None, searchable: Sequence[str] = ()) -> ThingType:
        """Make a type; the same name with the same configuration succeeds and changes nothing.

        Raises InvalidRequest, ResourceAlreadyExists.
        """
        THING_TYPE_NAME.check(name)
        wanted = ThingType(
            name=name,
            id=str(uuid.uuid4()),
            created=self._clock.time(),
            description=_checked_description(description),
            searchable=_checked_searchable(searchable),
        )

        async def attempt() -> ThingType:
            stored = await self._records.thing_types.get(name)
            if stored is None:
                write = self._records.thing_types.putting(name, wanted, expect=0)
                await self._changes.commit(write, change=Change())
                return wanted
            there = stored.value
            if (there.description, set(there.searchable)) != (wanted.description, set(wanted.searchable)):
                raise ResourceAlreadyExists(
                    f"Thing type {name} already exists with different properties",
                    resourceId=there.id,
                    resourceArn=self.arn(name),
                )
            return there

        return await settle(attempt)

    async def describe(self, name: str) -> ThingType:
        """Raises ResourceNotFound, InvalidRequest."""
        return (await self.stored(name)).value

    async def stored(self, name: str) -> Stored[ThingType]:
        """The type with the version it is stored at. Raises ResourceNotFound, InvalidRequest."""
        found = await self._records.thing_types.get(THING_TYPE_NAME.check(name))
        if found is None:
            raise ResourceNotFound(f"Thing type {name} not found")
        return found

    async def page(self, paging: Paging, *, name: str | None = None) -> Page[ThingType]:
        """All types in order of their names, or the one named `name`."""
        if name is not None:
            found = await self._records.thing_types.get(THING_TYPE_NAME.check(name))
            return Page([] if found is None else [found.value])
        page = await paging.page(
            "thing types", lambda after, limit: self._records.thing_types.scan(after=after, limit=limit)
        )
        return Page([one.value for one in page.items], page.next)

    async def update(self, name: str, description: str | None, searchable: Sequence[str] | None) -> None:
        """Change the description; searchable attributes are fixed at creation and may only be repeated.

        Raises ResourceNotFound, InvalidRequest.
        """
        _checked_description(description)

        async def attempt() -> None:
            stored = await self.stored(name)
            if stored.value.deprecated is not None:
                raise InvalidRequest(f"Thing type {name} is deprecated and cannot be updated")
            if searchable is not None and set(searchable) != set(stored.value.searchable):
                raise InvalidRequest(f"The searchable attributes of thing type {name} cannot be changed")
            if description is not None:
                await self._write(stored, msgspec.structs.replace(stored.value, description=description))

        await settle(attempt)

    async def deprecate(self, name: str, *, undo: bool = False) -> None:
        """Close the type to new things, or open it again. Deprecating once more does not renew the date.

        Raises ResourceNotFound.
        """

        async def attempt() -> None:
            stored = await self.stored(name)
            if undo is (stored.value.deprecated is not None):
                deprecated = None if undo else self._clock.time()
                await self._write(stored, msgspec.structs.replace(stored.value, deprecated=deprecated))

        await settle(attempt)

    async def delete(self, name: str) -> None:
        """Remove a type that has been deprecated for five minutes and that no thing has.

        Raises ResourceNotFound, InvalidRequest.
        """

        async def attempt() -> None:
            stored = await self.stored(name)
            deprecated = stored.value.deprecated
            if deprecated is None:
                raise InvalidRequest(f"Cannot delete thing type : {name}. Please deprecate it first")
            if self._clock.time() - deprecated < DELETE_AFTER:
                raise InvalidRequest(
                    f"Cannot delete thing type : {name}. Please wait for 5 minutes after deprecation and then retry"
                )
            if await self._records.things.find("type", name, limit=1):
                raise InvalidRequest(f"Cannot delete thing type : {name}. It still has things associated with it")
            write = self._records.thing_types.deleting(name, expect=stored.version)
            await self._changes.commit(write, change=Change())

        await settle(attempt)

    async def _write(self, stored: Stored[ThingType], value: ThingType) -> None:
        write = self._records.thing_types.putting(stored.key, value, expect=stored.version)
        await self._changes.commit(write, change=Change())


def _checked_description(description: str | None) -> str | None:
    return None if description is None else THING_TYPE_DESCRIPTION.check(description)


def _checked_searchable(names: Sequence[str]) -> tuple[str, ...]:
    if len(names) > SEARCHABLE_ATTRIBUTES:
        raise InvalidRequest(f"A thing type has at most {SEARCHABLE_ATTRIBUTES} searchable attributes")
    if len(set(names)) < len(names):
        raise InvalidRequest("A searchable attribute is named twice")
    return tuple(ATTRIBUTE_NAME.check(name) for name in names)
