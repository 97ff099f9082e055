"""What AWS's service authorization reference says of the operations that are implemented: facts to test against."""

from pathlib import Path

import msgspec

AS_IN_ARNS = {"dynamicthinggroup": "thinggroup", "destination": "ruledestination", "packageversion": "package"}


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An action, as the reference has it."""

    level: str
    resources: tuple[str, ...]
    """Kinds; with a star those that it always has."""
    keys: tuple[str, ...] = ()
    """Condition keys of the service itself, and of IAM."""
    dependent: tuple[str, ...] = ()
    """Other actions that the caller must be allowed."""

    @property
    def kinds(self) -> set[str]:
        """As they stand in ARNs."""
        return {AS_IN_ARNS.get(kind.rstrip("*"), kind.rstrip("*")) for kind in self.resources}


REFERENCE = msgspec.json.decode(
    Path(__file__).with_name("authorization_reference.json").read_bytes(), type=dict[str, dict[str, Entry]]
)
"""Service authorization reference, of what is implemented here; facts of the pages "Actions, resources, and condition
keys for" AWS IoT, AWS IoT Jobs DataPlane, AWS Lambda, IAM and STS."""
