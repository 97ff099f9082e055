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
    broken: int = 0
    """Messages whose evaluation failed, or whose result was too large for an action."""
    throttled: int = 0
    """Messages that fired and for which an action was not done because its queue was full (RuleMessageThrottled)."""
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
