"""Operations that take a resource by its name or by its ARN, as those of group membership do."""

from collections.abc import Mapping
from typing import Any

from fogbank.errors import InvalidRequest

_LONGEST_SHOWN = 300


def named(params: Mapping[str, Any], what: str, prefix: str) -> str:
    """The name in `{what}Name` or `{what}Arn`. Raises InvalidRequest where there is neither, or they differ.

    `prefix`: how ARNs of that kind begin here.
    """
    name, arn = params.get(f"{what}Name"), params.get(f"{what}Arn")
    if arn is not None:
        if not arn.startswith(prefix):
            raise InvalidRequest(f"{what}Arn is not of this account and region, {prefix}...: {arn[:_LONGEST_SHOWN]}")
        of_arn = str(arn.removeprefix(prefix))
        if name not in (None, of_arn):
            raise InvalidRequest(f"{what}Name {name} and {what}Arn {arn[:_LONGEST_SHOWN]} are not the same")
        return of_arn
    if name is None:
        raise InvalidRequest(f"{what}Name or {what}Arn is needed")
    return str(name)
