"""The action `cloudwatchAlarm`: set the state of a CloudWatch alarm.

Developer Guide, "CloudWatch alarms" rule action.
"""

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.aws import AwsAction, AwsCall
from fogbank.rules.actions.base import ActionFailed, Context, Firing, Need, Plan, filled

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's CloudwatchAlarmAction."""

    role_arn: str
    alarm_name: str
    state_reason: str
    state_value: str


class CloudwatchAlarmAction(AwsAction):
    """Sets the state of an alarm."""

    kind = "cloudwatchAlarm"
    title = "CloudwatchAlarmAction"
    parameters = Parameters
    service = "cloudwatch"
    complaint = "Failed to set the state of CloudWatch alarm"

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.alarm_name, parameters.role_arn)
        self._name = self.template("alarmName", parameters.alarm_name)
        self._reason = self.template("stateReason", parameters.state_reason)
        self._state = self.template("stateValue", parameters.state_value)
        if self._state.constant and parameters.state_value not in STATES:
            raise InvalidRequest(
                f'action "cloudwatchAlarm": stateValue must be one of {", ".join(STATES)}, '
                f"it is {parameters.state_value!r}"
            )

    def plan(self, firing: Firing) -> Plan:
        name = filled(self._name, firing, "alarmName", self.target)
        state = firing.render(self._state)
        if state not in STATES:
            raise ActionFailed(f"stateValue must be one of {', '.join(STATES)}, it is {state!r}", resource=name)
        params = {"AlarmName": name, "StateReason": firing.render(self._reason), "StateValue": state}
        need = Need("cloudwatch:SetAlarmState", self._arns.of("cloudwatch", f"alarm:{name}"))
        return Plan(name, AwsCall("SetAlarmState", params), need)
