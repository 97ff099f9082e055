"""The fleet index from outside, by what AWS's guide says of it: example-queries, example-thinggroup-queries,
query-syntax, index-aggregate, managing-index and dynamic-thing-groups, on a fleet of which the answers are known."""

import json
import signal
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.inbox import eventually
from fogbank.cli.demo.server import Server
from fogbank.ready import Ready

CONFIGURATION: dict[str, Any] = {
    "thingIndexingMode": "REGISTRY_AND_SHADOW",
    "thingConnectivityIndexingMode": "STATUS",
    "namedShadowIndexingMode": "ON",
    "filter": {"namedShadowNames": ["cfg", "$package"]},
    "customFields": [
        {"name": "attributes.n", "type": "Number"},
        {"name": "attributes.s", "type": "String"},
        {"name": "shadow.reported.on", "type": "Boolean"},
        {"name": "shadow.name.cfg.reported.level", "type": "Number"},
    ],
}
ATTRIBUTES: dict[str, dict[str, str]] = {
    "my2": {"myAttribute": "80", "serialNumber": "abcd"},
    "aba": {"myAttribute": "78.5", "serialNumber": "abcf"},
    "abb": {"serialNumber": "abce", "myAttribute": "indigoT"},
    "abcc": {"serialNumber": "abcg", "model": "legacy"},
    "combo1": {"attr1": "abc", "attr2": "4", "attr3": "11"},
    "combo2": {"attr1": "ABC", "attr2": "4.9", "attr3": "10"},
    "combo3": {"attr1": "abc", "attr2": "5"},
}
SHADOWS: dict[str, dict[str, Any]] = {
    "aba": {"reported": {"stats": {"battery": 80}, "fw": "v2", "location": "Office One"}},
    "abcc": {"reported": {"stats": {"battery": 80}, "fw": "v2", "myvalues": [1, 2, 3]}},
    "abb": {"reported": {"stats": {"battery": 70}, "fw": "v3"}, "desired": {"stats": {"battery": 100}}},
    "odd": {
        "reported": {
            "objects": [{"a": 1}],
            "mixed": [1, {"a": 2}],
            "strings": ["Red Hat", "blue"],
            "a.b": 5,
            "empty": {},
            "spelled": "1",
            "largest": 2**53 - 1,
            "larger": 2**53,
            "with space": True,
            "city": "Köln",
        }
    },
}
THINGS = ["aba", "abb", "abcc", "combo1", "combo2", "combo3", "my2", "myThingName", "named", "odd"]


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """A platform of this module's own: it is configured as no other test expects it."""
    directory = tmp_path_factory.mktemp("search")
    server = Server(directory / "data", directory / "server.log")
    yield server.start()
    assert server.stop() == 0, "\n".join(server.log_tail())


@pytest.fixture(scope="module")
def app(where: Ready, tmp_path_factory: pytest.TempPathFactory) -> App:
    """The fleet of which the answers are known."""
    app = App(where, tmp_path_factory.mktemp("certificates"))
    app.iot.update_indexing_configuration(
        thingIndexingConfiguration=CONFIGURATION, thingGroupIndexingConfiguration={"thingGroupIndexingMode": "ON"}
    )
    app.iot.create_thing_type(thingTypeName="aa")
    app.iot.create_thing(thingName="myThingName", thingTypeName="aa", attributePayload=payload({"myAttribute": "75"}))
    for name in ("my2", "aba", "abb", "abcc", "combo1", "combo2", "combo3", "named", "odd"):
        app.iot.create_thing(thingName=name, attributePayload=payload(ATTRIBUTES.get(name, {})))
    for name, state in SHADOWS.items():
        update(app, name, state)
    update(app, "named", {"reported": {"mode": "eco", "deep": {"er": True}}, "desired": {"mode": "fast"}}, "cfg")
    update(app, "named", {"reported": {"p": {"version": "1.0.0"}}}, "$package")
    update(app, "named", {"reported": {"mode": "eco"}}, "other")
    app.iot.create_thing_group(thingGroupName="top")
    properties = {"thingGroupDescription": "in the attic", "attributePayload": payload({"floor": "3"})}
    app.iot.create_thing_group(thingGroupName="sub", parentGroupName="top", thingGroupProperties=properties)
    app.iot.add_thing_to_thing_group(thingGroupName="sub", thingName="aba")
    app.iot.create_billing_group(billingGroupName="payer")
    app.iot.add_thing_to_billing_group(billingGroupName="payer", thingName="abb")
    return app


def payload(attributes: dict[str, str]) -> dict[str, Any]:
    return {"attributes": attributes}


def update(app: App, thing: str, state: dict[str, Any], name: str | None = None) -> None:
    shadow = {} if name is None else {"shadowName": name}
    app.data.update_thing_shadow(thingName=thing, payload=json.dumps({"state": state}), **shadow)


def found(app: App, query: str) -> list[str]:
    return [thing["thingName"] for thing in app.iot.search_index(queryString=query)["things"]]


def until(app: App, query: str, names: list[str]) -> None:
    """Search until these are found: two seconds are what there is."""
    eventually(f"{names} to be found", lambda: found(app, query), lambda now: now == names, 2)


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    ("query", "names"),
    [
        # example-queries
        ("*", THINGS),
        ("abc", ["combo1", "combo2", "combo3"]),
        ("thingName:myThingName", ["myThingName"]),
        ("thingName:MYTHINGNAME", ["myThingName"]),
        ("thingName:my*", ["my2", "myThingName"]),
        ("thingName:ab?", ["aba", "abb"]),
        ("thingTypeName:aa", ["myThingName"]),
        ("attributes.myAttribute:75", ["myThingName"]),
        ("attributes.myAttribute:[75 TO 80]", ["aba", "my2", "myThingName"]),
        ("attributes.myAttribute:{75 TO 80]", ["aba", "my2"]),
        ("attributes.myAttribute:[75 TO 80}", ["aba", "myThingName"]),
        ("attributes.myAttribute:{75 TO 80}", ["aba"]),
        ('attributes.serialNumber:["abcd" TO "abcf"]', ["aba", "abb", "my2"]),
        ('attributes.serialNumber:{"abcd" TO "abcf"}', ["abb"]),
        ("attributes.myAttribute:i*t", ["abb"]),
        ("attributes.attr1:abc AND attributes.attr2<5 NOT attributes.attr3>10", ["combo2"]),
        ("attributes.attr2>=5", ["combo3"]),
        ("attributes.attr2<=4.9", ["combo1", "combo2"]),
        ("shadow.hasDelta:true", ["abb"]),
        ("NOT attributes.model:legacy", [name for name in THINGS if name != "abcc"]),
        ("shadow.reported.stats.battery:{70 TO 100} (v2 OR v3) NOT attributes.model:legacy", ["aba"]),
        ("shadow.reported.myvalues:2", ["abcc"]),
        ("shadow.reported.location:* NOT shadow.desired.stats.battery:*", ["aba"]),
        ("shadow.name.cfg.hasDelta:true", ["named"]),
        ("shadow.name.cfg.desired.mode:*", ["named"]),
        ("shadow.name.cfg.reported.deep.er:true", ["named"]),
        ("shadow.name.cfg.delta.mode:fast", ["named"]),
        ("shadow.name.$package.reported.p.version:1.0.0", ["named"]),
        ("shadow.name.other.reported.mode:eco", []),  # not in the filter
        ("connectivity.connected:false", THINGS),
        ("connectivity.connected:*", THINGS),
        ("connectivity.disconnectReason:*", []),
        # query-syntax: phrases, words, case, precedence, exclusion, field grouping, escapes
        ('shadow.reported.location:"office one"', ["aba"]),
        ('shadow.reported.location:"one office"', []),
        ("shadow.reported.location:OFFICE", ["aba"]),
        ("THINGNAME:aba", []),
        ("thingName:(my* AND -my2)", ["myThingName"]),
        ("thingName:my2 OR thingName:aba AND attributes.serialNumber:abcf", ["aba", "my2"]),
        ("(thingName:my2 OR thingName:abb) AND attributes.serialNumber:abcd", ["my2"]),
        ("thingGroupNames:(sub OR payer)", ["aba", "abb"]),
        ("thingGroupNames:top", []),  # its members are not its parent's
        (r"shadow.reported.with\ space:true", ["odd"]),
        ("shadow.reported.city:KÖLN", ["odd"]),
        ("thingName:*bb", ["abb"]),
        # managing-index, "Restrictions and limitations"
        ("shadow.reported.strings:red", ["odd"]),
        ("shadow.reported.objects.a:1", []),
        ("shadow.reported.mixed:1", []),
        ("shadow.reported.a.b:5", ["odd"]),
        ("shadow.reported.empty:*", []),
        ("shadow.reported.spelled:[0 TO 2]", []),
        ("shadow.reported.largest>9007199254740990", ["odd"]),
        ("shadow.reported.larger>0", []),
        ("shadow.metadata.reported.location.timestamp>0", ["aba"]),
        ("shadow.metadata.reported.objects:*", []),
        # an object exists where something in it does
        ("shadow.desired:*", ["abb"]),
        ("shadow.reported.stats:*", ["aba", "abb", "abcc"]),
        ("shadow.name.cfg:*", ["named"]),
    ],
)
def test_queries(app: App, query: str, names: list[str]) -> None:
    assert sorted(set(found(app, query)) & set(THINGS)) == sorted(names)


@pytest.mark.parametrize(
    "query",
    [
        '"unbalanced',
        'thingName:"a',
        "(a",
        "a)",
        "()",
        "AND",
        "a OR",
        "NOT",
        "thingName:",
        "thingName:[1 TO",
        "thingName:[1 2]",
        "a:b:c",
        "[1 TO 2]",
        " OR ".join(f"thingName:t{number}" for number in range(13)),
        " ".join("a" for _ in range(500)),
        "OR ".join(f"a{number} " for number in range(1000)),
        "x" * 1001,
        "(" * 400 + "a" + ")" * 400,
        *(f"a{sign}b" for sign in "`@#%/';,"),
        "a\\",
        "a~",
        "a^2",
        "thingName:a*b*c*",
        "a??????",
        "*a *b",
        "*" + "a" * 100,
        "registry.version:1",
        "deviceDefender.profile.behavior.inViolation:false",
    ],
)
def test_what_is_no_query_is_refused_at_once(app: App, query: str) -> None:
    started = time.monotonic()
    with pytest.raises(ClientError) as refused:
        app.iot.search_index(queryString=query)
    assert code(refused) == "InvalidQueryException"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("*", ["sub", "top"]),
        ("attic", ["sub"]),
        ("thingGroupName:sub", ["sub"]),
        ("thingGroupNames:su*", ["sub"]),
        ("thingGroupNames:to?", ["top"]),
        ("attributes.floor:[1 TO 3]", ["sub"]),
        ("NOT attributes.floor:3", ["top"]),
        ("parentGroupNames:(top OR other)", ["sub"]),
        ('description:"the attic"', ["sub"]),
    ],
)
def test_queries_for_groups(app: App, query: str, names: list[str]) -> None:
    """Developer guide, example-thinggroup-queries."""
    groups = app.iot.search_index(indexName="AWS_ThingGroups", queryString=query)["thingGroups"]
    assert [group["thingGroupName"] for group in groups if group["thingGroupName"] in ("sub", "top")] == names


def test_what_a_search_answers(app: App) -> None:
    [thing] = app.iot.search_index(queryString="thingName:abb")["things"]
    shadow = json.loads(thing.pop("shadow"))
    assert thing.pop("thingId")
    assert thing == {
        "thingName": "abb",
        "thingGroupNames": ["payer"],
        "attributes": ATTRIBUTES["abb"],
        "connectivity": {"connected": False},
    }
    metadata = shadow.pop("metadata")
    assert set(metadata) == {"desired", "reported"}
    assert shadow == {**SHADOWS["abb"], "delta": {"stats": {"battery": 100}}, "hasDelta": True, "version": 1}
    [named] = app.iot.search_index(queryString="thingName:named")["things"]
    assert set(json.loads(named["shadow"])["name"]) == {"cfg", "$package"}


def test_aggregations_are_what_arithmetic_says(app: App) -> None:
    numbers = [1, 2, 2.5, -3, 1e6, 2, 100]
    for place, number in enumerate(numbers):
        name = f"agg{place}"
        app.iot.create_thing(thingName=name, attributePayload=payload({"n": str(number), "s": f"s{place % 3}"}))
        update(app, name, {"reported": {"on": place % 2 == 0}})
    query: dict[str, Any] = {"queryString": "thingName:agg*"}
    found = app.iot.get_statistics(**query, aggregationField="attributes.n")["statistics"]
    assert found == pytest.approx(
        {
            "count": len(numbers),
            "average": statistics.mean(numbers),
            "sum": sum(numbers),
            "minimum": min(numbers),
            "maximum": max(numbers),
            "sumOfSquares": sum(number**2 for number in numbers),
            "variance": statistics.pvariance(numbers),
            "stdDeviation": statistics.pstdev(numbers),
        }
    )
    assert app.iot.get_statistics(**query, aggregationField="attributes.s")["statistics"] == {"count": 7}
    truths = app.iot.get_statistics(**query, aggregationField="shadow.reported.on")["statistics"]
    assert (truths["average"], truths["sum"], truths["minimum"], truths["maximum"]) == pytest.approx((4 / 7, 4, 0, 1))
    assert app.iot.get_statistics(**query)["statistics"]["sum"] == 7  # of registry.version
    assert app.iot.get_cardinality(**query, aggregationField="attributes.n")["cardinality"] == 6
    buckets = app.iot.get_buckets_aggregation(
        **query, aggregationField="attributes.s", bucketsAggregationType={"termsAggregation": {"maxBuckets": 2}}
    )
    assert buckets["totalCount"] == 7
    assert buckets["buckets"] == [{"keyValue": "s0", "count": 3}, {"keyValue": "s1", "count": 2}]
    middle = app.iot.get_percentiles(**query, aggregationField="attributes.n", percents=[50])["percentiles"]
    assert middle == [{"percent": 50.0, "value": 2.0}]
    usual = app.iot.get_percentiles(**query, aggregationField="attributes.n")["percentiles"]
    assert [one["percent"] for one in usual] == [1, 5, 25, 50, 75, 95, 99]
    nobody: dict[str, Any] = {"queryString": "thingName:nobody*"}
    assert app.iot.get_percentiles(**nobody, aggregationField="attributes.n")["percentiles"] == []
    assert app.iot.get_cardinality(**nobody, aggregationField="attributes.s")["cardinality"] == 0
    assert app.iot.get_statistics(**nobody, aggregationField="attributes.n")["statistics"] == {"count": 0}
    for field in ("attributes.unknown", "shadow.reported.location"):
        with pytest.raises(app.iot.exceptions.InvalidAggregationException):
            app.iot.get_statistics(**query, aggregationField=field)
    with pytest.raises(app.iot.exceptions.InvalidAggregationException):
        app.iot.get_percentiles(**query, aggregationField="attributes.s")


def test_pages_while_things_come_and_go(app: App) -> None:
    for number in range(20):
        app.iot.create_thing(thingName=f"page{number:02}")
    names: list[str] = []
    asked: dict[str, Any] = {"queryString": "thingName:page*", "maxResults": 7}
    while True:
        page = app.iot.search_index(**asked)
        names += [thing["thingName"] for thing in page["things"]]
        if len(names) == 7:
            app.iot.delete_thing(thingName="page19")
            app.iot.create_thing(thingName="page00a")
            app.iot.create_thing(thingName="page18a")
        if page.get("nextToken") is None:
            break
        asked["nextToken"] = page["nextToken"]
    assert names == [*(f"page{number:02}" for number in range(19)), "page18a"]
    for wrong in ({"nextToken": "x"}, {"maxResults": 501}, {"queryVersion": "x"}):
        with pytest.raises(app.iot.exceptions.InvalidRequestException):
            app.iot.search_index(queryString="*", **wrong)
    with pytest.raises(app.iot.exceptions.ResourceNotFoundException):
        app.iot.search_index(queryString="*", indexName="AWS_Other")


def test_the_connection_of_a_device(app: App, where: Ready) -> None:
    device = SdkDevice(where, app.create_thing("wired", app.policy(("iot:*", "*"))), keep_alive_secs=45)
    before = int(time.time() * 1000) - 1000
    device.connect()
    since = f"connectivity.timestamp : [{before} TO {before + 9000}]"
    connected = f"thingName:wired connectivity.connected:true AND {since}"
    assert eventually("the connection", lambda: found(app, connected), bool) == ["wired"]
    terms = "connectivity.clientId:wired connectivity.keepAliveDuration:45 connectivity.cleanSession:true"
    assert found(app, f"{terms} connectivity.sessionExpiry:0") == ["wired"]
    [thing] = app.iot.search_index(queryString="thingName:wired")["things"]
    assert thing["connectivity"].pop("timestamp") >= before
    assert thing["connectivity"] == {
        "connected": True,
        "clientId": "wired",
        "keepAliveDuration": 45,
        "cleanSession": True,
        "sessionExpiry": 0,
    }
    device.close()
    gone = "thingName:wired connectivity.disconnectReason:CLIENT_INITIATED_DISCONNECT"
    assert eventually("its end", lambda: found(app, gone), bool) == ["wired"]
    assert found(app, f"connectivity.connected:false {terms}") == ["wired"]


def test_a_change_is_found_within_two_seconds_and_so_is_its_end(app: App) -> None:
    update(app, "late", {"desired": {"mark": "late"}})
    assert found(app, "shadow.desired.mark:late") == [], "of a thing that is not registered"
    shadow = {"thingName": "late", "payload": json.dumps({"state": {"desired": {"mark": "late"}}})}
    for change, params, expected in (
        (app.iot.create_thing, {"thingName": "late"}, ["late"]),
        (app.data.delete_thing_shadow, {"thingName": "late"}, []),
        (app.data.update_thing_shadow, shadow, ["late"]),
        (app.iot.delete_thing, {"thingName": "late"}, []),
    ):
        change(**params)
        until(app, "shadow.desired.mark:late", expected)


def test_a_dynamic_group_follows_its_query(app: App) -> None:
    """Developer guide, dynamic-thing-groups."""
    made = app.iot.create_dynamic_thing_group(thingGroupName="warm", queryString="attributes.temperature>60")
    assert (made["indexName"], made["queryVersion"]) == ("AWS_Things", "2017-09-30")

    def inside() -> list[str]:
        return list(app.iot.list_things_in_thing_group(thingGroupName="warm")["things"])

    def status() -> str:
        return str(app.iot.describe_thing_group(thingGroupName="warm")["status"])

    app.iot.create_thing(thingName="room", attributePayload=payload({"temperature": "61"}))
    eventually("it to join", inside, lambda now: now == ["room"])
    eventually("the index to say so", lambda: found(app, "thingGroupNames:warm"), bool)
    app.iot.update_thing(thingName="room", attributePayload=payload({"temperature": "60"}))
    eventually("it to leave", inside, lambda now: not now)
    changed = app.iot.update_dynamic_thing_group(
        thingGroupName="warm", queryString="attributes.temperature:60", thingGroupProperties={}, expectedVersion=1
    )
    assert changed["version"] == 2
    eventually("it to be back", inside, lambda now: now == ["room"])
    eventually("the group to be ready", status, lambda now: now == "ACTIVE")
    make, group = app.iot.create_dynamic_thing_group, {"thingGroupName": "warm"}
    make(**group, queryString="attributes.temperature:60")
    app.create_policy("p", app.policy(("iot:Connect", "*")))
    arn = app.iot.describe_thing_group(**group)["thingGroupArn"]
    off = {"thingIndexingMode": "OFF"}
    for refused, call, params in (
        ("ResourceAlreadyExistsException", make, group | {"queryString": "a"}),
        ("InvalidQueryException", make, {"thingGroupName": "x", "queryString": '"'}),
        ("InvalidQueryException", make, {"thingGroupName": "x", "queryString": "a b c d e f"}),
        (
            "VersionConflictException",
            app.iot.update_dynamic_thing_group,
            {**group, "thingGroupProperties": {}, "expectedVersion": 1},
        ),
        ("InvalidRequestException", app.iot.attach_policy, {"policyName": "p", "target": arn}),
        ("InvalidRequestException", app.iot.add_thing_to_thing_group, group | {"thingName": "aba"}),
        ("InvalidRequestException", app.iot.remove_thing_from_thing_group, group | {"thingName": "room"}),
        ("InvalidRequestException", app.iot.create_thing_group, {"thingGroupName": "x", "parentGroupName": "warm"}),
        ("InvalidRequestException", app.iot.delete_thing_group, group),
        ("InvalidRequestException", app.iot.update_indexing_configuration, {"thingIndexingConfiguration": off}),
    ):
        with pytest.raises(ClientError) as error:
            call(**params)
        assert code(error) == refused, (call, params)
    app.iot.delete_dynamic_thing_group(thingGroupName="warm")
    eventually("no trace of it", lambda: found(app, "thingGroupNames:warm"), lambda now: not now)


@pytest.mark.parametrize(
    "wrong",
    [
        {"thingIndexingMode": "REGISTRY", "customFields": [{"name": "shadow.reported.x", "type": "Number"}]},
        {
            "thingIndexingMode": "REGISTRY",
            "customFields": [{"name": f"attributes.a{number}", "type": "Number"} for number in range(6)],
        },
        {"thingIndexingMode": "REGISTRY", "customFields": [{"name": "thingName", "type": "String"}]},
        {"thingIndexingMode": "REGISTRY", "customFields": [{"name": "x", "type": "String"}]},
        {"thingIndexingMode": "OFF", "thingConnectivityIndexingMode": "STATUS"},
        {
            "thingIndexingMode": "REGISTRY",
            "namedShadowIndexingMode": "ON",
            "filter": {"namedShadowNames": [f"s{number}" for number in range(11)]},
        },
    ],
)
def test_what_cannot_be_configured_changes_nothing(app: App, wrong: dict[str, Any]) -> None:
    before = app.iot.get_indexing_configuration()["thingIndexingConfiguration"]
    with pytest.raises(app.iot.exceptions.InvalidRequestException):
        app.iot.update_indexing_configuration(thingIndexingConfiguration=wrong)
    assert app.iot.get_indexing_configuration()["thingIndexingConfiguration"] == before


def test_a_configuration_comes_back_and_decides_what_is_found(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", tmp_path / "server.log")
    try:
        app = App(server.start(), tmp_path)
        app.iot.create_thing(thingName="t")
        update(app, "t", {"reported": {"a": 1}})
        for configuration, schema, names in (
            (CONFIGURATION, "MULTI_INDEXING_MODE", ["t"]),
            ({"thingIndexingMode": "REGISTRY"}, "REGISTRY", []),
            ({"thingIndexingMode": "REGISTRY_AND_SHADOW"}, "REGISTRY_AND_SHADOW", ["t"]),
        ):
            app.iot.update_indexing_configuration(thingIndexingConfiguration=configuration)
            told = app.iot.get_indexing_configuration()["thingIndexingConfiguration"]
            assert {key: told[key] for key in configuration} == configuration
            assert app.iot.describe_index(indexName="AWS_Things")["schema"] == schema
            until(app, "shadow.reported.a:1", names)
        server.stop(signal.SIGKILL)
        app = App(server.start(), tmp_path)
        assert found(app, "shadow.reported.a:1") == ["t"]
        app.iot.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "OFF"})
        assert app.iot.list_indices()["indexNames"] == ["AWS_ThingGroups"]
        for refused, params in (
            (app.iot.search_index, {"queryString": "*"}),
            (app.iot.get_statistics, {"queryString": "*"}),
            (app.iot.describe_index, {"indexName": "AWS_Things"}),
            (app.iot.create_dynamic_thing_group, {"thingGroupName": "g", "queryString": "a"}),
        ):
            with pytest.raises(ClientError) as error:
                refused(**params)
            assert code(error) in {"ResourceNotFoundException", "IndexNotReadyException"}
    finally:
        assert server.stop() == 0, "\n".join(server.log_tail())
