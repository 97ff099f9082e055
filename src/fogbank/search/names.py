"""Names of fields: aliases, and what cannot be searched (developer guide, managing-fleet-index, "Managed fields")."""

import re
from collections.abc import Iterator

_ALIASES = {
    "registry.thingName": "thingName",
    "registry.thingId": "thingId",
    "registry.thingTypeName": "thingTypeName",
    "registry.thingGroupNames": "thingGroupNames",
}
_UNSEARCHABLE = re.compile(r"registry\.version|shadow\.version|shadow\.name\.[^.]+\.version|version")


def canonical(field: str) -> str:
    """The one name of a field."""
    return _ALIASES.get(field, field)


def found_anywhere(field: str) -> bool:
    """Whether a term without a field is looked for in it: registry and shadows, connectivity not (query-syntax)."""
    return searchable(field) and not field.startswith("connectivity.")


def says_violation(field: str) -> bool:
    """Whether it is a behavior's `inViolation`, of which the guide says that it cannot be asked to be false."""
    return field.startswith("deviceDefender.") and field.endswith(".inViolation")


def above(field: str) -> Iterator[str]:
    """The objects that a field is in: they exist where it does (`shadow.reported.stats:*`)."""
    end = field.find(".")
    while end != -1:
        yield field[:end]
        end = field.find(".", end + 1)


def searchable(field: str) -> bool:
    """Whether queries may be about it; versions may only be aggregated."""
    return not (field.endswith("version") and _UNSEARCHABLE.fullmatch(field))
