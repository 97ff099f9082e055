"""The action `stepFunctions`: start an execution of a state machine with the result of SELECT as its input.

Developer Guide, "Step Functions" rule action. The execution's name is the prefix and a UUID, so that a further try of
the same firing does not start a second one.
"""

from uuid import uuid4

import msgspec

from fogbank.rules.actions.aws import AwsAction, AwsCall, text_of
from fogbank.rules.actions.base import Context, Firing, Need, Plan, filled


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's StepFunctionsAction."""

    state_machine_name: str
    role_arn: str
    execution_name_prefix: str | None = None


class StepFunctionsAction(AwsAction):
    """Starts executions."""

    kind = "stepFunctions"
    title = "StepFunctionsAction"
    parameters = Parameters
    service = "stepfunctions"
    complaint = "Failed to start Step Functions execution"

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.state_machine_name, parameters.role_arn)
        self._machine = self.template("stateMachineName", parameters.state_machine_name)
        self._prefix = self.template("executionNamePrefix", parameters.execution_name_prefix or "")

    def plan(self, firing: Firing) -> Plan:
        name = filled(self._machine, firing, "stateMachineName", self.target)
        arn = self._arns.of("states", f"stateMachine:{name}")
        params = {
            "stateMachineArn": arn,
            "name": f"{firing.render(self._prefix)}{uuid4()}",
            "input": text_of(firing, self.complaint, name),
        }
        return Plan(name, AwsCall("StartExecution", params), Need("states:StartExecution", arn))
