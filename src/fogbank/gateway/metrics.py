"""`GET /_fogbank/metrics`: counts of the broker and the rules, and fleet metrics, in the text format of Prometheus.

https://prometheus.io/docs/instrumenting/exposition_formats/. Names follow its conventions: what only grows ends in
`_total`.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from fogbank.awswire.http import Response
from fogbank.broker.metrics import Metrics
from fogbank.gateway.pages import Page, Visit
from fogbank.rules.counters import Counters

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Family(msgspec.Struct, frozen=True):
    """One metric: its name without `fogbank_`, the field that has its value, and what it is."""

    name: str
    field: str
    help: str

    @property
    def type(self) -> str:
        return "counter" if self.name.endswith("_total") else "gauge"


BROKER = (
    Family("connections", "connections", "MQTT clients that are connected."),
    Family("sessions", "sessions", "MQTT sessions, those of clients that are away included."),
    Family("subscriptions", "subscriptions", "Subscriptions of all sessions."),
    Family("shared_subscription_groups", "shared_groups", "Groups of shared subscriptions."),
    Family("retained_messages", "retained_messages", "Retained messages."),
    Family("retained_bytes", "retained_bytes", "Bytes that retained messages take."),
    Family("queued_messages", "queued_messages", "QoS 1 and 2 messages that are owed to sessions and groups."),
    Family("queued_bytes", "queued_bytes", "Bytes of messages that are owed to sessions and groups."),
    Family(
        "dropped_messages_total",
        "dropped_messages",
        "Messages lost to full queues, slow connections and clients' packet sizes.",
    ),
    Family("throttled_total", "throttled", "Messages and requests discarded, refused or held up by rates that bind."),
    Family("journal_commits_total", "commits", "Commits of messages, sessions and retained messages."),
    Family("journal_failures_total", "failed_commits", "Commits that failed."),
)
RULES = (
    Family("rule_topic_match_total", "matched", "TopicMatch: messages on a topic that a rule listens to."),
    Family("rule_parse_error_total", "unparsed", "ParseError: messages for a rule whose payload is not JSON."),
    Family("rule_executed_total", "fired", "RulesExecuted: messages that a rule has fired for."),
    Family("rule_message_throttled_total", "throttled", "RuleMessageThrottled: messages lost since too many waited."),
    Family("rule_broken_total", "broken", "Messages whose evaluation failed or whose result was too large."),
    Family("rule_resumed_total", "resumed", "Messages whose actions an earlier process had begun and not ended."),
)
"""What AWS has is named as AWS names it ("Rule metrics" in the developer guide)."""
ACTIONS = (
    Family("rule_success_total", "success", "Success: actions done."),
    Family("rule_failure_total", "failure", "Failure: actions given up."),
    Family("rule_error_action_success_total", "error_action_success", "ErrorActionSuccess: error actions done."),
    Family("rule_error_action_failure_total", "error_action_failure", "ErrorActionFailure: error actions given up."),
)
"""Of a rule and a kind of action, the dimension ActionType."""
NOT_FOUND = Family("rule_not_found_total", "", "RuleNotFound: messages for rules that do not run, by Basic Ingest.")
FLEET = Family("fleet_metric", "", "Fleet metrics as they were last worked out (CreateFleetMetric).")


class MetricsPage:
    """Makes the text."""

    def __init__(
        self,
        broker: Callable[[], Metrics],
        rules: Callable[[], Mapping[str, Counters]],
        not_found: Callable[[], int],
        fleet: Callable[[], Mapping[str, Mapping[str, float]]] = dict,
    ) -> None:
        """Each gives the present counts; `rules` by name, `not_found` those of Basic Ingest, `fleet` the figures of
        fleet metrics by name and aggregation (`count`, `95`, ...)."""
        self._broker = broker
        self._rules = rules
        self._not_found = not_found
        self._fleet = fleet

    @property
    def page(self) -> Page:
        """For the root's keys."""
        return Page(method="GET", path="/_fogbank/metrics", answer=self._answer)

    async def _answer(self, visit: Visit) -> Response:
        return Response(200, (("content-type", CONTENT_TYPE),), self.text())

    def text(self) -> bytes:
        """All metrics as they are now."""
        return "".join(f"{line}\n" for line in self._lines()).encode()

    def _lines(self) -> Iterator[str]:
        broker, rules = self._broker(), self._rules()
        for family in BROKER:
            yield from _head(family)
            yield f"fogbank_{family.name} {getattr(broker, family.field)}"
        for family in RULES:
            yield from _head(family)
            for name, counters in rules.items():  # whose names need no escaping
                yield f'fogbank_{family.name}{{rule="{name}"}} {getattr(counters, family.field)}'
        for family in ACTIONS:
            yield from _head(family)
            for name, counters in rules.items():
                for kind, counted in counters.actions.items():
                    labels = f'rule="{name}",action_type="{kind}"'
                    yield f"fogbank_{family.name}{{{labels}}} {getattr(counted, family.field)}"
        yield from _head(NOT_FOUND)
        yield f"fogbank_{NOT_FOUND.name} {self._not_found()}"
        yield from _head(FLEET)
        for name, figures in self._fleet().items():
            for aggregation, figure in figures.items():  # neither needs escaping
                yield f'fogbank_{FLEET.name}{{metric="{name}",aggregation_type="{aggregation}"}} {figure}'


def _head(family: Family) -> Iterator[str]:
    yield f"# HELP fogbank_{family.name} {family.help}"
    yield f"# TYPE fogbank_{family.name} {family.type}"
