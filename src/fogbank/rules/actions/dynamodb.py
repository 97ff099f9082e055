"""The action `dynamoDB`: write, update or delete one item, whose payload is one attribute.

Developer Guide, "DynamoDB" rule action. JSON becomes a value of DynamoDB's own types, all else a binary one. Items
to be inserted go out by BatchWriteItem where several wait.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.attributes import NotJson, TooDeep, attribute, read_json
from fogbank.rules.actions.aws import AwsBatchAction, AwsCall, Items, Refused
from fogbank.rules.actions.base import ActionFailed, Context, Firing, Need, Plan, filled
from fogbank.rules.templates import Template

KEY_TYPES = {"STRING": "S", "NUMBER": "N"}
OPERATIONS = {"INSERT": "PutItem", "UPDATE": "UpdateItem", "DELETE": "DeleteItem"}
DEFAULT_PAYLOAD_FIELD = "payload"


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The API's DynamoDBAction."""

    table_name: str
    role_arn: str
    hash_key_field: str
    hash_key_value: str
    hash_key_type: str = "STRING"
    range_key_field: str | None = None
    range_key_value: str | None = None
    range_key_type: str = "STRING"
    payload_field: str | None = None
    operation: str | None = None


class KeyPart:
    """One attribute of an item's key."""

    def __init__(self, field: Template, value: Template, type_: Template) -> None:
        self._field, self._value, self._type = field, value, type_

    def of(self, firing: Firing, table: str) -> tuple[str, dict[str, str]]:
        """Name and attribute value for one message. Raises ActionFailed."""
        type_ = filled(self._type, firing, "the type of a key", table)
        if type_ not in KEY_TYPES:
            raise ActionFailed(f"the type of a key must be STRING or NUMBER, it is {type_!r}", resource=table)
        name = filled(self._field, firing, "the name of a key", table)
        return name, {KEY_TYPES[type_]: filled(self._value, firing, f"the value of the key {name}", table)}


class DynamoDbAction(AwsBatchAction):
    """Writes items with the payload in one attribute."""

    kind = "dynamoDB"
    title = "DynamoAction"
    parameters = Parameters
    service = "dynamodb"
    complaint = "Failed to write to DynamoDB table"
    most = batch_items = 25
    batch_bytes = 4 * 1024 * 1024

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.table_name, parameters.role_arn)
        self._table = self.template("tableName", parameters.table_name)
        self._key = [
            self._part("hashKey", parameters.hash_key_field, parameters.hash_key_value, parameters.hash_key_type)
        ]
        if (parameters.range_key_field is None) != (parameters.range_key_value is None):
            raise InvalidRequest('action "dynamoDB": rangeKeyField and rangeKeyValue belong together')
        if parameters.range_key_field is not None and parameters.range_key_value is not None:
            self._key.append(
                self._part(
                    "rangeKey", parameters.range_key_field, parameters.range_key_value, parameters.range_key_type
                )
            )
        self._payload = self.template("payloadField", parameters.payload_field or DEFAULT_PAYLOAD_FIELD)
        self._operation = self.template("operation", parameters.operation or "INSERT")
        if self._operation.constant and self._operation.text.upper() not in OPERATIONS:
            raise InvalidRequest(f'action "dynamoDB": operation must be one of {", ".join(OPERATIONS)}')

    def _part(self, role: str, field: str, value: str, type_: str) -> KeyPart:
        type_template = self.template(f"{role}Type", type_)
        if type_template.constant and type_ not in KEY_TYPES:
            raise InvalidRequest(f'action "dynamoDB": {role}Type must be STRING or NUMBER, it is {type_!r}')
        return KeyPart(self.template(f"{role}Field", field), self.template(f"{role}Value", value), type_template)

    def plan(self, firing: Firing) -> Plan:
        table = filled(self._table, firing, "tableName", self.target)
        operation = firing.render(self._operation).upper()
        if operation not in OPERATIONS:
            raise ActionFailed(f"operation must be one of {', '.join(OPERATIONS)}, it is {operation!r}", resource=table)
        key = dict(part.of(firing, table) for part in self._key)
        name = filled(self._payload, firing, "payloadField", table)
        verb = OPERATIONS[operation]
        call = AwsCall(verb, {"TableName": table, **_arguments(verb, key, name, self._value(firing, table))})
        need = Need(f"dynamodb:{verb}", self._arns.of("dynamodb", f"table/{table}"))
        # Only inserts go together, and never two of one key.
        item = repr(sorted(key.items()))
        return Plan(table, Items(table if verb == "PutItem" else f"{verb} {table} {item}", (call,), item), need)

    def _value(self, firing: Firing, table: str) -> dict[str, Any]:
        try:
            return attribute(read_json(firing.output))
        except NotJson:
            return {"B": firing.output}
        except TooDeep as error:
            raise ActionFailed(f"{self.complaint}: {error}", resource=table) from error

    def combine(self, group: str, items: list[AwsCall]) -> AwsCall:
        if len(items) == 1:
            return items[0]
        requests = [{"PutRequest": {"Item": call.params["Item"]}} for call in items]
        return AwsCall("BatchWriteItem", {"RequestItems": {group: requests}})

    def size(self, item: AwsCall) -> int:
        return len(repr(item.params))

    def refused(self, answer: Mapping[str, Any], items: list[AwsCall]) -> Mapping[int, Refused]:
        left = [
            request["PutRequest"]["Item"] for table in answer.get("UnprocessedItems", {}).values() for request in table
        ]
        if not left:
            return {}
        refusal = Refused("UnprocessedItems", "the table's throughput was exceeded", True)
        return {index: refusal for index, call in enumerate(items) if call.params["Item"] in left}


def _arguments(verb: str, key: dict[str, Any], name: str, payload: dict[str, Any]) -> dict[str, Any]:
    if verb == "PutItem":
        return {"Item": {name: payload, **key}}
    if verb == "DeleteItem":
        return {"Key": key}
    return {
        "Key": key,
        "UpdateExpression": "SET #payload = :payload",
        "ExpressionAttributeNames": {"#payload": name},
        "ExpressionAttributeValues": {":payload": payload},
    }
