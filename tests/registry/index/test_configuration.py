"""What can be indexed (developer guide, managing-fleet-index, managing-index, thinggroup-index)."""

import pytest

from fogbank.errors import InvalidRequest
from fogbank.registry.index.configuration import (
    Field,
    FieldType,
    GeoLocation,
    GroupIndexing,
    IndexingConfiguration,
    ThingIndexing,
    ThingMode,
)

OFF, REGISTRY, SHADOW = ThingMode.OFF, ThingMode.REGISTRY, ThingMode.REGISTRY_AND_SHADOW


def number(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, FieldType.NUMBER) for name in names)


@pytest.mark.parametrize(
    "indexing",
    [
        ThingIndexing(mode=OFF),
        ThingIndexing(mode=REGISTRY, custom_fields=number("attributes.version", "attributes.a-b_c.d")),
        ThingIndexing(mode=REGISTRY, connectivity=True, device_defender=True, named_shadows=True),
        ThingIndexing(mode=SHADOW, custom_fields=number("shadow.desired.power", "shadow.reported.a.b")),
        ThingIndexing(mode=REGISTRY, named_shadows=True, custom_fields=number("shadow.name.$x:y.desired.power")),
        ThingIndexing(
            mode=REGISTRY,
            named_shadows=True,
            shadow_names=("thing1shadow",),
            custom_fields=number("shadow.name.thing1shadow.desired.DefaultDesired"),
        ),
        ThingIndexing(
            mode=REGISTRY,
            device_defender=True,
            custom_fields=number("deviceDefender.securityProfile1.NUMBER_VALUE_BEHAVIOR.lastViolationValue.number"),
        ),
        ThingIndexing(mode=SHADOW, geo_locations=(GeoLocation("shadow.reported.place"),)),
        ThingIndexing(
            mode=REGISTRY, named_shadows=True, geo_locations=(GeoLocation("shadow.name.gps.reported.place"),)
        ),
        GroupIndexing(on=False),
        GroupIndexing(on=True, custom_fields=number("attributes.floor")),
        IndexingConfiguration().things,
        IndexingConfiguration().groups,
    ],
)
def test_what_can_be_configured(indexing: ThingIndexing | GroupIndexing) -> None:
    indexing.check()


@pytest.mark.parametrize(
    ("indexing", "why"),
    [
        (ThingIndexing(mode=OFF, connectivity=True), "thingConnectivityIndexingMode"),
        (ThingIndexing(mode=OFF, device_defender=True), "deviceDefenderIndexingMode"),
        (ThingIndexing(mode=OFF, named_shadows=True), "namedShadowIndexingMode"),
        (ThingIndexing(mode=OFF, custom_fields=number("attributes.a")), "customFields"),
        (ThingIndexing(mode=REGISTRY, custom_fields=number("shadow.desired.power")), "REGISTRY_AND_SHADOW"),
        (ThingIndexing(mode=SHADOW, custom_fields=number("shadow.name.x.desired.power")), "not indexed"),
        (
            ThingIndexing(
                mode=SHADOW,
                named_shadows=True,
                shadow_names=("y",),
                custom_fields=number("shadow.name.x.desired.power"),
            ),
            "not indexed",
        ),
        (ThingIndexing(mode=SHADOW, custom_fields=number("deviceDefender.a.b")), "VIOLATIONS"),
        (ThingIndexing(mode=REGISTRY, custom_fields=number("custom_field1")), "must begin with"),
        (ThingIndexing(mode=REGISTRY, custom_fields=number("attributes.")), "must begin with"),
        (ThingIndexing(mode=REGISTRY, custom_fields=number("attributes.a b")), "must begin with"),
        (ThingIndexing(mode=REGISTRY, custom_fields=number("attributes.a..b")), "must begin with"),
        (ThingIndexing(mode=SHADOW, custom_fields=number("shadow.metadata.reported.a")), "must begin with"),
        (ThingIndexing(mode=REGISTRY, custom_fields=number("thingName")), "managed field"),
        (ThingIndexing(mode=REGISTRY, custom_fields=number("attributes.a", "attributes.a")), "twice"),
        (ThingIndexing(mode=REGISTRY, custom_fields=number(*(f"attributes.{n}" for n in range(6)))), "At most 5"),
        (ThingIndexing(mode=REGISTRY, shadow_names=("x",)), "namedShadowIndexingMode ON"),
        (ThingIndexing(mode=REGISTRY, named_shadows=True, shadow_names=("a b",)), "cannot be a shadow's name"),
        (ThingIndexing(mode=REGISTRY, named_shadows=True, shadow_names=("",)), "cannot be a shadow's name"),
        (
            ThingIndexing(mode=REGISTRY, named_shadows=True, shadow_names=tuple(f"s{n}" for n in range(11))),
            "At most 10",
        ),
        (ThingIndexing(mode=REGISTRY, geo_locations=(GeoLocation("shadow.reported.place"),)), "REGISTRY_AND_SHADOW"),
        (ThingIndexing(mode=REGISTRY, geo_locations=(GeoLocation("attributes.place"),)), "in shadows"),
        (
            ThingIndexing(
                mode=SHADOW, geo_locations=(GeoLocation("shadow.reported.a"), GeoLocation("shadow.reported.b"))
            ),
            "At most 1",
        ),
        (GroupIndexing(on=False, custom_fields=number("attributes.a")), "thingGroupIndexingMode"),
        (GroupIndexing(on=True, custom_fields=number("shadow.reported.a")), "attributes"),
        (GroupIndexing(on=True, custom_fields=number("description")), "managed field"),
    ],
)
def test_what_cannot(indexing: ThingIndexing | GroupIndexing, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        indexing.check()


@pytest.mark.parametrize(
    ("indexing", "schema"),
    [
        (ThingIndexing(mode=REGISTRY), "REGISTRY"),
        (ThingIndexing(mode=SHADOW), "REGISTRY_AND_SHADOW"),
        (ThingIndexing(mode=REGISTRY, connectivity=True), "REGISTRY_AND_CONNECTIVITY_STATUS"),
        (ThingIndexing(mode=SHADOW, connectivity=True), "REGISTRY_AND_SHADOW_AND_CONNECTIVITY_STATUS"),
        (ThingIndexing(mode=SHADOW, named_shadows=True), "MULTI_INDEXING_MODE"),
        (ThingIndexing(mode=REGISTRY, device_defender=True), "MULTI_INDEXING_MODE"),
        (GroupIndexing(on=True), "THING_GROUPS"),
    ],
)
def test_schemas(indexing: ThingIndexing | GroupIndexing, schema: str) -> None:
    """The API's list of schemas (API reference, DescribeIndex)."""
    assert indexing.schema == schema


def test_managed_fields_are_those_of_the_guide() -> None:
    """The example of GetIndexingConfiguration in managing-index, which has all modes on."""
    everything = ThingIndexing(mode=SHADOW, connectivity=True, device_defender=True, named_shadows=True)
    assert {(one.name, one.type.value) for one in everything.managed_fields} == {
        ("connectivity.disconnectReason", "String"),
        ("registry.version", "Number"),
        ("thingName", "String"),
        ("deviceDefender.violationCount", "Number"),
        ("shadow.hasDelta", "Boolean"),
        ("shadow.name.*.version", "Number"),
        ("shadow.version", "Number"),
        ("connectivity.version", "Number"),
        ("connectivity.timestamp", "Number"),
        ("shadow.name.*.hasDelta", "Boolean"),
        ("registry.thingTypeName", "String"),
        ("thingId", "String"),
        ("connectivity.connected", "Boolean"),
        ("registry.thingGroupNames", "String"),
    }
    assert ThingIndexing(mode=OFF).managed_fields == ()
    assert GroupIndexing(on=False).managed_fields == ()


@pytest.mark.parametrize(
    ("field", "type_"),
    [
        ("registry.version", FieldType.NUMBER),
        ("thingTypeName", FieldType.STRING),
        ("registry.thingTypeName", FieldType.STRING),
        ("shadow.hasDelta", FieldType.BOOLEAN),
        ("shadow.name.any:one.hasDelta", FieldType.BOOLEAN),
        ("shadow.name.led.version", FieldType.NUMBER),
        ("connectivity.connected", FieldType.BOOLEAN),
        ("attributes.temperature", FieldType.NUMBER),
        ("attributes.other", None),
        ("shadow.reported.a", None),
    ],
)
def test_types_of_what_is_aggregated(field: str, type_: FieldType | None) -> None:
    indexing = ThingIndexing(
        mode=SHADOW, connectivity=True, named_shadows=True, custom_fields=number("attributes.temperature")
    )
    assert indexing.type_of(field) is type_


def test_which_shadows_are_held() -> None:
    some = ThingIndexing(mode=REGISTRY, named_shadows=True, shadow_names=("led",))
    assert [some.holds_shadow(name) for name in (None, "led", "lock")] == [False, True, False]
    every = ThingIndexing(mode=SHADOW, named_shadows=True)
    assert [every.holds_shadow(name) for name in (None, "led", "lock")] == [True, True, True]
    none = ThingIndexing(mode=SHADOW)
    assert [none.holds_shadow(name) for name in (None, "led")] == [True, False]
    off = ThingIndexing(mode=OFF)
    assert [off.holds_shadow(name) for name in (None, "led")] == [False, False]
