"""What a rule has done since the platform started, under the nouns of AWS's rule metrics."""

import msgspec


class ActionCounters(msgspec.Struct):
    """Counts of one kind of action of a rule (the metrics with the dimension ActionType)."""

    success: int = 0
    failure: int = 0
    error_action_success: int = 0
    error_action_failure: int = 0


class Counters(msgspec.Struct):
    """Counts of one rule. They outlive a replacement of the rule and end with its deletion."""

    matched: int = 0
    """Messages on a topic that FROM matches, or that came by Basic Ingest (TopicMatch)."""
    fired: int = 0
    """Messages for which WHERE was true (RulesExecuted)."""
    unparsed: int = 0
    """Messages whose payload is not JSON (ParseError). That it counts whatever the statement makes of them is
    UNVERIFIED; payloads without a byte are not counted."""
    broken: int = 0
    """Messages whose evaluation failed, or whose result was too large for an action."""
    throttled: int = 0
    """Messages lost since too many waited, be it for an answer or for an action (RuleMessageThrottled)."""
    resumed: int = 0
    """Messages whose actions were under way when an earlier process ended, and were begun anew; counted nowhere else
    but in what became of their actions."""
    success: int = 0
    """Actions done."""
    failure: int = 0
    """Actions given up."""
    error_action_success: int = 0
    error_action_failure: int = 0
    actions: dict[str, ActionCounters] = {}
    """The last four by the kind of action, `sqs`."""

    def of(self, kind: str) -> ActionCounters:
        """Those of one kind of action."""
        return self.actions.setdefault(kind, ActionCounters())
