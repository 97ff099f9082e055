"""IAM's API of the policy simulator."""

from collections.abc import Mapping, Sequence
from typing import Any

from fogbank.errors import NotImplementedByFogbank
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.iam_answers import page, paged
from fogbank.identity.iam.holders import BOUNDARY
from fogbank.identity.iam.iam import Iam
from fogbank.identity.iam.simulation import Outcome, Simulator, handed_in, simulate
from fogbank.ports import PolicyDocument

_NOT_YET = ("ResourcePolicy", "ResourceOwner", "CallerArn", "ResourceHandlingOption")


class IamSimulationApi:
    """SimulatePrincipalPolicy and SimulateCustomPolicy of botocore's `iam` model."""

    def __init__(self, iam: Iam) -> None:
        self._simulator = Simulator(iam.users, iam.roles)

    @operation("iam", "SimulatePrincipalPolicy")
    async def simulate_principal_policy(self, call: Call) -> Members:
        held = await self._simulator.held_by(call.params["PolicySourceArn"])
        if call.params.get("PermissionsBoundaryPolicyInputList"):  # takes the place of the boundary that is there
            held = tuple(one for one in held if one.limit is None)
        return _simulated(call, held)

    @operation("iam", "SimulateCustomPolicy")
    async def simulate_custom_policy(self, call: Call) -> Members:
        return _simulated(call, ())


def _simulated(call: Call, held: tuple[PolicyDocument, ...]) -> Members:
    params = call.params
    for name in _NOT_YET:
        if params.get(name):
            raise NotImplementedByFogbank(f"Fogbank does not implement {name} of iam:{call.operation} yet.")
    given = handed_in(params.get("PolicyInputList") or (), "PolicyInputList")
    bounding = handed_in(
        params.get("PermissionsBoundaryPolicyInputList") or (), "PermissionsBoundaryPolicyInputList", BOUNDARY
    )
    outcomes = simulate(
        (*held, *given, *bounding), params["ActionNames"], params.get("ResourceArns") or ("*",), _context(params)
    )
    found = page(params, enumerate(outcomes), lambda one: f"{one[0]:09}")
    return paged("EvaluationResults", found, [_shown(outcome) for _, outcome in found.items])


def _context(params: Mapping[str, Any]) -> dict[str, str | Sequence[str]]:
    entries = params.get("ContextEntries") or ()
    return {
        one["ContextKeyName"]: tuple(one.get("ContextKeyValues") or ()) for one in entries if "ContextKeyName" in one
    }


def _shown(outcome: Outcome) -> Members:
    bounded = outcome.within_boundary
    return {
        "EvalActionName": outcome.action,
        "EvalResourceName": outcome.resource,
        "EvalDecision": outcome.decision,
        "MatchedStatements": [{"SourcePolicyId": name, "SourcePolicyType": "IAM Policy"} for name in outcome.policies],
        "MissingContextValues": list(outcome.missing),
        "PermissionsBoundaryDecisionDetail": None if bounded is None else {"AllowedByPermissionsBoundary": bounded},
    }
