"""The policy language: IoT policies parsed, bound to a connection and evaluated, with a reason for every decision.

    PolicySet.compile(grant.policies).bind(connection_variables(...)).decide("iot:Publish", arn)

It is pure: what the registry stores and what the broker knows come in as values. The source of its rules is the AWS
IoT developer guide (iot-policies and the pages below it) and, for the grammar, the IAM user guide.
"""

from fogbank.policy.decision import Decision, StatementRef
from fogbank.policy.document import MalformedPolicy, parse_document
from fogbank.policy.evaluate import BoundPolicies, PolicySet
from fogbank.policy.principals import Asker
from fogbank.policy.trust import Trust, TrustPolicy
from fogbank.policy.variables import connect_context, connection_variables, direct_message_context

__all__ = [
    "Asker",
    "BoundPolicies",
    "Decision",
    "MalformedPolicy",
    "PolicySet",
    "StatementRef",
    "Trust",
    "TrustPolicy",
    "connect_context",
    "connection_variables",
    "direct_message_context",
    "parse_document",
]
