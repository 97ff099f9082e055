"""Basic Ingest: what is published to `$aws/rules/{rule}/...` goes straight to that rule, past all subscriptions.

Developer guide, "Reducing messaging costs with Basic Ingest". Nobody else gets such a message, whatever it subscribes
to; SQL sees its topic without the first three levels. The rule's FROM is not held against it: UNVERIFIED, and decided
here and in the statement's explanation (`Query.explain`); but a rule on events is for the platform alone, or any device
that may publish here could have a newcomer activated. Whoever publishes to a rule that does not run is not told; the
log and the trace are.
"""

import logging
from collections.abc import Mapping
from typing import Protocol

from fogbank.message import Message
from fogbank.ports import Subscriber
from fogbank.rules.definition import Rule
from fogbank.topics import is_event
from fogbank.trace import Trace

log = logging.getLogger(__name__)

PREFIX = "$aws/rules/"
"""The rest of the topic is a rule's name and, from the next slash on, whatever the publisher likes."""

MOST_MISSED = 1000
"""Names of rules not found that are logged: clients may make up as many as they like."""
LONGEST_NAME = 128
"""Characters; what is longer is no rule's name, and is not logged whole."""
ABSENT = "does not exist or is disabled"
NOT_OPEN = "is one on events, of which the platform alone tells"


class Running(Subscriber, Protocol):
    """A rule that runs."""

    @property
    def rule(self) -> Rule: ...


class BasicIngest:
    """Hands each message to the running rule that its topic names."""

    def __init__(self, running: Mapping[str, Running], trace: Trace) -> None:
        """`running` has the rules that are enabled, by name, as they are at any time."""
        self._running = running
        self._trace = trace
        self._missed: set[str] = set()
        self.not_found = 0
        """Messages for rules that do not run (RuleNotFound)."""

    def deliver(self, message: Message) -> None:
        """Port Subscriber."""
        name = message.topic.removeprefix(PREFIX).partition("/")[0]
        rule = self._running.get(name)
        if rule is None:
            self._miss(name[:LONGEST_NAME], message, ABSENT)
            return
        if rule.rule.topic_filter is not None and is_event(rule.rule.topic_filter):
            self._miss(name, message, NOT_OPEN)
            return
        if self._missed:
            self._missed.discard(name)
        rule.deliver(message)

    def _miss(self, name: str, message: Message, why: str) -> None:
        self.not_found += 1
        if name not in self._missed and len(self._missed) < MOST_MISSED:
            self._missed.add(name)
            log.warning("RuleNotFound: %r published to the rule %r, which %s", message.origin.client_id, name, why)
        if self._trace.active:
            self._trace.emit(
                "rule",
                "failure",
                reason=f"RuleNotFound: the rule {name!r} {why}",
                name=name,
                topic=message.topic,
                client_id=message.origin.client_id or "",
                principal=message.origin.principal,
            )
