"""The ways to name a function: `name`, `name:qualifier`, partial ARN, ARN (Lambda API reference, FunctionName)."""

import re

import msgspec

from fogbank.arns import Arns
from fogbank.errors import InvalidParameterValue, ResourceNotFound
from fogbank.functions.errors import AccessDenied

LATEST = "$LATEST"
"""The one version there is: what was uploaded and configured last."""

MAX_NAME = 64

_NAME = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*):lambda:(?P<region>[a-z0-9-]+):)?"
    r"(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)


class FunctionName(msgspec.Struct, frozen=True):
    """Which function of this instance is meant, and which version or alias, where one was named."""

    name: str
    qualifier: str | None = None


def parse(text: str, arns: Arns, qualifier: str | None = None) -> FunctionName:
    """Read a function's name in any of its forms; `qualifier` is the request's own parameter.

    Raises InvalidParameterValue where it is none, ResourceNotFound for another region, AccessDenied for another
    account.
    """
    match = _NAME.fullmatch(text)
    if match is None or len(match["name"]) > MAX_NAME:
        raise InvalidParameterValue(
            f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: "
            f"Member must be a function name of up to {MAX_NAME} letters, digits, '-' and '_', or its ARN"
        )
    if match["region"] not in (None, arns.region):
        raise ResourceNotFound(f"Functions from '{match['region']}' are not reachable in this region ('{arns.region}')")
    if match["account"] not in (None, arns.account):
        raise AccessDenied(f"Functions of account {match['account']} are not reachable from account {arns.account}")
    named = match["qualifier"]
    if named and qualifier and named != qualifier:
        raise InvalidParameterValue(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return FunctionName(match["name"], named or qualifier)
