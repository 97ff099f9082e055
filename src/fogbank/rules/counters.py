"""What a rule has done since the platform started, under the nouns of AWS's rule metrics."""

import msgspec


class Counters(msgspec.Struct):
    """Counts of one rule. They outlive a replacement of the rule and end with its deletion."""

    matched: int = 0
    """Messages on a topic that FROM matches (TopicMatch)."""
    fired: int = 0
    """Messages for which WHERE was true (RulesExecuted)."""
    broken: int = 0
    """Messages whose evaluation failed, or whose result was too large for an action."""
    throttled: int = 0
    """Messages that fired and were dropped because the queue was full (RuleMessageThrottled)."""
    success: int = 0
    """Actions done."""
    failure: int = 0
    """Actions given up."""
    error_action_success: int = 0
    error_action_failure: int = 0
