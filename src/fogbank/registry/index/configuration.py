"""What the fleet index holds: the modes, custom fields and filters of UpdateIndexingConfiguration.

A fresh instance indexes everything: registry, all shadows, connectivity and thing groups. AWS begins with nothing,
since there one pays for what is indexed; here there is no bill, and a search that finds nothing surprises. It can all
be switched off, and then costs nothing (developer guide, managing-fleet-index, managing-index, thinggroup-index).
"""

import enum
import re
from collections.abc import Callable
from functools import lru_cache

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.search.geography import Order
from fogbank.search.names import canonical

CUSTOM_FIELDS = 5
SHADOW_NAMES = 10
GEO_LOCATIONS = 1
"""(general reference, IoT Device Management fleet indexing limits)"""

_PATH = r"[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)*"
_ATTRIBUTE = re.compile(rf"attributes\.{_PATH}")
_SHADOW = re.compile(rf"shadow\.(?:desired|reported)\.{_PATH}")
_NAMED_SHADOW = re.compile(rf"shadow\.name\.([$a-zA-Z0-9:_-]+)\.(?:desired|reported)\.{_PATH}")
_NAMED_MANAGED = re.compile(r"shadow\.name\.[$a-zA-Z0-9:_-]+\.(version|hasDelta)")
_DEFENDER = re.compile(rf"deviceDefender\.{_PATH}")
_SHADOW_NAME = re.compile(r"[$a-zA-Z0-9:_-]{1,64}")


class IndexName(enum.Enum):
    """The two indexes there are."""

    THINGS = "AWS_Things"
    THING_GROUPS = "AWS_ThingGroups"


class FieldType(enum.Enum):
    """As what the values of a field are aggregated."""

    NUMBER = "Number"
    STRING = "String"
    BOOLEAN = "Boolean"


class Field(msgspec.Struct, frozen=True):
    """A field that can be aggregated."""

    name: str
    type: FieldType


def _fields(**types: str) -> tuple[Field, ...]:
    return tuple(Field(name, FieldType(type_)) for type_, names in types.items() for name in names.split())


_REGISTRY = _fields(
    Number="registry.version", String="thingId thingName registry.thingTypeName registry.thingGroupNames"
)
_CLASSIC = _fields(Number="shadow.version", Boolean="shadow.hasDelta")
_NAMED = _fields(Number="shadow.name.*.version", Boolean="shadow.name.*.hasDelta")
_CONNECTIVITY = _fields(
    Number="connectivity.timestamp connectivity.version",
    String="connectivity.disconnectReason",
    Boolean="connectivity.connected",
)
_DEVICE_DEFENDER = _fields(Number="deviceDefender.violationCount")
_GROUPS = _fields(Number="version", String="description parentGroupNames thingGroupId thingGroupName")
"""(developer guide, managing-fleet-index, Managed fields; managing-index has them as GetIndexingConfiguration
answers)"""


class ThingMode(enum.Enum):
    """Whether things are indexed, and whether with their classic shadows."""

    OFF = "OFF"
    REGISTRY = "REGISTRY"
    REGISTRY_AND_SHADOW = "REGISTRY_AND_SHADOW"


class GeoLocation(msgspec.Struct, frozen=True):
    """A field of a shadow that holds a place on earth."""

    name: str
    order: Order = Order.LAT_LON


class ThingIndexing(msgspec.Struct, frozen=True, kw_only=True):
    """What is indexed of things. The defaults are AWS's for what a request leaves out."""

    mode: ThingMode
    connectivity: bool = False
    device_defender: bool = False
    """Violations of security profiles. There are no security profiles here, and so no violations to index."""
    named_shadows: bool = False
    custom_fields: tuple[Field, ...] = ()
    shadow_names: tuple[str, ...] = ()
    """The named shadows that are indexed; none given: all of them, where `named_shadows` are indexed at all."""
    geo_locations: tuple[GeoLocation, ...] = ()
    socket_information: bool = False
    """Whether GetThingConnectivityData may tell addresses."""

    @property
    def on(self) -> bool:
        return self.mode is not ThingMode.OFF

    @property
    def classic_shadow(self) -> bool:
        return self.mode is ThingMode.REGISTRY_AND_SHADOW

    @property
    def shadows(self) -> bool:
        """Whether any shadow is indexed."""
        return self.on and (self.classic_shadow or self.named_shadows)

    def holds_shadow(self, name: str | None) -> bool:
        """Whether a thing's shadow of this name is indexed; None: the classic one."""
        if name is None:
            return self.classic_shadow
        return self.on and self.named_shadows and (not self.shadow_names or name in self.shadow_names)

    @property
    def managed_fields(self) -> tuple[Field, ...]:
        """The fields that AWS has typed, by what is indexed."""
        return (
            *(_REGISTRY if self.on else ()),
            *(_CLASSIC if self.classic_shadow else ()),
            *(_NAMED if self.named_shadows else ()),
            *(_CONNECTIVITY if self.connectivity else ()),
            *(_DEVICE_DEFENDER if self.device_defender else ()),
        )

    def type_of(self, field: str) -> FieldType | None:
        """As what a field is aggregated; None where it is neither a managed nor a custom one."""
        return _type_of(field, (*self.managed_fields, *self.custom_fields))

    @property
    def schema(self) -> str:
        """DescribeIndex's word for it (developer guide, managing-index, Describing a thing index)."""
        if self.named_shadows or self.device_defender:
            return "MULTI_INDEXING_MODE"
        if self.classic_shadow:
            return "REGISTRY_AND_SHADOW_AND_CONNECTIVITY_STATUS" if self.connectivity else "REGISTRY_AND_SHADOW"
        return "REGISTRY_AND_CONNECTIVITY_STATUS" if self.connectivity else "REGISTRY"

    def check(self) -> None:
        """Raises InvalidRequest."""
        if not self.on:
            for member, on in (
                ("thingConnectivityIndexingMode", self.connectivity),
                ("deviceDefenderIndexingMode", self.device_defender),
                ("namedShadowIndexingMode", self.named_shadows),
                ("customFields", self.custom_fields),
            ):
                if on:
                    raise InvalidRequest(f"{member} cannot be on while thingIndexingMode is OFF")
        self._check_filter()
        _check_custom(self.custom_fields, {*_REGISTRY, *_CLASSIC, *_CONNECTIVITY, *_DEVICE_DEFENDER}, self._objection)

    def _check_filter(self) -> None:
        if len(self.shadow_names) > SHADOW_NAMES:
            raise InvalidRequest(f"At most {SHADOW_NAMES} named shadows can be chosen, not {len(self.shadow_names)}")
        if self.shadow_names and not self.named_shadows:
            raise InvalidRequest("filter.namedShadowNames needs namedShadowIndexingMode ON")
        for name in self.shadow_names:
            if _SHADOW_NAME.fullmatch(name) is None:
                raise InvalidRequest(f"filter.namedShadowNames: {name[:64]!r} cannot be a shadow's name")
        if len(self.geo_locations) > GEO_LOCATIONS:
            raise InvalidRequest(f"At most {GEO_LOCATIONS} geolocation can be chosen, not {len(self.geo_locations)}")
        for place in self.geo_locations:
            if place.name.startswith("attributes.") or (objection := self._objection(place.name)) is not None:
                why = "geolocations are in shadows" if place.name.startswith("attributes.") else objection
                raise InvalidRequest(f"filter.geoLocations: {place.name[:200]!r}: {why}")

    def _objection(self, name: str) -> str | None:
        """Why a field of this name is not in the index, or None."""
        if _ATTRIBUTE.fullmatch(name):
            return None
        if _SHADOW.fullmatch(name):
            return None if self.classic_shadow else "thingIndexingMode REGISTRY_AND_SHADOW is needed for it"
        if (named := _NAMED_SHADOW.fullmatch(name)) is not None:
            return None if self.holds_shadow(named[1]) else "the named shadow is not indexed"
        if _DEFENDER.fullmatch(name):
            return None if self.device_defender else "deviceDefenderIndexingMode VIOLATIONS is needed for it"
        return (
            "it must begin with attributes., shadow.desired., shadow.reported., shadow.name.<name>.desired. or"
            " .reported., or deviceDefender., and go on with letters, digits, - and _ between dots"
        )


class GroupIndexing(msgspec.Struct, frozen=True, kw_only=True):
    """What is indexed of thing groups."""

    on: bool
    custom_fields: tuple[Field, ...] = ()

    @property
    def managed_fields(self) -> tuple[Field, ...]:
        return _GROUPS if self.on else ()

    def type_of(self, field: str) -> FieldType | None:
        """As what a field is aggregated; None where it is neither a managed nor a custom one."""
        return _type_of(field, (*self.managed_fields, *self.custom_fields))

    @property
    def schema(self) -> str:
        return "THING_GROUPS"

    def check(self) -> None:
        """Raises InvalidRequest."""
        if self.custom_fields and not self.on:
            raise InvalidRequest("customFields cannot be given while thingGroupIndexingMode is OFF")
        _check_custom(self.custom_fields, set(_GROUPS), self._objection)

    @staticmethod
    def _objection(name: str) -> str | None:
        return None if _ATTRIBUTE.fullmatch(name) else "of groups only attributes.<name> can be a custom field"


class IndexingConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; the default is a fresh instance's."""

    things: ThingIndexing = ThingIndexing(mode=ThingMode.REGISTRY_AND_SHADOW, connectivity=True, named_shadows=True)
    groups: GroupIndexing = GroupIndexing(on=True)

    def of(self, index: IndexName) -> ThingIndexing | GroupIndexing:
        """What is configured for an index."""
        return self.things if index.value == "AWS_Things" else self.groups


@lru_cache(8192)
def managed_type(field: str) -> FieldType | None:
    """As what a field is aggregated wherever it is indexed; None where it is no managed one."""
    return _type_of(field, (*_REGISTRY, *_CLASSIC, *_NAMED, *_CONNECTIVITY, *_DEVICE_DEFENDER, *_GROUPS))


def _type_of(field: str, known: tuple[Field, ...]) -> FieldType | None:
    """`shadow.name.*.version` stands for the shadows of all names."""
    asked = canonical(field)
    named = _NAMED_MANAGED.fullmatch(asked)
    wanted = asked if named is None else f"shadow.name.*.{named[1]}"
    return next((one.type for one in known if canonical(one.name) == wanted), None)


def _check_custom(fields: tuple[Field, ...], managed: set[Field], objection: Callable[[str], str | None]) -> None:
    if len(fields) > CUSTOM_FIELDS:
        raise InvalidRequest(f"At most {CUSTOM_FIELDS} custom fields can be configured, not {len(fields)}")
    seen: set[str] = set()
    for one in fields:
        if one.name in {of.name for of in managed}:
            raise InvalidRequest(f"customFields: {one.name} is a managed field, which is there anyway")
        if one.name in seen:
            raise InvalidRequest(f"customFields: {one.name[:200]} is there twice")
        seen.add(one.name)
        if (why := objection(one.name)) is not None:
            raise InvalidRequest(f"customFields: {one.name[:200]!r} cannot be indexed: {why}")
