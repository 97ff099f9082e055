"""The action `sns`: publish the result of SELECT to a topic or endpoint of SNS.

Developer Guide, "SNS" rule action. With the message format JSON the payload says by itself what goes to which kind of
subscriber, and must have a member `default`; SNS refuses it otherwise.
"""

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.aws import AwsAction, AwsCall, text_of
from fogbank.rules.actions.base import Context, Firing, Need, Plan, filled

FORMATS = ("RAW", "JSON")


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's SnsAction."""

    target_arn: str
    role_arn: str
    message_format: str = "RAW"


class SnsAction(AwsAction):
    """Publishes to a topic."""

    kind = "sns"
    title = "SnsAction"
    parameters = Parameters
    service = "sns"
    complaint = "Failed to publish to SNS"

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.target_arn, parameters.role_arn)
        if parameters.message_format not in FORMATS:
            raise InvalidRequest(
                f'action "sns": messageFormat must be one of {", ".join(FORMATS)}, it is {parameters.message_format!r}'
            )
        self._topic = self.template("targetArn", parameters.target_arn)
        self._structure = {"MessageStructure": "json"} if parameters.message_format == "JSON" else {}

    def plan(self, firing: Firing) -> Plan:
        arn = filled(self._topic, firing, "targetArn", self.target)
        message = text_of(firing, self.complaint, arn)
        params = {"TargetArn": arn, "Message": message, **self._structure}
        return Plan(arn, AwsCall("Publish", params), Need("sns:Publish", arn))
