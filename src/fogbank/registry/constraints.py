"""What names and values may look like: the patterns and lengths of the API model, with AWS's own refusal texts.

The gateway checks requests against the model too; the services check again, since provisioning, the CLI and tests
call them directly and a bad name must never become a key.
"""

import re
from collections.abc import Sequence

import msgspec

from fogbank.errors import InvalidRequest, NotImplementedByFogbank


class Constraint(msgspec.Struct, frozen=True):
    """A string member: `pattern` matches the whole of it, `longest` is in characters."""

    member: str
    pattern: str
    longest: int
    shortest: int = 1

    def check(self, value: str) -> str:
        """`value` itself, where it is allowed. Raises InvalidRequest in AWS's words."""
        if len(value) > self.longest:
            raise self._refusal(value, f"Member must have length less than or equal to {self.longest}")
        if len(value) < self.shortest:
            raise self._refusal(value, f"Member must have length greater than or equal to {self.shortest}")
        if re.fullmatch(self.pattern, value, re.ASCII) is None:
            raise self._refusal(value, f"Member must satisfy regular expression pattern: {self.pattern}")
        return value

    def allows(self, value: str) -> bool:
        """Whether `value` is allowed, where it is not the caller's mistake if it is not."""
        return self.shortest <= len(value) <= self.longest and bool(re.fullmatch(self.pattern, value, re.ASCII))

    def _refusal(self, value: str, rule: str) -> InvalidRequest:
        shown = value if len(value) <= self.longest else f"{value[: self.longest]}..."
        return InvalidRequest(
            f"1 validation error detected: Value '{shown}' at '{self.member}' failed to satisfy constraint: {rule}"
        )


THING_NAME = Constraint("thingName", r"[a-zA-Z0-9:_-]+", 128)
THING_TYPE_NAME = Constraint("thingTypeName", r"[a-zA-Z0-9:_-]+", 128)
THING_TYPE_DESCRIPTION = Constraint("thingTypeDescription", r"[\x20-\x7e]*", 2028, 0)
THING_GROUP_NAME = Constraint("thingGroupName", r"[a-zA-Z0-9:_-]+", 128)
THING_GROUP_DESCRIPTION = Constraint("thingGroupDescription", r"[\x20-\x7e]*", 2028, 0)
ATTRIBUTE_NAME = Constraint("attributeName", r"[a-zA-Z0-9_.,@/:#-]+", 128)
ATTRIBUTE_VALUE = Constraint("attributeValue", r"[a-zA-Z0-9_.,@/:#=\[\]-]*", 800, 0)
USER_PROPERTY_KEY = Constraint("userPropertyKey", r"[a-zA-Z0-9:$.]+", 128)
BILLING_GROUP_NAME = Constraint("billingGroupName", r"[a-zA-Z0-9:_-]+", 128)
BILLING_GROUP_DESCRIPTION = Constraint("billingGroupDescription", r"[\x20-\x7e]*", 2028, 0)
POLICY_NAME = Constraint("policyName", r"[\w+=,.@-]+", 128)
POLICY_VERSION_ID = Constraint("policyVersionId", r"[0-9]+", 18)
CERTIFICATE_ID = Constraint("certificateId", r"(0x)?[a-fA-F0-9]+", 64, 64)


def refuse_unsupported(operation: str, **members: str | bool | Sequence[object] | dict[str, object] | None) -> None:
    """Refuse what the model knows and this platform does not honour yet, by name; empty values ask for nothing."""
    for member, value in members.items():
        if value:
            raise NotImplementedByFogbank(f"{operation}: {member} is not supported by Fogbank yet; leave it out")
