"""Thing types: what things of one kind share (developer guide, thing-types)."""

import uuid
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.constraints import (
    ATTRIBUTE_NAME,
    THING_TYPE_DESCRIPTION,
    THING_TYPE_NAME,
    USER_PROPERTY_KEY,
)
from fogbank.registry.happenings import Operation, TypeHappening
from fogbank.registry.holders import certificates_of_type
from fogbank.registry.records import PropagatingAttribute, Records, ThingType
from fogbank.registry.tags import Tags
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Page, Paging

SEARCHABLE_ATTRIBUTES = 3
PROPAGATING_ATTRIBUTES = 20
"""(general reference, IoT Core thing type limits)"""
CONNECTION_ATTRIBUTES = ("iot:ClientId", "iot:Thing.ThingName")
"""What a connection can propagate (CloudFormation user guide, AWS::IoT::ThingType PropagatingAttribute)."""
DELETE_AFTER = 5 * 60
"""Seconds between deprecation and deletion."""


class ThingTypes:
    """The thing types of the account."""

    def __init__(self, records: Records, changes: Changes, arns: Arns, clock: Clock, tags: Tags) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._tags = tags
        tags.register("thingtype", records.thing_types.presence)

    def arn(self, name: str) -> str:
        return self._arns.iot("thingtype", name)

    async def create(
        self,
        name: str,
        description: str | None = None,
        searchable: Sequence[str] = (),
        *,
        propagating: Sequence[PropagatingAttribute] = (),
        tags: Mapping[str, str] | None = None,
    ) -> ThingType:
        """Make a type; the same name with the same configuration succeeds and changes nothing, tags neither.

        Raises InvalidRequest, ResourceAlreadyExists.
        """
        THING_TYPE_NAME.check(name)
        wanted = ThingType(
            name=name,
            id=str(uuid.uuid4()),
            created=self._clock.time(),
            description=_checked_description(description),
            searchable=_checked_searchable(searchable),
            propagating=_checked_propagating(propagating),
        )

        async def attempt() -> ThingType:
            stored = await self._records.thing_types.get(name)
            if stored is None:
                await self._changes.commit(
                    self._records.thing_types.putting(name, wanted, expect=0),
                    self._tags.putting(self.arn(name), tags or {}),
                    change=Change(happened=lambda: [TypeHappening(Operation.CREATED, wanted)]),
                )
                return wanted
            there = stored.value
            if _configuration(there) != _configuration(wanted):
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
        return await paging.values(
            "thing types", lambda after, limit: self._records.thing_types.scan(after=after, limit=limit)
        )

    async def update(
        self,
        name: str,
        description: str | None,
        searchable: Sequence[str] | None,
        propagating: Sequence[PropagatingAttribute] | None = None,
    ) -> None:
        """Change the description or what propagates; what is None stays. Searchable attributes are fixed at creation
        and may only be repeated. Raises ResourceNotFound, InvalidRequest.
        """
        _checked_description(description)
        wanted = None if propagating is None else _checked_propagating(propagating)

        async def attempt() -> None:
            stored = await self.stored(name)
            if stored.value.deprecated is not None:
                raise InvalidRequest(f"Thing type {name} is deprecated and cannot be updated")
            if searchable is not None and set(searchable) != set(stored.value.searchable):
                raise InvalidRequest(f"The searchable attributes of thing type {name} cannot be changed")
            after = msgspec.structs.replace(
                stored.value,
                description=stored.value.description if description is None else description,
                propagating=stored.value.propagating if wanted is None else wanted,
            )
            await self._write(stored, after)

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
            await self._changes.commit(
                self._records.thing_types.deleting(name, expect=stored.version),
                self._tags.deleting(self.arn(name)),
                change=Change(
                    types=frozenset((name,)), happened=lambda: [TypeHappening(Operation.DELETED, stored.value)]
                ),
            )

        await settle(attempt)

    async def _write(self, stored: Stored[ThingType], value: ThingType) -> None:
        propagates = value.propagating != stored.value.propagating
        await self._changes.commit(
            self._records.thing_types.putting(stored.key, value, expect=stored.version),
            change=Change(
                types=frozenset((value.name,)),
                touched=partial(certificates_of_type, self._records, value.name) if propagates else None,
                happened=lambda: [TypeHappening(Operation.UPDATED, value)],
            ),
        )


def _configuration(type_: ThingType) -> tuple[object, ...]:
    """What the same type created once more must have in common with the one there is."""
    return type_.description, set(type_.searchable), type_.propagating


def _checked_description(description: str | None) -> str | None:
    return None if description is None else THING_TYPE_DESCRIPTION.check(description)


def _checked_searchable(names: Sequence[str]) -> tuple[str, ...]:
    if len(names) > SEARCHABLE_ATTRIBUTES:
        raise InvalidRequest(f"A thing type has at most {SEARCHABLE_ATTRIBUTES} searchable attributes")
    if len(set(names)) < len(names):
        raise InvalidRequest("A searchable attribute is named twice")
    return tuple(ATTRIBUTE_NAME.check(name) for name in names)


def _checked_propagating(wanted: Sequence[PropagatingAttribute]) -> tuple[PropagatingAttribute, ...]:
    if len(wanted) > PROPAGATING_ATTRIBUTES:
        raise InvalidRequest(f"A thing type has at most {PROPAGATING_ATTRIBUTES} propagating attributes")
    for one in wanted:
        USER_PROPERTY_KEY.check(one.key)
        if (one.thing_attribute is None) is (one.connection_attribute is None):
            raise InvalidRequest(f"userPropertyKey {one.key} needs a thingAttribute or a connectionAttribute, and one")
        if one.thing_attribute is not None:
            ATTRIBUTE_NAME.check(one.thing_attribute)
        elif one.connection_attribute not in CONNECTION_ATTRIBUTES:
            raise InvalidRequest(
                f"connectionAttribute {one.connection_attribute!r} is none of {', '.join(CONNECTION_ATTRIBUTES)}"
            )
    if len({one.key for one in wanted}) < len(wanted):
        raise InvalidRequest("A userPropertyKey is named twice")
    return tuple(wanted)
