"""What the index knows of a thing and of a thing group, and the fields that it is found by.

Whoever builds an entry decides what is in it: an index that is configured for the registry alone gets things without
shadows and connectivity. Names of fields: developer guide, managing-fleet-index, "Managed fields", and managing-index,
"Restrictions and limitations".
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from fogbank.registry.index.configuration import FieldType
from fogbank.search.fields import Fields, Value
from fogbank.search.geography import Order, location

Values: TypeAlias = dict[str, list[Value]]

_SIMPLE = (str, int, float, bool)
_SECTIONS = ("reported", "desired", "delta")


class Connectivity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of the client whose ID is the name of the thing. One that was never connected is not connected."""

    connected: bool = False
    timestamp: int | None = None
    """Milliseconds since the epoch, when it last connected or disconnected."""
    version: int | None = None
    disconnect_reason: str | None = None
    client_id: str | None = None
    keep_alive: int | None = None
    """Seconds."""
    session_expiry: int | None = None
    """Seconds."""
    clean_session: bool | None = None


class ThingEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A thing as it is indexed."""

    name: str
    id: str
    stamp: str
    """From what it was made; an entry with the stamp that it would get now need not be made again."""
    version: int = 1
    type_name: str | None = None
    group_names: tuple[str, ...] = ()
    """Of the thing groups, in the order of joining."""
    billing_group: str | None = None
    attributes: Mapping[str, str] = {}
    shadows: Mapping[str | None, Mapping[str, Any]] = {}
    """By name, None for the classic one, each as `ports.ShadowReader.of_thing` gives it."""
    connectivity: Connectivity | None = None
    """None: connectivity is not indexed."""
    locations: Mapping[str, Order] = {}
    """The fields that hold locations: `geoLocations` of the configuration."""
    custom_fields: Mapping[str, FieldType] = {}
    """The fields that are aggregated beside the managed ones, and as what: `customFields` of the configuration."""

    @property
    def all_group_names(self) -> tuple[str, ...]:
        """`thingGroupNames`: those of thing groups and of the billing group."""
        return self.group_names if self.billing_group is None else (*self.group_names, self.billing_group)

    def fields(self) -> Fields:
        """What it is found by."""
        return Fields.of(self.values())

    def values(self) -> Values:
        """The values of its fields."""
        values: Values = {
            "thingName": [self.name],
            "thingId": [self.id],
            "registry.version": [self.version],
        }
        if self.type_name is not None:
            values["thingTypeName"] = [self.type_name]
        if self.all_group_names:
            values["thingGroupNames"] = list(self.all_group_names)
        values |= {f"attributes.{name}": [value] for name, value in self.attributes.items()}
        for name, shadow in self.shadows.items():
            _add_shadow("shadow" if name is None else f"shadow.name.{name}", shadow, values)
        if self.connectivity is not None:
            values |= _connectivity_values(self.connectivity)
        for field, order in self.locations.items():
            if (point := location(self._raw(field), order)) is not None:
                values.setdefault(field, []).append(point)
        return values

    def shadow_document(self) -> dict[str, Any] | None:
        """`shadow` of a search result: the classic shadow's members, the named ones under `name`. None without any."""
        if not self.shadows:
            return None
        documents = {name: _shadow_document(shadow) for name, shadow in self.shadows.items()}
        named = {name: document for name, document in documents.items() if name is not None}
        return documents.get(None, {}) | ({"name": named} if named else {})

    def _raw(self, field: str) -> Any:
        """The JSON value at a field that may hold an object or an array; None where there is none."""
        head, _, rest = field.partition(".")
        if head == "attributes":
            return self.attributes.get(rest)
        name: str | None = None
        if rest.startswith("name."):
            name, _, rest = rest.removeprefix("name.").partition(".")
        shadow = self.shadows.get(name) if head == "shadow" else None
        return None if shadow is None else _at(shadow.get("state", {}), rest)


class GroupEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A thing group as it is indexed."""

    name: str
    id: str
    stamp: str
    version: int = 1
    description: str | None = None
    attributes: Mapping[str, str] = {}
    parent_names: tuple[str, ...] = ()
    """Of all groups above it, the root first."""
    custom_fields: Mapping[str, FieldType] = {}

    def fields(self) -> Fields:
        """What it is found by."""
        return Fields.of(self.values())

    def values(self) -> Values:
        """The values of its fields."""
        values: Values = {
            "thingGroupName": [self.name],
            "thingGroupNames": [self.name],  # as the guide's example queries have it
            "thingGroupId": [self.id],
            "version": [self.version],
        }
        if self.description is not None:
            values["description"] = [self.description]
        if self.parent_names:
            values["parentGroupNames"] = list(self.parent_names)
        values |= {f"attributes.{name}": [value] for name, value in self.attributes.items()}
        return values


def _shadow_document(shadow: Mapping[str, Any]) -> dict[str, Any]:
    state = shadow.get("state", {})
    document = {section: state[section] for section in ("desired", "reported", "delta") if section in state}
    return document | {
        "metadata": shadow.get("metadata", {}),
        "hasDelta": bool(state.get("delta")),
        "version": shadow.get("version", 1),
    }


def _add_shadow(prefix: str, shadow: Mapping[str, Any], values: Values) -> None:
    state, metadata = shadow.get("state", {}), shadow.get("metadata", {})
    values[f"{prefix}.hasDelta"] = [bool(state.get("delta"))]
    values[f"{prefix}.version"] = [shadow.get("version", 1)]
    for section in _SECTIONS:
        if section in state:
            stamps = metadata.get(section)
            _add_tree(f"{prefix}.{section}", f"{prefix}.metadata.{section}", state[section], stamps, values)


def _add_tree(path: str, meta_path: str, value: Any, metadata: Any, values: Values) -> None:
    """The leaves below a value, and their timestamps.

    Arrays are there with each of their elements, and with the different ones of their timestamps, unless an element is
    not simple; null is not.
    """
    kind = type(value)  # what JSON is decoded to, and no subclass of it
    if kind is dict:
        below = metadata if type(metadata) is dict else {}
        for key, one in value.items():
            _add_tree(f"{path}.{key}", f"{meta_path}.{key}", one, below.get(key), values)
    elif kind is list:
        if all(isinstance(one, _SIMPLE) for one in value):
            _add(path, value, values)
            stamps = metadata if type(metadata) is list else ()
            _add(
                f"{meta_path}.timestamp",
                dict.fromkeys(one["timestamp"] for one in stamps if "timestamp" in one),
                values,
            )
    elif kind in _SIMPLE:
        _add(path, (value,), values)
        if type(metadata) is dict and "timestamp" in metadata:
            _add(f"{meta_path}.timestamp", (metadata["timestamp"],), values)


def _add(field: str, some: Iterable[Value], values: Values) -> None:
    """Keys may have dots in them, so that there may be several values where there seems to be one."""
    there = values.get(field)
    if there is not None:
        there.extend(some)
    elif found := list(some):
        values[field] = found


def _connectivity_values(connectivity: Connectivity) -> Values:
    values: dict[str, Value | None] = {
        "connected": connectivity.connected,
        "timestamp": connectivity.timestamp,
        "version": connectivity.version,
        "disconnectReason": connectivity.disconnect_reason,
        "clientId": connectivity.client_id,
        "keepAliveDuration": connectivity.keep_alive,
        "sessionExpiry": connectivity.session_expiry,
        "cleanSession": connectivity.clean_session,
    }
    return {f"connectivity.{name}": [value] for name, value in values.items() if value is not None}


def _at(value: Any, path: str) -> Any:
    """The value at a dotted path, whose keys may have dots themselves."""
    if not path:
        return value
    if isinstance(value, Mapping):
        for key, below in value.items():
            if path == key or path.startswith(f"{key}."):
                found = _at(below, path[len(key) + 1 :])
                if found is not None:
                    return found
    return None
