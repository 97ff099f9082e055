"""The action `location`: tell a tracker of Amazon Location where a device is.

Developer Guide, "Location" rule action. Without a timestamp it is the time at which the message came.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.aws import AwsBatchAction, AwsCall, Items, Refused
from fogbank.rules.actions.base import ActionFailed, Context, Firing, Need, Plan, filled
from fogbank.rules.templates import Template

UNITS = {"SECONDS": 1, "MILLISECONDS": 1_000, "MICROSECONDS": 1_000_000, "NANOSECONDS": 1_000_000_000}


class Timestamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's LocationTimestamp."""

    value: str
    unit: str = "MILLISECONDS"


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The API's LocationAction."""

    role_arn: str
    tracker_name: str
    device_id: str
    latitude: str
    longitude: str
    timestamp: Timestamp | None = None


class LocationAction(AwsBatchAction):
    """Updates device positions."""

    kind = "location"
    title = "LocationAction"
    parameters = Parameters
    service = "location"
    complaint = "Failed to update device position of tracker"
    most = batch_items = 10
    batch_bytes = 1024 * 1024

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.tracker_name, parameters.role_arn)
        self._tracker = self.template("trackerName", parameters.tracker_name)
        self._device = self.template("deviceId", parameters.device_id)
        self._latitude = self.template("latitude", parameters.latitude)
        self._longitude = self.template("longitude", parameters.longitude)
        timestamp = parameters.timestamp or Timestamp("${timestamp()}")
        self._time = self.template("timestamp.value", timestamp.value)
        self._unit = self.template("timestamp.unit", timestamp.unit)
        if self._unit.constant and timestamp.unit not in UNITS:
            raise InvalidRequest(f'action "location": timestamp.unit must be one of {", ".join(UNITS)}')

    def plan(self, firing: Firing) -> Plan:
        tracker = filled(self._tracker, firing, "trackerName", self.target)
        device = filled(self._device, firing, "deviceId", tracker)
        unit = firing.render(self._unit)
        if unit not in UNITS:
            raise ActionFailed(f"timestamp.unit must be one of {', '.join(UNITS)}, it is {unit!r}", resource=tracker)
        update = {
            "DeviceId": device,
            "Position": [
                _number("longitude", self._longitude, firing, tracker),
                _number("latitude", self._latitude, firing, tracker),
            ],
            "SampleTime": _number("timestamp.value", self._time, firing, tracker) / UNITS[unit],
        }
        need = Need("geo:BatchUpdateDevicePosition", self._arns.of("geo", f"tracker/{tracker}"))
        # Errors name the device alone, so that no batch may hold two updates of one.
        return Plan(tracker, Items(tracker, (update,), device), need)

    def combine(self, group: str, items: list[dict[str, Any]]) -> AwsCall:
        return AwsCall("BatchUpdateDevicePosition", {"TrackerName": group, "Updates": items})

    def size(self, item: dict[str, Any]) -> int:
        return len(item["DeviceId"])

    def refused(self, answer: Mapping[str, Any], items: list[dict[str, Any]]) -> Mapping[int, Refused]:
        told = {one["DeviceId"]: one["Error"] for one in answer.get("Errors", ())}
        return {
            index: Refused.of(error.get("Code"), error.get("Message"))
            for index, item in enumerate(items)
            if (error := told.get(item["DeviceId"])) is not None
        }


def _number(field: str, template: Template, firing: Firing, resource: str) -> float:
    text = firing.render(template)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ActionFailed(f"{field} must be a number, for this message it is {text!r}", resource=resource)
    return value
