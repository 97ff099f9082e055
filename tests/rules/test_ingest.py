"""Basic Ingest. (Developer guide, "Reducing messaging costs with Basic Ingest")"""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from fogbank.message import Message, MessageProperties, Origin
from fogbank.rules import ingest
from fogbank.rules.actions.republish import MAX_HOPS

from .conftest import Platform

Make = Callable[..., dict[str, Any]]

TOPICS = "SELECT *, topic() AS topic, topic(1) AS first, topic(2) AS second FROM 'elsewhere'"


async def test_a_rule_gets_what_is_published_to_its_name(platform: Platform, invoke: Make) -> None:
    await platform.create("named", TOPICS, invoke("f"))
    await platform.create("other", TOPICS, invoke("g"))
    await platform.send("$aws/rules/named/device/lamp/state", {"on": True})
    [call] = platform.invoker.calls
    assert call.function.endswith(":f")
    assert call.event == {"on": True, "topic": "device/lamp/state", "first": "device", "second": "lamp"}


@pytest.mark.parametrize(
    ("rest", "seen"),
    [("/a", {"topic": "a", "first": "a"}), ("/", {"topic": "", "first": ""}), ("", {"topic": "", "first": ""})],
)
async def test_the_rest_of_the_topic_may_be_short(
    platform: Platform, invoke: Make, rest: str, seen: dict[str, str]
) -> None:
    await platform.create("named", TOPICS, invoke("f"))
    await platform.send("$aws/rules/named" + rest, {})
    assert platform.invoker.events == [seen]


async def test_from_and_subscriptions_have_no_say(platform: Platform, invoke: Make) -> None:
    """That FROM is not evaluated is UNVERIFIED. Rules whose FROM would match get nothing."""
    await platform.create("named", "SELECT * FROM 'a/b'", invoke("f"))
    for number, filter_ in enumerate(("$aws/#", "$aws/rules/#", "$aws/rules/named/x", "$aws/rules/+/x")):
        await platform.create(f"eager{number}", f"SELECT * FROM '{filter_}'", invoke("g"))
    await platform.send("$aws/rules/named/x", {"n": 1})
    assert [call.function[-1] for call in platform.invoker.calls] == ["f"]


@pytest.mark.parametrize("filter_", ["$aws/events/certificates/registered/ca", "$aws/events/#", "$aws/events/+/+"])
async def test_a_rule_on_events_hears_the_platform_alone(
    platform: Platform, invoke: Make, caplog: pytest.LogCaptureFixture, filter_: str
) -> None:
    """Else a device would have certificates activated that it tells of."""
    platform.watch()
    await platform.create("activate", f"SELECT * FROM '{filter_}'", invoke("f"))
    await platform.send("$aws/rules/activate/$aws/events/certificates/registered/ca", {"certificateId": "x"})
    assert platform.invoker.calls == []
    assert "is one on events, of which the platform alone tells" in caplog.text
    assert platform.stories("rule")[-1][1] == "failure"


async def test_where_has(platform: Platform, invoke: Make) -> None:
    await platform.create("named", "SELECT * FROM 'a' WHERE n > 1", invoke("f"))
    for number in (1, 2):
        await platform.send("$aws/rules/named/x", {"n": number})
    assert platform.invoker.events == [{"n": 2}]


async def test_a_statement_without_from_is_for_this_alone(platform: Platform, invoke: Make) -> None:
    rule = await platform.create("named", "SELECT *", invoke("f"))
    assert rule.topic_filter is None
    assert platform.router.filters == []
    await platform.send("a", {"n": 1})
    await platform.send("$aws/rules/named/x", {"n": 2})
    assert platform.invoker.events == [{"n": 2}]
    assert [one.name for one in (await platform.rules.list()).rules] == ["named"]
    assert (await platform.rules.list(topic="a")).rules == []
    await platform.restart()
    await platform.send("$aws/rules/named/x", {"n": 3})
    assert platform.invoker.events == [{"n": 2}, {"n": 3}]


async def test_a_rule_that_comes_goes_and_changes(platform: Platform, invoke: Make) -> None:
    await platform.create("named", "SELECT 1 AS v", invoke("f"))
    await platform.send("$aws/rules/named", {})
    await platform.rules.replace("named", {"sql": "SELECT 2 AS v", "actions": [invoke("f")]})
    await platform.send("$aws/rules/named", {})
    await platform.rules.disable("named")
    await platform.send("$aws/rules/named", {})
    await platform.rules.enable("named")
    await platform.send("$aws/rules/named", {})
    await platform.rules.delete("named")
    await platform.send("$aws/rules/named", {})
    assert [event["v"] for event in platform.invoker.events] == [1, 2, 2]
    assert platform.engine.ingest.not_found == 2


async def test_a_rule_that_does_not_run_is_logged_once_and_traced_each_time(
    platform: Platform, invoke: Make, caplog: pytest.LogCaptureFixture
) -> None:
    platform.watch()
    for _ in range(3):
        await platform.send("$aws/rules/absent/x", {})
    reason = "RuleNotFound: the rule 'absent' does not exist or is disabled"
    assert platform.stories("rule") == [("absent", "failure", reason)] * 3
    assert [event.client_id for event in platform.traced] == ["c1"] * 3
    [record] = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert "RuleNotFound" in record.getMessage()
    await platform.create("absent", "SELECT *", invoke("f"))
    await platform.send("$aws/rules/absent/x", {})
    await platform.rules.disable("absent")
    await platform.send("$aws/rules/absent/x", {})
    assert len([one for one in caplog.records if "RuleNotFound" in one.getMessage()]) == 2, "it ran in between"


async def test_names_made_up_by_clients_fill_neither_log_nor_memory(
    platform: Platform, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MOST_MISSED", 3)
    for number in range(5):
        await platform.send(f"$aws/rules/{number}{'x' * 300}/y", {})
    told = [one.getMessage() for one in caplog.records if "RuleNotFound" in one.getMessage()]
    assert len(told) == 3
    assert max(map(len, told)) < 250
    assert platform.engine.ingest.not_found == 5


async def test_the_trace_shows_the_rule_firing(platform: Platform, invoke: Make) -> None:
    await platform.create("named", "SELECT * FROM 'a'", invoke("f"))
    platform.watch()
    await platform.send("$aws/rules/named/x", {})
    assert platform.stories("rule") == [("named", "success", "there is no WHERE clause")]
    assert [event.topic for event in platform.traced] == ["$aws/rules/named/x"] * 2
    assert platform.engine.counters["named"].matched == platform.engine.counters["named"].fired == 1


async def test_rules_feed_one_another(platform: Platform, invoke: Make, republish: Make) -> None:
    await platform.create("first", "SELECT * FROM 'a'", republish("$$aws/rules/second/${topic()}"))
    await platform.create("second", "SELECT *, topic() AS topic", invoke("f"))
    await platform.send("a", {"n": 1})
    assert platform.invoker.events == [{"n": 1, "topic": "a"}]


async def test_but_not_for_ever(platform: Platform, republish: Make) -> None:
    await platform.create("loop", "SELECT *", republish("$$aws/rules/loop"))
    await platform.send("$aws/rules/loop", {})
    await platform.clock.advance(60)
    assert len(platform.router.published) == 1 + MAX_HOPS


async def test_properties_of_mqtt_5_are_seen_by_sql(platform: Platform, invoke: Make) -> None:
    names = ("content_type", "format_indicator", "response_topic", "correlation_data")
    columns = ", ".join(f"get_mqtt_property('{name}') AS {name}" for name in names)
    await platform.create("named", f"SELECT {columns}, get_user_properties('k') AS k", invoke("f"))
    properties = MessageProperties(
        payload_format=1,
        content_type="text",
        response_topic="r",
        correlation_data=b"\xff",
        user_properties=(("k", "1"), ("l", "2"), ("k", "3")),
    )
    await platform.router.publish(Message("$aws/rules/named", b"{}", origin=Origin(), properties=properties))
    await platform.clock.advance(0)
    assert platform.invoker.events == [
        {
            "content_type": "text",
            "format_indicator": "UTF8_DATA",
            "response_topic": "r",
            "correlation_data": "/w==",
            "k": ["1", "3"],
        }
    ]
