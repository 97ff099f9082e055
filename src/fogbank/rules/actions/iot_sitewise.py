"""The action `iotSiteWise`: put values of asset properties, whatever SELECT gave; all of it stands in templates.

Developer Guide, "IoT SiteWise" rule action.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.aws import AwsBatchAction, AwsCall, Items, Refused
from fogbank.rules.actions.base import ActionFailed, Context, Firing, Need, Plan, filled
from fogbank.rules.templates import Template

QUALITIES = ("GOOD", "BAD", "UNCERTAIN")


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's AssetPropertyVariant: one of these."""

    string_value: str | None = None
    integer_value: str | None = None
    double_value: str | None = None
    boolean_value: str | None = None


class Timestamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's AssetPropertyTimestamp."""

    time_in_seconds: str
    offset_in_nanos: str | None = None


class PropertyValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's AssetPropertyValue."""

    value: Variant
    timestamp: Timestamp
    quality: str | None = None


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The API's PutAssetPropertyValueEntry."""

    entry_id: str | None = None
    asset_id: str | None = None
    property_id: str | None = None
    property_alias: str | None = None
    property_values: tuple[PropertyValue, ...]


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's IotSiteWiseAction."""

    role_arn: str
    put_asset_property_value_entries: tuple[Entry, ...]


Templates = dict[str, Any]
"""The members of a structure: templates, and structures and lists of them, under the names of the call's parameters."""


class IotSiteWiseAction(AwsBatchAction):
    """Puts property values."""

    kind = "iotSiteWise"
    title = "IotSiteWiseAction"
    parameters = Parameters
    service = "iotsitewise"
    complaint = "Failed to put IoT SiteWise property values"
    most = batch_items = 10
    batch_bytes = 1024 * 1024

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._given = entries = parameters.put_asset_property_value_entries
        if not entries or not all(entry.property_values for entry in entries):
            raise InvalidRequest('action "iotSiteWise": an entry with a property value is needed')
        super().__init__(context, entries[0].property_alias or entries[0].asset_id or "", parameters.role_arn)
        for entry in entries:
            _check(entry)
        self._entries: list[Templates] = [self._compiled(msgspec.to_builtins(entry)) for entry in entries]

    def _compiled(self, value: Any, field: str = "putAssetPropertyValueEntries") -> Any:
        if isinstance(value, str):
            return self.template(field, value)
        if isinstance(value, dict):
            return {name: self._compiled(member, name) for name, member in value.items() if member is not None}
        return [self._compiled(one, field) for one in value]

    def plan(self, firing: Firing) -> Plan:
        entries = tuple(_entry(self._filled(entry, firing), self.target) for entry in self._entries)
        resource = entries[0].get("propertyAlias") or entries[0].get("assetId") or self.target
        first = entries[0]
        arn = "time-series/*" if "propertyAlias" in first else f"asset/{first.get('assetId', '*')}"
        need = Need("iotsitewise:BatchPutAssetPropertyValue", self._arns.of("iotsitewise", arn))
        # The answer names entries by their IDs; where the rule chose these, those of two firings may be the same.
        group = "" if all(entry.entry_id is None for entry in self._given) else str(uuid4())
        return Plan(resource, Items(group, entries), need)

    def _filled(self, value: Any, firing: Firing, field: str = "entry") -> Any:
        if isinstance(value, Template):
            return filled(value, firing, field, self.target)
        if isinstance(value, dict):
            return {name: self._filled(member, firing, name) for name, member in value.items()}
        return [self._filled(one, firing, field) for one in value]

    def combine(self, group: str, items: list[dict[str, Any]]) -> AwsCall:
        return AwsCall("BatchPutAssetPropertyValue", {"entries": items})

    def size(self, item: dict[str, Any]) -> int:
        return len(repr(item))

    def refused(self, answer: Mapping[str, Any], items: list[dict[str, Any]]) -> Mapping[int, Refused]:
        told = {one.get("entryId"): one.get("errors", ()) for one in answer.get("errorEntries", ())}
        return {
            index: Refused.of(errors[0].get("errorCode"), errors[0].get("errorMessage"))
            for index, item in enumerate(items)
            if (errors := told.get(item["entryId"]))
        }


def _check(entry: Entry) -> None:
    by_id = entry.asset_id is not None and entry.property_id is not None
    if by_id == (entry.property_alias is not None):
        raise InvalidRequest('action "iotSiteWise": an entry needs either propertyAlias, or assetId and propertyId')
    for value in entry.property_values:
        given = [name for name in value.value.__struct_fields__ if getattr(value.value, name) is not None]
        if len(given) != 1:
            raise InvalidRequest('action "iotSiteWise": a value is exactly one of string, integer, double and boolean')


def _entry(entry: dict[str, Any], resource: str) -> dict[str, Any]:
    """The entry with its numbers and truth values as the call has them. Raises ActionFailed."""
    values = []
    for value in entry["propertyValues"]:
        if value.get("quality", "GOOD") not in QUALITIES:
            raise ActionFailed(f"quality must be one of {', '.join(QUALITIES)}", resource=resource)
        values.append(
            {**value, "value": _value(value["value"], resource), "timestamp": _time(value["timestamp"], resource)}
        )
    return {"entryId": str(uuid4()), **entry, "propertyValues": values}


def _value(variant: dict[str, str], resource: str) -> dict[str, Any]:
    [(name, text)] = variant.items()
    try:
        if name == "integerValue":
            return {name: int(text)}
        if name == "doubleValue":
            return {name: float(text)}
        if name == "booleanValue":
            return {name: {"true": True, "false": False}[text.lower()]}
    except (ValueError, KeyError):
        raise ActionFailed(f"{name} cannot be {text!r}", resource=resource) from None
    return {name: text}


def _time(timestamp: dict[str, str], resource: str) -> dict[str, int]:
    try:
        return {name: int(text) for name, text in timestamp.items()}
    except ValueError:
        raise ActionFailed(f"the timestamp {timestamp} is not one of whole numbers", resource=resource) from None
