"""What the guides say in figures and names is what the code says."""

import re

import pytest
from tests.docs.blocks import DOCUMENTS, ROOT

from fogbank.broker.quotas import AWS, OPEN, STRICT
from fogbank.broker.reasons import DisconnectReason
from fogbank.gateway.iot_search import LARGEST_PAGE, USUAL_PAGE
from fogbank.gateway.metrics import ACTIONS, BROKER, FLEET, NOT_FOUND, RULES
from fogbank.identity import authorizer_answer
from fogbank.jobs.configs import RETRIES, SOONEST
from fogbank.jobs.limits import DETAILS, KEPT_DAYS, JobLimits
from fogbank.outbound.endpoints import variable
from fogbank.policy.actions import RESOURCE_KIND
from fogbank.ports import EventType
from fogbank.registry import group_members, thing_groups, thing_types, things
from fogbank.registry.event_configurations import DEFAULTS
from fogbank.registry.index import configuration, dynamic_groups, feed
from fogbank.registry.index.service import SETTLING
from fogbank.rules import lane
from fogbank.rules.actions.base import RETRY_DELAYS
from fogbank.rules.actions.catalogue import MAKERS
from fogbank.rules.outside import SERVICES
from fogbank.search import parser
from fogbank.settings import Limits
from fogbank.transport import deadlines, half_open

GUIDES = ROOT / "docs" / "guides"
KB, MIB = 1024, 1024 * 1024


def figure(number: int) -> str:
    """As the documents write it: thousands apart, from five digits on."""
    return f"{number:,}".replace(",", " ") if number >= 10_000 else str(number)


@pytest.mark.parametrize(
    "row",
    [
        f"| payload | {AWS.max_payload // KB} KB | | {(OPEN.max_payload + 1) // MIB} MiB |",
        f"| topics | {AWS.max_levels} levels, {AWS.max_topic} bytes | | {figure(OPEN.max_topic)} bytes |",
        f"| subscriptions | {AWS.subscriptions_per_connection} a connection, {AWS.filters_per_subscribe} in one "
        f"SUBSCRIBE | | {figure(OPEN.subscriptions_per_connection)} |",
        f"| unacknowledged QoS 1 | {AWS.receive_maximum} each way | | {OPEN.receive_maximum} in, "
        f"{figure(OPEN.inflight)} out |",
        f"| keep-alive | {AWS.keep_alive[0]} to {AWS.keep_alive[1]} s; 0 becomes {AWS.keep_alive[2]} | | as asked for "
        f"(MQTT 5: {OPEN.server_keep_alive} at most) |",
        f"| shared subscriptions | {AWS.groups} groups of {AWS.members_per_group} | | any |",
        f"{figure(AWS.queued_messages)} messages or {AWS.queued_bytes // MIB} MiB a session (`open`: "
        f"{figure(OPEN.queued_messages)} or {OPEN.queued_bytes // MIB} MiB)",
    ],
    ids=lambda row: row[:24],
)
def test_limits_are_those_of_the_table(row: str) -> None:
    assert row in (GUIDES / "mqtt.md").read_text()


def test_what_the_guide_says_of_rates() -> None:
    assert AWS.inflight == AWS.receive_maximum, "each way"
    assert AWS.rates is not None
    assert STRICT.rates is not None
    assert (AWS.rates.enforced, STRICT.rates.enforced, OPEN.rates) == (False, True, None)
    said = (
        f"{AWS.rates.connection_publishes} messages a second and connection, {AWS.rates.connection_bytes // KB} KB a "
        "second and connection"
    )
    assert said in " ".join((GUIDES / "mqtt.md").read_text().split())


def test_every_reason_of_a_disconnect_is_named() -> None:
    text = (GUIDES / "mqtt.md").read_text()
    assert [reason.value for reason in DisconnectReason if f"`{reason.value}`" not in text] == []


def test_every_action_of_policies_is_named() -> None:
    text = (GUIDES / "policies.md").read_text()
    named = {action.replace("iotjobsdata:", "iot:") for action in RESOURCE_KIND}
    assert [action for action in sorted(named) if f"`{action}`" not in text] == []
    assert "`iotjobsdata:` means the same" in text


def test_metrics_that_are_named_are_there() -> None:
    known = {f"fogbank_{family.name}" for family in (*BROKER, *RULES, *ACTIONS, NOT_FOUND, FLEET)}
    named = {name for one in DOCUMENTS for name in re.findall(r"\bfogbank_[a-z]\w+", one.read_text())}
    assert named, "operators are told of some"
    assert named <= known


@pytest.mark.parametrize("kind", MAKERS)
def test_every_action_of_rules_is_in_the_table_with_its_endpoint(kind: str) -> None:
    [row] = re.findall(rf"^\|[^|]*`{kind}`.*$", (GUIDES / "rules.md").read_text(), re.MULTILINE)
    service = getattr(getattr(MAKERS[kind], "__self__", None), "service", None)
    assert service is None or f"`{variable(service)}`" in row


def test_every_function_that_asks_is_in_the_table_with_its_endpoint() -> None:
    text = (GUIDES / "rules.md").read_text()
    for function, service in SERVICES.items():
        [row] = re.findall(rf"^\| `{function}\(.*$", text, re.MULTILINE)
        assert f"`{variable(service)}`" in row


def test_what_the_guide_says_of_the_queues_of_actions() -> None:
    text = (GUIDES / "rules.md").read_text()
    assert f"Up to {figure(lane.MAX_WAITING)} messages, or {lane.MAX_WAITING_BYTES // MIB} MiB" in text
    assert RETRY_DELAYS == (0.25, 1.0), "twice more, after a quarter of a second and a second"


def test_what_the_guide_says_of_authorizers() -> None:
    text = (GUIDES / "authorizers.md").read_text()
    span = f"{authorizer_answer.SHORTEST} to {figure(authorizer_answer.LONGEST)}"
    assert text.count(span) == 2
    assert f"up to {authorizer_answer.MAX_DOCUMENTS}, of up to {authorizer_answer.MAX_DOCUMENT} characters" in text


def test_what_the_guide_says_of_half_open_connections() -> None:
    text = (GUIDES / "operating.md").read_text()
    assert half_open.PATIENCE == 10, "ten seconds"
    assert f"at most {deadlines.MOST} of them" in text


def test_what_the_guide_says_of_searches() -> None:
    text = words_of("search.md")
    assert (parser.MOST_TERMS, parser.MOST_QUESTION_MARKS, parser.MOST_STARS) == (12, 5, 2), "twelve, five and two"
    assert f"{parser.LONGEST} characters" in text
    assert f"one such and {parser.LONGEST_WITH_LEADING_WILDCARD}." in text
    assert f"{USUAL_PAGE} in a page, or up to {LARGEST_PAGE}" in text
    assert configuration.CUSTOM_FIELDS == 5, "up to five of your own"
    assert (dynamic_groups.MOST_TERMS, dynamic_groups.MOST) == (5, 100), "five terms, a hundred groups"
    assert feed.WITHIN <= 2, "within two seconds"
    assert SETTLING == 5, "waits for five seconds at most"
    assert feed.RESTS == 4, "a fifth of a core"


def test_what_the_guide_says_of_the_registry() -> None:
    assert (things.ATTRIBUTES_WITHOUT_TYPE, things.ATTRIBUTES_WITH_TYPE) == (3, 50), "up to three, up to fifty"
    assert (group_members.GROUPS_PER_THING, thing_groups.DEPTH) == (10, 7), "ten groups, seven levels"
    assert thing_types.DELETE_AFTER == 5 * 60, "five minutes later"
    text = words_of("registry.md")
    assert [one.value for one in EventType if f"`{one.value}`" not in text] == []
    assert [one for one, on in DEFAULTS.items() if on] == [EventType.CA_CERTIFICATE], "on from the start"


def test_what_the_guide_says_of_jobs() -> None:
    assert f"{JobLimits.of(Limits.AWS).rollout_per_minute} at most" in words_of("jobs.md")
    assert (RETRIES, DETAILS) == (10, 10), "ten further attempts, ten details"
    assert SOONEST.total_seconds() == 30 * 60, "30 minutes ahead"
    assert KEPT_DAYS == 2 * 365, "two years"


def words_of(guide: str) -> str:
    """Its text, however its lines are broken."""
    return " ".join((GUIDES / guide).read_text().split())
