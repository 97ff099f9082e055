"""The action `lambda`: invoke a function with the result of SELECT as its event, and do not wait for its answer.

Developer Guide, "Lambda" rule action: the invocation is asynchronous; its rights come from the function's resource
policy (principal `iot.amazonaws.com`, source ARN of the rule, source account), not from a role.
"""

import re
from collections.abc import Sequence

import msgspec

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, ServiceError
from fogbank.ports import InvocationType, Invoker, ServiceCaller
from fogbank.rules.actions.base import (
    ActionFailed,
    Context,
    Firing,
    Plan,
    Results,
    SingleAction,
    filled,
    is_transient,
    read_parameters,
)
from fogbank.rules.templates import Template

KIND = "lambda"

_ARN = re.compile(r"arn:[a-z-]+:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:[\w-]+(:[\w$-]+)?", re.ASCII)


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's LambdaAction."""

    function_arn: str


class LambdaAction(SingleAction):
    """Invokes a function asynchronously."""

    kind = KIND
    title = "LambdaAction"

    def __init__(self, function: Template, invoker: Invoker, caller: ServiceCaller) -> None:
        super().__init__(function.text, role=None)
        self._function = function
        self._invoker = invoker
        self._caller = caller

    @classmethod
    def make(cls, members: object, context: Context) -> "LambdaAction":
        """From the API's members. Raises InvalidRequest and SqlParse."""
        parameters = read_parameters(KIND, members, Parameters)
        function = Template(parameters.function_arn, context.statement, f'action "{KIND}": functionArn')
        if function.constant:
            _check_arn(parameters.function_arn, context.arns)
        arns = context.arns
        caller = ServiceCaller("iot.amazonaws.com", arns.iot("rule", context.rule), arns.account)
        return cls(function, context.invoker, caller)

    def plan(self, firing: Firing) -> Plan:
        return Plan(filled(self._function, firing, "functionArn", self.target), firing.output)

    async def perform(self, plans: Sequence[Plan]) -> Results:
        [plan] = plans
        try:
            await self._invoker.invoke(plan.resource, plan.request, type_=InvocationType.EVENT, caller=self._caller)
        except ServiceError as error:
            # The first words are those of the guide's sample, which says "Server error" of a 403 too.
            raise ActionFailed(
                "Failed to invoke lambda function. Received Server error from Lambda. "
                f"The error code is {error.status}: {error.message}",
                resource=plan.resource,
                transient=is_transient(error),
            ) from error
        return [None]


def _check_arn(arn: str, arns: Arns) -> None:
    found = _ARN.fullmatch(arn)
    if found is None:
        raise InvalidRequest(f'action "{KIND}": functionArn {arn!r} is not the ARN of a function, version or alias')
    if (found["region"], found["account"]) != (arns.region, arns.account):
        raise InvalidRequest(
            f'action "{KIND}": functionArn {arn!r} is in account {found["account"]}, region {found["region"]}; '
            f"rules here reach functions of account {arns.account}, region {arns.region}"
        )
