"""Whom policies and things are attached to: certificates, thing groups and Cognito identities.

The API names them by ARN or identity ID, storage by the beginning of a key: `cert/ID/`, `group/NAME/`, `identity/ID/`.
"""

import enum
import re

import msgspec

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, NotImplementedByFogbank
from fogbank.registry.constraints import THING_GROUP_NAME

_LONGEST_SHOWN = 300
_COGNITO_IDENTITY = re.compile(r"[\w-]+:[0-9a-f-]{36}", re.ASCII)
_CERTIFICATE_ID = re.compile(r"[0-9a-f]{64}")


class HolderKind(enum.Enum):
    """What can hold a policy."""

    CERTIFICATE = "cert"
    GROUP = "group"
    IDENTITY = "identity"


class Holder(msgspec.Struct, frozen=True):
    """Who holds policies."""

    kind: HolderKind
    name: str
    """The certificate ID, the group's name or the identity ID."""

    @property
    def prefix(self) -> str:
        """The key range of the policies it holds."""
        return f"{self.kind.value}/{self.name}/"

    def key(self, policy: str) -> str:
        """The key of one of them."""
        return self.prefix + policy

    def target(self, arns: Arns) -> str:
        """What the API calls it."""
        match self.kind:
            case HolderKind.CERTIFICATE:
                return arns.iot("cert", self.name)
            case HolderKind.GROUP:
                return arns.iot("thinggroup", self.name)
            case HolderKind.IDENTITY:
                return self.name


def holder_of_key(key: str) -> Holder:
    """Who holds the policy of the attachment at `key`."""
    kind, name, _ = key.split("/", 2)
    return Holder(HolderKind(kind), name)


def holder_of(target: str, arns: Arns) -> Holder:
    """The holder that the API calls `target`.

    Raises InvalidRequest ("Invalid Target", the words by which infrastructure tools know it) where it is neither the
    ARN of a certificate or thing group of this account and region, nor a Cognito identity.
    """
    certificates, groups = arns.iot("cert", ""), arns.iot("thinggroup", "")
    if target.startswith(certificates) and _CERTIFICATE_ID.fullmatch(target, len(certificates)):
        return Holder(HolderKind.CERTIFICATE, target[len(certificates) :])
    if target.startswith(groups) and THING_GROUP_NAME.allows(target[len(groups) :]):
        return Holder(HolderKind.GROUP, target[len(groups) :])
    if _COGNITO_IDENTITY.fullmatch(target):
        return Holder(HolderKind.IDENTITY, target)
    raise InvalidRequest(
        f"Invalid Target: {target[:_LONGEST_SHOWN]!r} is neither the ARN of a certificate or thing group of this"
        f" account and region ({certificates}<certificateId>, {groups}<thingGroupName>) nor a Cognito identity ID"
    )


def certificate_of(principal: str, arns: Arns) -> str:
    """The certificate ID in the ARN of a principal, as things are attached to them.

    Raises InvalidRequest as above, and NotImplementedByFogbank for the principals that AWS knows beyond certificates.
    """
    prefix = arns.iot("cert", "")
    if principal.startswith(prefix) and _CERTIFICATE_ID.fullmatch(principal, len(prefix)):
        return principal[len(prefix) :]
    if _COGNITO_IDENTITY.fullmatch(principal):
        raise NotImplementedByFogbank(
            f"Cognito identities are not supported by Fogbank yet as principals of things: {principal}"
        )
    raise InvalidRequest(
        f"Invalid Target: {principal[:_LONGEST_SHOWN]!r} is not a certificate ARN of this account and region,"
        f" {prefix}<certificateId>"
    )
