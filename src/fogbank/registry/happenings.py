"""What happened in the registry, as its events tell it (developer guide, registry-events).

A change carries these as plain values; topic and document are made only where somebody wants the event.
"""

import enum
import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from fogbank.arns import Arns
from fogbank.ports import EventType
from fogbank.registry.records import Membership, Thing, ThingGroup, ThingType


class Operation(enum.Enum):
    """What was done; the last part of the topic is its name in lower case."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"
    ADDED = "ADDED"
    REMOVED = "REMOVED"


class Happening(msgspec.Struct, frozen=True):
    """Something that happened."""

    category: ClassVar[EventType]
    CATEGORIES: ClassVar[frozenset[EventType]] = frozenset(
        {
            EventType.THING,
            EventType.THING_TYPE,
            EventType.THING_TYPE_ASSOCIATION,
            EventType.THING_GROUP,
            EventType.THING_GROUP_MEMBERSHIP,
            EventType.THING_GROUP_HIERARCHY,
        }
    )
    """Of everything that happens in the registry."""

    operation: Operation

    @property
    def topic(self) -> str:
        return f"$aws/events/{self.place()}/{self.operation.value.lower()}"

    def place(self) -> str:
        """The middle of the topic."""
        raise NotImplementedError

    def members(self, arns: Arns) -> dict[str, Any]:
        """What the document says beside the members that all of them have."""
        raise NotImplementedError


class ThingHappening(Happening, frozen=True):
    """A thing as it is now, or was when it was deleted."""

    category = EventType.THING

    thing: Thing

    def place(self) -> str:
        return f"thing/{self.thing.name}"

    def members(self, arns: Arns) -> dict[str, Any]:
        thing = self.thing
        return {
            "accountId": arns.account,
            "thingId": thing.id,
            "thingName": thing.name,
            "versionNumber": thing.version,
            "thingTypeName": thing.type_name,
            "attributes": thing.attributes,
        }


class TypeHappening(Happening, frozen=True):
    """A thing type as it is now; to deprecate it is to update it."""

    category = EventType.THING_TYPE

    type: ThingType

    def place(self) -> str:
        return f"thingType/{self.type.name}"

    def members(self, arns: Arns) -> dict[str, Any]:
        type_ = self.type
        return {
            "accountId": arns.account,
            "thingTypeId": type_.id,
            "thingTypeName": type_.name,
            "isDeprecated": type_.deprecated is not None,
            "deprecationDate": None if type_.deprecated is None else int(type_.deprecated * 1000),
            "searchableAttributes": type_.searchable,
            "propagatingAttributes": [one.members() for one in type_.propagating],
            "description": type_.description,
        }


class AssociationHappening(Happening, frozen=True):
    """A thing has got a thing type, or lost it."""

    category = EventType.THING_TYPE_ASSOCIATION

    thing: Thing
    type_name: str

    def place(self) -> str:
        return f"thingTypeAssociation/thing/{self.thing.name}/thingType/{self.type_name}"

    def members(self, arns: Arns) -> dict[str, Any]:
        return {"thingId": self.thing.id, "thingName": self.thing.name, "thingTypeName": self.type_name}


class GroupHappening(Happening, frozen=True):
    """A thing group, with the groups above it, the root first."""

    category = EventType.THING_GROUP

    group: ThingGroup
    above: Sequence[ThingGroup] = ()

    def place(self) -> str:
        return f"thingGroup/{self.group.name}"

    def members(self, arns: Arns) -> dict[str, Any]:
        group = self.group
        return {
            "accountId": arns.account,
            "thingGroupId": group.id,
            "thingGroupName": group.name,
            "versionNumber": group.version,
            "parentGroupName": group.parent,
            "parentGroupId": self.above[-1].id if self.above else None,
            "description": group.description,
            "rootToParentThingGroups": [
                {"groupArn": arns.iot("thinggroup", one.name), "groupId": one.id} for one in self.above
            ],
            "attributes": group.attributes,
            "dynamicGroupMappingId": None if group.dynamic is None else group.dynamic.mapping,
        }


class MembershipHappening(Happening, frozen=True):
    """A thing has joined a group, or left it."""

    category = EventType.THING_GROUP_MEMBERSHIP

    membership: Membership

    def place(self) -> str:
        return f"thingGroupMembership/thingGroup/{self.membership.group}/thing/{self.membership.thing}"

    def members(self, arns: Arns) -> dict[str, Any]:
        one = self.membership
        return {
            "accountId": arns.account,
            "groupArn": arns.iot("thinggroup", one.group),
            "groupId": one.group_id,
            "thingArn": arns.iot("thing", one.thing),
            "thingId": one.thing_id,
            "membershipId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{one.group_id}/{one.thing_id}/{one.created}")),
        }


class HierarchyHappening(Happening, frozen=True):
    """A group has become a child of another, or its child was deleted."""

    category = EventType.THING_GROUP_HIERARCHY

    parent: ThingGroup
    child: ThingGroup

    def place(self) -> str:
        return f"thingGroupHierarchy/thingGroup/{self.parent.name}/childThingGroup/{self.child.name}"

    def members(self, arns: Arns) -> dict[str, Any]:
        return {
            "accountId": arns.account,
            "thingGroupId": self.parent.id,
            "thingGroupName": self.parent.name,
            "childGroupId": self.child.id,
            "childGroupName": self.child.name,
        }
