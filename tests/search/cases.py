"""The guide's example queries, each with a thing that it finds and one that it does not.

Developer guide, example-queries, query-syntax, thinggroup-index and location-indexing-geoquery.
"""

from collections.abc import Mapping, Sequence

import msgspec

from fogbank.search import Point, Value

Values = Mapping[str, Sequence[Value]]


class Example(msgspec.Struct, frozen=True):
    """A query, and values of fields that it finds and that it does not find."""

    query: str
    finds: tuple[Values, ...]
    misses: tuple[Values, ...]


def _stats(battery: float, model: str, firmware: str) -> Values:
    return {
        "shadow.reported.stats.battery": [battery],
        "attributes.model": [model],
        "shadow.reported.firmware": [firmware],
    }


EXAMPLES = (
    # example-queries
    Example(
        "abc",
        ({"attributes.x": ["ABC"]}, {"thingName": ["abc"]}, {"shadow.reported.a": ["x abc"]}),
        ({"thingName": ["abcd"]},),
    ),
    Example("thingName:myThingName", ({"thingName": ["mythingname"]},), ({"attributes.x": ["myThingName"]},)),
    Example("thingName:my*", ({"thingName": ["my"]}, {"thingName": ["MyThing"]}), ({"thingName": ["amy"]},)),
    Example("thingName:ab?", ({"thingName": ["aba"]},), ({"thingName": ["ab"]}, {"thingName": ["abab"]})),
    Example("thingTypeName:aa", ({"thingTypeName": ["aa"]},), ({"thingTypeName": ["aaa"]}, {})),
    Example("attributes.myAttribute:75", ({"attributes.myAttribute": ["75"]},), ({"attributes.myAttribute": ["750"]},)),
    Example(
        "attributes.myAttribute:[75 TO 80]",
        ({"attributes.myAttribute": ["75"]}, {"attributes.myAttribute": ["80"]}),
        ({"attributes.myAttribute": ["74"]}, {"attributes.myAttribute": ["8"]}, {"attributes.myAttribute": ["76x"]}),
    ),
    Example(
        "attributes.myAttribute:{75 TO 80]",
        ({"attributes.myAttribute": ["75.5"]}, {"attributes.myAttribute": ["80"]}),
        ({"attributes.myAttribute": ["75"]}, {"attributes.myAttribute": ["80.1"]}),
    ),
    Example(
        'attributes.serialNumber:["abcd" TO "abcf"]',
        (
            {"attributes.serialNumber": ["abcd"]},
            {"attributes.serialNumber": ["ABCE"]},
            {"attributes.serialNumber": ["abcf"]},
        ),
        ({"attributes.serialNumber": ["abcc"]}, {"attributes.serialNumber": ["abcg"]}),
    ),
    Example(
        "attributes.myAttribute:i*t",
        ({"attributes.myAttribute": ["it"]}, {"attributes.myAttribute": ["iot"]}),
        ({"attributes.myAttribute": ["iots"]},),
    ),
    Example(
        "attributes.attr1:abc AND attributes.attr2<5 NOT attributes.attr3>10",
        (
            {"attributes.attr1": ["abc"], "attributes.attr2": ["4"]},
            {"attributes.attr1": ["abc"], "attributes.attr2": ["4"], "attributes.attr3": ["10"]},
        ),
        (
            {"attributes.attr1": ["abc"], "attributes.attr2": ["5"]},
            {"attributes.attr1": ["abc"], "attributes.attr2": ["4"], "attributes.attr3": ["11"]},
        ),
    ),
    Example("shadow.hasDelta:true", ({"shadow.hasDelta": [True]},), ({"shadow.hasDelta": [False]}, {})),
    Example("NOT attributes.model:legacy", ({"attributes.model": ["new"]}, {}), ({"attributes.model": ["Legacy"]},)),
    Example(
        "shadow.reported.stats.battery:{70 TO 100} (v2 OR v3) NOT attributes.model:legacy",
        (_stats(71, "m", "v2"), _stats(99, "m", "V3")),
        (_stats(70, "m", "v2"), _stats(100, "m", "v3"), _stats(71, "m", "v4"), _stats(71, "legacy", "v2")),
    ),
    Example(
        "shadow.reported.myvalues:2",
        ({"shadow.reported.myvalues": [1, 2, 3]},),
        ({"shadow.reported.myvalues": [1, 3]},),
    ),
    Example(
        "shadow.reported.location:* NOT shadow.desired.stats.battery:*",
        ({"shadow.reported.location": ["new york"]},),
        ({"shadow.reported.location": ["x"], "shadow.desired.stats.battery": [1]}, {}),
    ),
    Example("shadow.name.s1.hasDelta:true", ({"shadow.name.s1.hasDelta": [True]},), ({"shadow.hasDelta": [True]},)),
    Example(
        "shadow.name.s1.desired.filament:*",
        ({"shadow.name.s1.desired.filament": ["pla"]},),
        ({"shadow.name.s2.desired.filament": ["pla"]},),
    ),
    Example(
        "connectivity.connected:true", ({"connectivity.connected": [True]},), ({"connectivity.connected": [False]}, {})
    ),
    Example(
        "connectivity.connected:false", ({"connectivity.connected": [False]},), ({"connectivity.connected": [True]}, {})
    ),
    Example(
        "connectivity.connected:true AND connectivity.timestamp : [1557651600000 TO 1557867600000]",
        ({"connectivity.connected": [True], "connectivity.timestamp": [1557867600000]},),
        ({"connectivity.connected": [True], "connectivity.timestamp": [1557867600001]},),
    ),
    Example(
        "connectivity.connected:false AND connectivity.timestamp : [1557651600000 TO 1557867600000]",
        ({"connectivity.connected": [False], "connectivity.timestamp": [1557651600000]},),
        ({"connectivity.connected": [True], "connectivity.timestamp": [1557651600000]},),
    ),
    Example(
        "connectivity.connected:true AND connectivity.timestamp > 1557651600000",
        ({"connectivity.connected": [True], "connectivity.timestamp": [1557651600001]},),
        ({"connectivity.connected": [True], "connectivity.timestamp": [1557651600000]},),
    ),
    Example("connectivity.connected:*", ({"connectivity.connected": [False]},), ({},)),
    Example(
        "connectivity.disconnectReason:*",
        ({"connectivity.disconnectReason": ["CONNECTION_LOST"]},),
        ({"connectivity.connected": [True]},),
    ),
    Example(
        "connectivity.disconnectReason:CLIENT_INITIATED_DISCONNECT",
        ({"connectivity.disconnectReason": ["CLIENT_INITIATED_DISCONNECT"]},),
        ({"connectivity.disconnectReason": ["CONNECTION_LOST"]},),
    ),
    Example("deviceDefender.violationCount:[0 TO 100]", ({"deviceDefender.violationCount": [0]},), ({},)),
    # query-syntax
    Example(
        "thingName:(tv* AND -plasma)", ({"thingName": ["tv1"]},), ({"thingName": ["plasma"]}, {"thingName": ["atv"]})
    ),
    Example("thingName:abc thingType:xyz", ({"thingName": ["abc"], "thingType": ["xyz"]},), ({"thingName": ["abc"]},)),
    Example("thingName:*my", ({"thingName": ["amy"]}, {"thingName": ["my"]}), ({"thingName": ["myx"]},)),
    # an object exists where something in it does
    Example(
        "shadow.reported.stats:*", ({"shadow.reported.stats.battery": [1]},), ({"shadow.reported.statsx": [1]}, {})
    ),
    Example("shadow.name.s1:*", ({"shadow.name.s1.reported.a.b": [1]},), ({"shadow.name.s12.reported.a": [1]},)),
    # query-syntax: without a field, "all the registry, Device Shadow, and Device Defender fields"
    Example("true", ({"shadow.reported.on": [True]},), ({"connectivity.connected": [True]},)),
    Example("30", ({"attributes.x": ["30"]},), ({"connectivity.keepAliveDuration": [30]},)),
    # thinggroup-index
    Example("thingGroupName:mythinggroup*", ({"thingGroupName": ["MyThingGroup1"]},), ({"thingGroupName": ["my"]},)),
    # managing-index, "Nested shadow field names" and "Numeric values"
    Example(
        "shadow.desired.one.two.three:v2",
        ({"shadow.desired.one.two.three": ["v2"]},),
        ({"shadow.desired.one.two": ["v2"]},),
    ),
    Example("attribute.foo<5", ({"attribute.foo": [4]},), ({"attribute.foo": [5]}, {"attribute.foo": ["4"]})),
    Example("shadow.reported.foo:[75 TO 80]", ({"shadow.reported.foo": [75.0]},), ({"shadow.reported.foo": ["75"]},)),
    # index-aggregate
    Example("*", ({}, {"thingName": ["a"]}), ()),
    Example("thingName:Non-existent*", ({"thingName": ["non-existent1"]},), ({"thingName": ["existent"]},)),
    Example("batterylevel > 50", ({"batterylevel": [51]},), ({"batterylevel": [50]},)),
    # location-indexing-geoquery
    Example(
        "shadow.name.gps.reported.coordinates:geo_distance,47.6204,-122.3491,15.5km",
        (
            {"shadow.name.gps.reported.coordinates": [Point(47.6204, -122.3491)]},
            {"shadow.name.gps.reported.coordinates": [Point(47.7, -122.3)]},
        ),
        (
            {"shadow.name.gps.reported.coordinates": [Point(47.8, -122.3491)]},
            {"shadow.name.gps.reported.coordinates": ["47.6204,-122.3491"]},
        ),
    ),
)
