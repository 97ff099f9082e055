"""The IoT API that tells which policies are in effect and what they come to, before a device finds out."""

from collections.abc import Iterable, Mapping
from typing import Any

from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.constraints import refuse_unsupported
from fogbank.registry.effective import Verdict
from fogbank.registry.registry import Registry
from fogbank.registry.targets import Holder, holder_of

_ACTIONS = {
    "CONNECT": "iot:Connect",
    "PUBLISH": "iot:Publish",
    "SUBSCRIBE": "iot:Subscribe",
    "RECEIVE": "iot:Receive",
}


class IotAuthorizationApi:
    """GetEffectivePolicies and TestAuthorization."""

    def __init__(self, registry: Registry) -> None:
        self._effective = registry.effective_policies
        self._policy_arn = registry.policies.arn
        self._arns = registry.arns

    @operation("iot", "GetEffectivePolicies")
    async def get_effective_policies(self, call: Call) -> Members:
        holder = self._holder("GetEffectivePolicies", call.params)
        found = await self._effective.of(holder, call.params.get("thingName"))
        return {"effectivePolicies": [{**self._reference(one.name), "policyDocument": one.document} for one in found]}

    @operation("iot", "TestAuthorization")
    async def test_authorization(self, call: Call) -> Members:
        asked = call.params["authInfos"]
        verdicts = await self._effective.test(
            self._holder("TestAuthorization", call.params),
            call.params.get("clientId"),
            [(_ACTIONS[one.get("actionType") or "CONNECT"], one["resources"]) for one in asked],
            add=call.params.get("policyNamesToAdd") or (),
            skip=call.params.get("policyNamesToSkip") or (),
        )
        return {"authResults": [self._result(info, verdict) for info, verdict in zip(asked, verdicts, strict=True)]}

    def _holder(self, name: str, params: Mapping[str, Any]) -> Holder | None:
        refuse_unsupported(name, cognitoIdentityPoolId=params.get("cognitoIdentityPoolId"))
        principal = params.get("principal")
        return None if principal is None else holder_of(principal, self._arns)

    def _result(self, info: Members, verdict: Verdict) -> Members:
        decision = "ALLOWED" if verdict.allowed else "EXPLICIT_DENY" if verdict.denying else "IMPLICIT_DENY"
        return {
            "authInfo": info,
            "allowed": {"policies": self._references(verdict.allowing)},
            "denied": {
                "implicitDeny": {"policies": self._references(verdict.silent)},
                "explicitDeny": {"policies": self._references(verdict.denying)},
            },
            "authDecision": decision,
            "missingContextValues": list(verdict.absent),
        }

    def _references(self, names: Iterable[str]) -> list[Members]:
        return [self._reference(name) for name in names]

    def _reference(self, name: str) -> Members:
        return {"policyName": name, "policyArn": self._policy_arn(name)}
