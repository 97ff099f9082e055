"""Names of fields: aliases, and what cannot be searched (developer guide, managing-fleet-index, "Managed fields")."""

import re

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


def searchable(field: str) -> bool:
    """Whether queries may be about it; versions may only be aggregated."""
    return not (field.endswith("version") and _UNSEARCHABLE.fullmatch(field))
