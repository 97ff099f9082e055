"""The action `dynamoDBv2`: put an item, each top-level attribute of the result of SELECT an attribute of its own.

Developer Guide, "DynamoDBv2" rule action. The result must hold the attributes of the table's key; DynamoDB says so
where it does not. Items are put one by one: which of them have the same key is the table's knowledge.
"""

import msgspec

from fogbank.rules.actions.attributes import NotJson, TooDeep, attribute, read_json
from fogbank.rules.actions.aws import AwsAction, AwsCall
from fogbank.rules.actions.base import ActionFailed, Context, Firing, Need, Plan, filled


class PutItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's PutItemInput."""

    table_name: str


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's DynamoDBv2Action."""

    role_arn: str
    put_item: PutItem


class DynamoDbV2Action(AwsAction):
    """Puts items with an attribute for each member of the payload."""

    kind = "dynamoDBv2"
    title = "DynamoActionV2"
    parameters = Parameters
    service = "dynamodb"
    complaint = "Failed to write to DynamoDB table"

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.put_item.table_name, parameters.role_arn)
        self._table = self.template("putItem.tableName", parameters.put_item.table_name)

    def plan(self, firing: Firing) -> Plan:
        table = filled(self._table, firing, "tableName", self.target)
        try:
            members = read_json(firing.output)
        except NotJson:
            members = None
        if not isinstance(members, dict):
            raise ActionFailed(f"{self.complaint}. The payload is not a JSON object", resource=table)
        try:
            item = {name: attribute(value) for name, value in members.items()}
        except TooDeep as error:
            raise ActionFailed(f"{self.complaint}: {error}", resource=table) from error
        need = Need("dynamodb:PutItem", self._arns.of("dynamodb", f"table/{table}"))
        return Plan(table, AwsCall("PutItem", {"TableName": table, "Item": item}), need)
