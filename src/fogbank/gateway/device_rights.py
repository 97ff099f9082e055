"""What devices may do over HTTP: their IoT policies say, as they do over MQTT.

An access key of the account may do everything. A device that may not is told `Forbidden` and no more, as AWS does
(developer guide, "HTTPS"); why is in the log and in the trace, under the ID that it was told.
"""

import logging

from fogbank.arns import Arns
from fogbank.errors import Forbidden
from fogbank.gateway.call import Call, Caller
from fogbank.policy import Decision, PolicySet, connection_variables
from fogbank.policy.variables import Values
from fogbank.ports import PrincipalStore
from fogbank.trace import Trace

log = logging.getLogger(__name__)


NAMES = {"topic": "topic", "client": "client_id"}
"""Where trace events have the name of a resource, by its kind; `name`, for all others."""


class DeviceRights:
    """Holds calls of the data plane against the policies of those who make them."""

    def __init__(self, principals: PrincipalStore, arns: Arns, trace: Trace) -> None:
        """`principals` knows the policies of certificates; whoever comes by an authorizer brings its own."""
        self._principals = principals
        self._arns = arns
        self._trace = trace

    async def check(
        self,
        call: Call,
        resource: str,
        name: str = "",
        *,
        action: str | None = None,
        also: str | None = None,
        context: Values | None = None,
        kind: str,
    ) -> None:
        """Raise Forbidden where the caller is a device that may not do this to `resource` named `name`.

        The resource is the kind in its ARN (`topic`, `client`, ...), or `*`. The action is that of the operation
        unless another is given; `also` is how others call it, with its service, which will do as well. `context` has
        the condition keys of this request; `kind` is the trace event's.
        """
        caller = call.caller
        if caller.device is None:
            return
        arn = resource if resource == "*" else self._arns.iot(resource, name)
        actions = (f"iot:{action or call.operation}", *(() if also is None else (also,)))
        decision = await self._decide(caller, actions, arn, context)
        if decision.allowed:
            return
        request, reason = call.request_id, decision.reason
        log.info("request %s (%s) of %s refused: %s", request, call.operation, caller.principal, reason)
        if self._trace.active:
            about = {NAMES.get(resource, "name"): name}
            detail = {"traceId": request}
            self._trace.emit(kind, "denied", reason=reason, principal=caller.principal, detail=detail, **about)
        raise Forbidden("Forbidden")

    async def _decide(self, caller: Caller, actions: tuple[str, ...], arn: str, context: Values | None) -> Decision:
        """One of the actions must be allowed, and none denied. Over HTTP a device stands for no thing (developer guide,
        thing-policy-variables)."""
        assert caller.device is not None
        grant = await (caller.principals or self._principals).grant(caller.device, None)
        variables = connection_variables(caller.device, source_ip=caller.source_ip, domain_name=caller.server_name)
        policies = PolicySet.compile(grant.policies).bind(variables)
        decisions = [policies.decide(action, arn, context) for action in actions]
        denials = [one for one in decisions if not one.allowed and one.statement is not None]
        return next(iter(denials or [one for one in decisions if one.allowed] or decisions))
