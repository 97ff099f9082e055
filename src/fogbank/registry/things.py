"""Things: the devices of the registry (developer guide, thing-registry)."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import msgspec

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound, VersionConflict
from fogbank.ports import Expect, Put
from fogbank.registry.billing_groups import BillingGroups
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.constraints import ATTRIBUTE_NAME, ATTRIBUTE_VALUE, THING_NAME, THING_TYPE_NAME
from fogbank.registry.happenings import (
    AssociationHappening,
    Happening,
    MembershipHappening,
    Operation,
    ThingHappening,
)
from fogbank.registry.records import BillingMembership, Membership, Records, Thing, attribute_entry, memberships_prefix
from fogbank.registry.removal import relying
from fogbank.registry.thing_types import ThingTypes
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Page, Paging, filtered

ATTRIBUTES_WITH_TYPE = 50
"""With 128 and 800 characters each, fifty are within the 47 KB that the general reference allows altogether."""
ATTRIBUTES_WITHOUT_TYPE = 3


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What ListThings filters by; what is None does not matter."""

    attribute: str | None = None
    value: str | None = None
    prefix: bool = False
    """Whether `value` is only how the attribute's value begins."""
    type_name: str | None = None

    def check(self) -> None:
        """Raises InvalidRequest."""
        if self.attribute is not None:
            ATTRIBUTE_NAME.check(self.attribute)
        elif self.value is not None:
            raise InvalidRequest("attributeValue needs the attributeName whose value it is")
        if self.value is not None:
            ATTRIBUTE_VALUE.check(self.value)
        elif self.prefix:
            raise InvalidRequest("usePrefixAttributeValue needs the attributeValue to begin with")
        if self.type_name is not None:
            THING_TYPE_NAME.check(self.type_name)

    def match(self, thing: Thing) -> bool:
        if self.type_name is not None and thing.type_name != self.type_name:
            return False
        if self.attribute is None:
            return True
        value = thing.attributes.get(self.attribute)
        if value is None or self.value is None:
            return value is not None
        return value.startswith(self.value) if self.prefix else value == self.value


class AttributeUpdate(msgspec.Struct, frozen=True):
    """UpdateThing's `attributePayload`: replaces all attributes, or merges. An empty value removes an attribute."""

    attributes: Mapping[str, str]
    merge: bool = False

    def apply(self, before: Mapping[str, str]) -> dict[str, str]:
        changed = {**before, **self.attributes} if self.merge else self.attributes
        return {name: value for name, value in changed.items() if value}


class Things:
    """The things of the account."""

    def __init__(
        self, records: Records, changes: Changes, arns: Arns, *, types: ThingTypes, billing_groups: BillingGroups
    ) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._types = types
        self._billing_groups = billing_groups

    def arn(self, name: str) -> str:
        return self._arns.iot("thing", name)

    async def create(
        self,
        name: str,
        *,
        type_name: str | None = None,
        attributes: Mapping[str, str] | None = None,
        billing_group: str | None = None,
    ) -> Thing:
        """Make a thing; the same name with the same configuration succeeds and changes nothing.

        Raises InvalidRequest, ResourceNotFound (the type, the billing group), ResourceAlreadyExists.
        """
        THING_NAME.check(name)
        given = AttributeUpdate(checked_attributes(attributes or {})).apply({})
        wanted = Thing(name=name, id=str(uuid.uuid4()), type_name=type_name, attributes=given)

        async def attempt() -> Thing:
            stored = await self._records.things.get(name)
            if stored is not None:
                there = stored.value
                billed = await self._records.billing_memberships.get(name)
                billed_to = None if billed is None else billed.value.group
                if (there.type_name, there.attributes, billed_to) != (type_name, given, billing_group):
                    raise ResourceAlreadyExists(
                        f"Thing {name} already exists in account with different configuration",
                        resourceId=there.id,
                        resourceArn=self.arn(name),
                    )
                return there
            await self._check_type(type_name)
            _check_counts(wanted)
            await self._changes.commit(
                self._records.things.putting(name, wanted, expect=0),
                *(() if billing_group is None else await self._billing(name, billing_group)),
                change=Change(things=frozenset((name,)), happened=partial(_happened, None, wanted)),
            )
            return wanted

        return await settle(attempt)

    async def describe(self, name: str) -> Thing:
        """Raises ResourceNotFound, InvalidRequest."""
        return (await self.stored(name)).value

    async def stored(self, name: str) -> Stored[Thing]:
        """The thing with the version it is stored at, to hold on to. Raises ResourceNotFound, InvalidRequest."""
        found = await self._records.things.get(THING_NAME.check(name))
        if found is None:
            raise ResourceNotFound(f"Thing {name} not found")
        return found

    async def page(self, paging: Paging, search: Search | None = None) -> Page[Thing]:
        """Those that match, in order of their names."""
        search = search or Search()
        search.check()

        async def read(after: str, limit: int) -> list[Stored[Thing]]:
            return await self._candidates(search, after, limit)

        return await paging.values(f"things {search!r}", read if search == Search() else filtered(read, search.match))

    async def update(
        self,
        name: str,
        *,
        attributes: AttributeUpdate | None = None,
        type_name: str | None = None,
        remove_type: bool = False,
        expected_version: int | None = None,
    ) -> Thing:
        """Change a thing and raise its version by one.

        Raises InvalidRequest, ResourceNotFound, VersionConflict.
        """
        if remove_type and type_name is not None:
            raise InvalidRequest("thingTypeName and removeThingType cannot be used together")
        if attributes is not None:
            checked_attributes(attributes.attributes)

        async def attempt() -> Thing:
            stored = await self.stored(name)
            before = stored.value
            _check_version(before, expected_version)
            after = msgspec.structs.replace(
                before,
                type_name=None if remove_type else type_name or before.type_name,
                attributes=before.attributes if attributes is None else attributes.apply(before.attributes),
                version=before.version + 1,
            )
            if after.type_name != before.type_name:
                await self._check_type(after.type_name)
            _check_counts(after)
            await self._changes.commit(
                self._records.things.putting(name, after, expect=stored.version),
                change=Change(
                    things=frozenset((name,)),
                    identities=await self._principals(name),
                    happened=partial(_happened, before, after),
                ),
            )
            return after

        return await settle(attempt)

    async def delete(self, name: str, *, expected_version: int | None = None) -> None:
        """Remove a thing to which no principal is attached, from its groups too; one that does not exist is no error.

        Raises InvalidRequest, VersionConflict.
        """
        THING_NAME.check(name)

        async def attempt() -> None:
            stored = await self._records.things.get(name)
            if stored is None:
                return
            _check_version(stored.value, expected_version)
            if await self._records.thing_attachments.find("thing", name, limit=1):
                raise InvalidRequest(f"Cannot delete. Thing {name} is still attached to one or more principals")
            members = await self._records.memberships.scan(prefix=memberships_prefix(name))
            await self._changes.commit(
                self._records.things.deleting(name, expect=stored.version),
                *(self._records.memberships.deleting(one.key, expect=one.version) for one in members),
                self._records.billing_memberships.deleting(name),
                change=Change(
                    things=frozenset((name,)),
                    happened=partial(_happened, stored.value, None, [one.value for one in members]),
                ),
            )

        await settle(attempt)

    async def _check_type(self, type_name: str | None) -> None:
        """Raises ResourceNotFound, InvalidRequest where a thing cannot take this type.

        The batch need not hold on to the type, at which all who provision devices would meet: it can be deleted five
        minutes after its deprecation at the earliest, and no call takes that long between this and its write.
        """
        if type_name is not None and (await self._types.describe(type_name)).deprecated is not None:
            raise InvalidRequest(f"Can not associate a thing with deprecated thing type: {type_name}")

    async def _billing(self, name: str, group: str) -> tuple[Put | Expect, Put]:
        """The writes that put a new thing in a billing group. Raises ResourceNotFound, InvalidRequest."""
        return (
            relying(self._records.billing_groups, await self._billing_groups.stored(group)),
            self._records.billing_memberships.putting(name, BillingMembership(name, group), expect=0),
        )

    async def _principals(self, name: str) -> frozenset[str]:
        attached = await self._records.thing_attachments.find("thing", name)
        return frozenset(one.value.certificate for one in attached)

    async def _candidates(self, search: Search, after: str, limit: int) -> list[Stored[Thing]]:
        """What the index that leaves least gives."""
        if search.attribute is not None:
            exact = search.value is not None and search.value and not search.prefix
            entry = attribute_entry(search.attribute, search.value or "") if exact else search.attribute
            return await self._records.things.find("attribute", entry, after=after, limit=limit)
        if search.type_name is not None:
            return await self._records.things.find("type", search.type_name, after=after, limit=limit)
        return await self._records.things.scan(after=after, limit=limit)


def _happened(before: Thing | None, after: Thing | None, left: Sequence[Membership] = ()) -> Iterator[Happening]:
    """What a change of a thing means to those who listen: it leaves groups and types before it goes."""
    for one in left:
        yield MembershipHappening(Operation.REMOVED, one)
    old, new = (None if one is None else one.type_name for one in (before, after))
    if old != new and before is not None and old is not None:
        yield AssociationHappening(Operation.REMOVED, before, old)
    if after is None:
        assert before is not None, "a change is of something"
        yield ThingHappening(Operation.DELETED, before)
    else:
        yield ThingHappening(Operation.CREATED if before is None else Operation.UPDATED, after)
        if old != new and new is not None:
            yield AssociationHappening(Operation.ADDED, after, new)


def checked_attributes(attributes: Mapping[str, str]) -> Mapping[str, str]:
    """`attributes` themselves. Raises InvalidRequest."""
    for name, value in attributes.items():
        ATTRIBUTE_NAME.check(name)
        ATTRIBUTE_VALUE.check(value)
    return attributes


def _check_counts(thing: Thing) -> None:
    most = ATTRIBUTES_WITHOUT_TYPE if thing.type_name is None else ATTRIBUTES_WITH_TYPE
    if len(thing.attributes) > most:
        raise InvalidRequest(
            f"Thing {thing.name} has {len(thing.attributes)} attributes: {ATTRIBUTES_WITHOUT_TYPE} are allowed"
            f" without a thing type and {ATTRIBUTES_WITH_TYPE} with one"
        )


def _check_version(thing: Thing, expected: int | None) -> None:
    if expected is not None and expected != thing.version:
        raise VersionConflict(f"The version of thing {thing.name} is {thing.version}, expected {expected}")
