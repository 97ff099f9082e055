"""The fields that things and groups are found by (developer guide, managing-index, "Restrictions and limitations")."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from fogbank.registry.index.entry import Connectivity, GroupEntry, ThingEntry
from fogbank.search import Point, matches, parse
from fogbank.search.geography import Order


def thing(**members: Any) -> ThingEntry:
    return ThingEntry(**{"name": "Lamp", "id": "id-1", "stamp": "s"} | members)


def shadow(reported: Any = None, desired: Any = None, **members: Any) -> dict[str, Any]:
    sections = {"reported": reported, "desired": desired}
    return {"state": {name: one for name, one in sections.items() if one is not None}, "version": 4} | members


def reported(state: Any) -> Mapping[str, list[Any]]:
    """The values of the reported section, without the prefix."""
    prefix = "shadow.reported."
    values = thing(shadows={None: shadow(state)}).values()
    return {name.removeprefix(prefix): some for name, some in values.items() if name.startswith(prefix)}


def test_a_bare_thing() -> None:
    assert thing().values() == {"thingName": ["Lamp"], "thingId": ["id-1"], "registry.version": [1]}


def test_the_registrys_fields() -> None:
    values = thing(
        type_name="T", group_names=("b", "a"), billing_group="payer", attributes={"x": "1", "y.z": "Q"}, version=3
    ).values()
    assert values == {
        "thingName": ["Lamp"],
        "thingId": ["id-1"],
        "registry.version": [3],
        "thingTypeName": ["T"],
        "thingGroupNames": ["b", "a", "payer"],
        "attributes.x": ["1"],
        "attributes.y.z": ["Q"],
    }


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"a": "x", "b": 1, "c": 1.5, "d": True}, {"a": ["x"], "b": [1], "c": [1.5], "d": [True]}),
        ({"one": {"two": {"three": "v2"}}}, {"one.two.three": ["v2"]}),
        ({"one.two.three": "v2"}, {"one.two.three": ["v2"]}),
        ({"one": {"two": 1}, "one.two": 2}, {"one.two": [1, 2]}),
        ({"colors": ["RED", "GREEN"]}, {"colors": ["RED", "GREEN"]}),
        ({"mixed": [1, "a", True, 2.5]}, {"mixed": [1, "a", True, 2.5]}),
        ({"palette": [{"name": "RED"}, {"name": "GREEN"}]}, {}),
        ({"nested": [1, [2]]}, {}),
        ({"holes": [1, None]}, {}),
        ({"empty": [], "none": None, "object": {}}, {}),
    ],
)
def test_leaves_of_a_shadow(state: Any, expected: Any) -> None:
    assert reported(state) == expected


def test_metadata_is_there_for_what_is_indexed() -> None:
    document = shadow(
        {"switched": "ON", "colors": ["RED", "GREEN"], "palette": [{"name": "RED"}], "deep": {"x": 1}},
        metadata={
            "reported": {
                "switched": {"timestamp": 1},
                "colors": [{"timestamp": 2}, {"timestamp": 3}],
                "palette": [{"name": {"timestamp": 4}}],
                "deep": {"x": {"timestamp": 5}},
            }
        },
    )
    values = thing(shadows={None: document}).values()
    assert {name: some for name, some in values.items() if ".metadata." in name} == {
        "shadow.metadata.reported.switched.timestamp": [1],
        "shadow.metadata.reported.colors.timestamp": [2, 3],
        "shadow.metadata.reported.deep.x.timestamp": [5],
    }


@pytest.mark.parametrize("metadata", [{}, {"reported": {}}, {"reported": {"a": [], "b": {}}}])
def test_metadata_may_be_missing(metadata: Any) -> None:
    values = thing(shadows={None: shadow({"a": [1], "b": 1}, metadata=metadata)}).values()
    assert not [name for name in values if ".metadata." in name]
    assert values["shadow.reported.a"] == [1]


def test_delta_desired_and_named_shadows() -> None:
    classic = {"state": {"desired": {"a": 1}, "reported": {"a": 2}, "delta": {"a": 1}}, "metadata": {}, "version": 9}
    values = thing(shadows={None: classic, "night": shadow({"b": "x"})}).values()
    assert {name: some for name, some in values.items() if name.startswith("shadow.")} == {
        "shadow.hasDelta": [True],
        "shadow.version": [9],
        "shadow.desired.a": [1],
        "shadow.reported.a": [2],
        "shadow.delta.a": [1],
        "shadow.name.night.hasDelta": [False],
        "shadow.name.night.version": [4],
        "shadow.name.night.reported.b": ["x"],
    }


def test_connectivity() -> None:
    assert thing(connectivity=Connectivity()).values()["connectivity.connected"] == [False]
    known = Connectivity(
        connected=True,
        timestamp=5,
        version=2,
        disconnect_reason="r",
        client_id="c",
        keep_alive=60,
        session_expiry=7,
        clean_session=False,
    )
    values = thing(connectivity=known).values()
    assert {name.removeprefix("connectivity."): some for name, some in values.items() if "connectivity" in name} == {
        "connected": [True],
        "timestamp": [5],
        "version": [2],
        "disconnectReason": ["r"],
        "clientId": ["c"],
        "keepAliveDuration": [60],
        "sessionExpiry": [7],
        "cleanSession": [False],
    }


@pytest.mark.parametrize(
    ("field", "order", "members"),
    [
        ("attributes.place", Order.LAT_LON, {"attributes": {"place": "47.6,-122.3"}}),
        ("shadow.reported.gps", Order.LAT_LON, {"shadows": {None: shadow({"gps": {"lat": 47.6, "lon": -122.3}})}}),
        ("shadow.reported.a.b.gps", Order.LON_LAT, {"shadows": {None: shadow({"a.b": {"gps": [-122.3, 47.6]}})}}),
        ("shadow.name.s.desired.gps", Order.LAT_LON, {"shadows": {"s": shadow({}, {"gps": "POINT(-122.3 47.6)"})}}),
    ],
)
def test_locations_are_taken_from_where_the_configuration_says(field: str, order: Order, members: Any) -> None:
    made = thing(locations={field: order}, **members)
    assert Point(47.6, -122.3) in made.values()[field]
    query = parse(f"{field}:geo_distance,47.61,-122.31,2km")
    assert matches(query, made.fields())
    assert not matches(query, thing(**members).fields())


def test_a_location_that_is_none_or_nowhere_does_not_matter() -> None:
    made = thing(locations={"shadow.reported.gps": Order.LAT_LON, "nothing.here": Order.LAT_LON})
    assert made.values() == thing().values()
    odd = thing(shadows={None: shadow({"gps": "home"})}, locations={"shadow.reported.gps": Order.LAT_LON})
    assert odd.values()["shadow.reported.gps"] == ["home"]


def test_the_document_of_the_shadows() -> None:
    assert thing().shadow_document() is None
    assert thing(shadows={"s": shadow({"a": 1})}).shadow_document() == {
        "name": {"s": {"reported": {"a": 1}, "metadata": {}, "hasDelta": False, "version": 4}}
    }


def test_a_group() -> None:
    group = GroupEntry(name="G", id="g", stamp="", version=2, description="on top", attributes={"a": "1"})
    assert group.values() == {
        "thingGroupName": ["G"],
        "thingGroupNames": ["G"],
        "thingGroupId": ["g"],
        "version": [2],
        "description": ["on top"],
        "attributes.a": ["1"],
    }
    assert GroupEntry(name="G", id="g", stamp="", parent_names=("r", "p")).values()["parentGroupNames"] == ["r", "p"]


def test_entries_survive_being_stored() -> None:
    made = thing(
        shadows={None: shadow({"a": [1, "x"]}), "s": shadow()},
        group_names=("g",),
        connectivity=Connectivity(connected=True),
        locations={"shadow.reported.gps": Order.LON_LAT},
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=ThingEntry) == made
