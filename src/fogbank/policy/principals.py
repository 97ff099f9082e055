"""The `Principal` element of trust policies: who may assume a role.

Names are compared as they are; there are no wildcards in them but the one that stands for everybody. The account, by
its number or as the ARN of its root, stands for all who are in it and whose own policies allow them to assume the role
(IAM user guide, reference_policies_elements_principal).
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

EVERYBODY = "*"

_AWS = re.compile(r"\*|\d{12}|arn:aws[\w-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)/\S{1,576})")
_SERVICE = re.compile(r"[a-z0-9][a-z0-9.-]{0,254}")
_OTHER = re.compile(r"\S{1,2048}")
_KINDS: Mapping[str, re.Pattern[str]] = {
    "AWS": _AWS,
    "Service": _SERVICE,
    "Federated": _OTHER,
    "CanonicalUser": _OTHER,
}


class Asker(msgspec.Struct, frozen=True):
    """Who wants to assume a role."""

    kind: str
    """`AWS` for users and sessions, `Service` for services."""
    names: tuple[str, ...]
    """What it is called: `iot.amazonaws.com`; the ARN of a user; the ARNs of a session and of its role."""
    account: str | None = None
    """Of users and sessions."""
    partition: str = "aws"

    @property
    def accounts(self) -> tuple[str, ...]:
        """How policies call its account."""
        if self.account is None:
            return ()
        return (self.account, f"arn:{self.partition}:iam::{self.account}:root")


class Principals(msgspec.Struct, frozen=True):
    """`Principal`, or `NotPrincipal` where negated."""

    names: Mapping[str, tuple[str, ...]]
    """By kind."""
    negated: bool = False

    def name(self, asker: Asker) -> bool:
        """Whether the statement is about the asker by a name of its own, or about everybody."""
        named = self.names.get(asker.kind, ())
        found = EVERYBODY in self.names.get("AWS", ()) or any(one in named for one in asker.names)
        return not (found or self._name_account(asker)) if self.negated else found

    def match(self, asker: Asker) -> bool:
        """Whether the statement is about the asker, if only by its account."""
        return self.name(asker) or (not self.negated and self._name_account(asker))

    def _name_account(self, asker: Asker) -> bool:
        return any(one in self.names.get(asker.kind, ()) for one in asker.accounts)


def parse_principals(found: Any, *, negated: bool) -> Principals:
    """Raises ValueError, with a text for a person."""
    if found == EVERYBODY:
        return Principals({"AWS": (EVERYBODY,)}, negated)
    if not isinstance(found, dict) or not found:
        raise ValueError('must be an object like {"Service": "iot.amazonaws.com"}')
    names = {}
    for kind, values in found.items():
        if kind not in _KINDS:
            raise ValueError(f"there is no kind of principal {kind!r}; known are {', '.join(_KINDS)}")
        listed = values if isinstance(values, list) else [values]
        for one in listed:
            if not isinstance(one, str) or not _KINDS[kind].fullmatch(one):
                raise ValueError(f"{one!r} is not the name of a principal of kind {kind}")
        if not listed:
            raise ValueError(f"{kind} must not be empty")
        names[kind] = tuple(listed)
    return Principals(names, negated)
