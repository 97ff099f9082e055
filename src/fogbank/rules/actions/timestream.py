"""The action `timestream`: write each top-level attribute of the result of SELECT as a measure of one time.

Developer Guide, "Timestream" rule action: measures are named as the attributes; their types follow the JSON: BIGINT,
DOUBLE, BOOLEAN, VARCHAR, and VARCHAR with JSON in it for arrays and objects. Attributes that are null are left out.
"""

from decimal import Decimal
from typing import Any

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.attributes import NotJson, read_json
from fogbank.rules.actions.aws import AwsAction, AwsCall
from fogbank.rules.actions.base import ActionFailed, Context, Firing, Need, Plan, filled
from fogbank.rules.templates import Template

UNITS = ("SECONDS", "MILLISECONDS", "MICROSECONDS", "NANOSECONDS")
_encoder = msgspec.json.Encoder(decimal_format="number")

MAX_DIMENSIONS = 128
MAX_RECORDS = 100
"""Of one call (quotas of Timestream)."""


class Dimension(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's TimestreamDimension."""

    name: str
    value: str


class Timestamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's TimestreamTimestamp."""

    value: str
    unit: str


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's TimestreamAction."""

    role_arn: str
    database_name: str
    table_name: str
    dimensions: tuple[Dimension, ...]
    timestamp: Timestamp | None = None


class TimestreamAction(AwsAction):
    """Writes records of a time series."""

    kind = "timestream"
    title = "TimestreamAction"
    parameters = Parameters
    service = "timestream-write"
    complaint = "Failed to write to Timestream table"

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.table_name, parameters.role_arn)
        if not 1 <= len(parameters.dimensions) <= MAX_DIMENSIONS:
            raise InvalidRequest(f'action "timestream": 1 to {MAX_DIMENSIONS} dimensions are needed')
        self._database = self.template("databaseName", parameters.database_name)
        self._table = self.template("tableName", parameters.table_name)
        self._dimensions: list[tuple[str, Template]] = [
            (one.name, self.template(f"dimension {one.name}", one.value)) for one in parameters.dimensions
        ]
        timestamp = parameters.timestamp or Timestamp("${timestamp()}", "MILLISECONDS")
        self._time = self.template("timestamp.value", timestamp.value)
        self._unit = self.template("timestamp.unit", timestamp.unit)
        if self._unit.constant and timestamp.unit not in UNITS:
            raise InvalidRequest(f'action "timestream": timestamp.unit must be one of {", ".join(UNITS)}')

    def plan(self, firing: Firing) -> Plan:
        table = filled(self._table, firing, "tableName", self.target)
        database = filled(self._database, firing, "databaseName", table)
        unit = firing.render(self._unit)
        if unit not in UNITS:
            raise ActionFailed(f"timestamp.unit must be one of {', '.join(UNITS)}, it is {unit!r}", resource=table)
        params = {
            "DatabaseName": database,
            "TableName": table,
            "CommonAttributes": {
                "Dimensions": [
                    {"Name": name, "Value": filled(value, firing, f"the dimension {name}", table)}
                    for name, value in self._dimensions
                ],
                "Time": filled(self._time, firing, "timestamp.value", table),
                "TimeUnit": unit,
            },
            "Records": self._measures(firing, table),
        }
        arn = self._arns.of("timestream", f"database/{database}/table/{table}")
        return Plan(table, AwsCall("WriteRecords", params), Need("timestream:WriteRecords", arn))

    def _measures(self, firing: Firing, table: str) -> list[dict[str, str]]:
        try:
            members = read_json(firing.output)
        except NotJson:
            members = None
        if not isinstance(members, dict):
            raise ActionFailed(f"{self.complaint}. The payload is not a JSON object", resource=table)
        measures = [_measure(name, value) for name, value in members.items() if value is not None]
        if not 1 <= len(measures) <= MAX_RECORDS:
            raise ActionFailed(
                f"{self.complaint}. The payload has {len(measures)} attributes; 1 to {MAX_RECORDS} are written",
                resource=table,
            )
        return measures


def _measure(name: str, value: Any) -> dict[str, str]:
    if isinstance(value, bool):
        type_, text = "BOOLEAN", str(value).lower()
    elif isinstance(value, int):
        type_, text = "BIGINT", str(value)
    elif isinstance(value, Decimal):
        type_, text = "DOUBLE", str(value)
    elif isinstance(value, str):
        type_, text = "VARCHAR", value
    else:
        type_, text = "VARCHAR", _encoder.encode(value).decode()
    return {"MeasureName": name, "MeasureValue": text, "MeasureValueType": type_}
