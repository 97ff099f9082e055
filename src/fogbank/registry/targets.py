"""Whom policies and things are attached to: certificates, by ARN. Other kinds are refused by name."""

import re

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, NotImplementedByFogbank

_LONGEST_SHOWN = 300
_COGNITO_IDENTITY = re.compile(r"[\w-]+:[0-9a-f-]{36}")
_CERTIFICATE_ID = re.compile(r"[0-9a-f]{64}")


def certificate_of(target: str, arns: Arns) -> str:
    """The certificate ID in `target`, `arn:aws:iot:{region}:{account}:cert/{id}`.

    Raises InvalidRequest ("Invalid Target", the words by which infrastructure tools know it) where it is no ARN of a
    certificate of this account and region, NotImplementedByFogbank for principals AWS knows beyond certificates.
    """
    prefix = arns.iot("cert", "")
    if target.startswith(prefix) and _CERTIFICATE_ID.fullmatch(target, len(prefix)):
        return target[len(prefix) :]
    if target.startswith(arns.iot("thinggroup", "")):
        raise NotImplementedByFogbank(f"Thing groups are not supported by Fogbank yet, as a target neither: {target}")
    if _COGNITO_IDENTITY.fullmatch(target):
        raise NotImplementedByFogbank(f"Cognito identities are not supported by Fogbank yet: {target}")
    raise InvalidRequest(
        f"Invalid Target: {target[:_LONGEST_SHOWN]!r} is not a certificate ARN of this account and region,"
        f" {prefix}<certificateId>"
    )
