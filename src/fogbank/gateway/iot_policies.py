"""The IoT API of policies, their versions and their targets, with the older calls that say principal for target."""

from collections.abc import Mapping
from typing import Any

from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.constraints import refuse_unsupported
from fogbank.registry.registry import Registry
from fogbank.registry.tags import checked_tags
from fogbank.storage.paging import Paging


class IotPoliciesApi:
    """CreatePolicy to DeletePolicyVersion, AttachPolicy to ListPolicyPrincipals."""

    def __init__(self, registry: Registry) -> None:
        self._policies = registry.policies
        self._attachments = registry.policy_attachments

    @operation("iot", "CreatePolicy")
    async def create_policy(self, call: Call) -> Members:
        policy = await self._policies.create(
            call.params["policyName"], call.params["policyDocument"], tags=checked_tags(call.params.get("tags"))
        )
        return {
            "policyName": policy.name,
            "policyArn": self._policies.arn(policy.name),
            "policyDocument": policy.document,
            "policyVersionId": str(policy.default),
        }

    @operation("iot", "GetPolicy")
    async def get_policy(self, call: Call) -> Members:
        policy = await self._policies.describe(call.params["policyName"])
        return {
            "policyName": policy.name,
            "policyArn": self._policies.arn(policy.name),
            "policyDocument": policy.document,
            "defaultVersionId": str(policy.default),
            "creationDate": policy.created,
            "lastModifiedDate": policy.modified,
            "generationId": policy.versions[policy.default].generation,
        }

    @operation("iot", "ListPolicies")
    async def list_policies(self, call: Call) -> Members:
        page = await self._policies.page(_paging(call.params), ascending=bool(call.params.get("ascendingOrder")))
        return {"policies": [self._reference(policy.name) for policy in page.items], "nextMarker": page.next}

    @operation("iot", "DeletePolicy")
    async def delete_policy(self, call: Call) -> Members:
        await self._policies.delete(call.params["policyName"])
        return {}

    @operation("iot", "CreatePolicyVersion")
    async def create_policy_version(self, call: Call) -> Members:
        name, document = call.params["policyName"], call.params["policyDocument"]
        default = bool(call.params.get("setAsDefault"))
        number = await self._policies.create_version(name, document, default=default)
        return {
            "policyArn": self._policies.arn(name),
            "policyDocument": document,
            "policyVersionId": str(number),
            "isDefaultVersion": default,
        }

    @operation("iot", "GetPolicyVersion")
    async def get_policy_version(self, call: Call) -> Members:
        policy, number = await self._policies.version(call.params["policyName"], call.params["policyVersionId"])
        version = policy.versions[number]
        return {
            "policyArn": self._policies.arn(policy.name),
            "policyName": policy.name,
            "policyDocument": version.document,
            "policyVersionId": str(number),
            "isDefaultVersion": number == policy.default,
            "creationDate": version.created,
            "lastModifiedDate": version.created,
            "generationId": version.generation,
        }

    @operation("iot", "ListPolicyVersions")
    async def list_policy_versions(self, call: Call) -> Members:
        policy = await self._policies.describe(call.params["policyName"])
        versions = [
            {"versionId": str(number), "isDefaultVersion": number == policy.default, "createDate": version.created}
            for number, version in sorted(policy.versions.items(), reverse=True)
        ]
        return {"policyVersions": versions}

    @operation("iot", "SetDefaultPolicyVersion")
    async def set_default_policy_version(self, call: Call) -> Members:
        await self._policies.set_default(call.params["policyName"], call.params["policyVersionId"])
        return {}

    @operation("iot", "DeletePolicyVersion")
    async def delete_policy_version(self, call: Call) -> Members:
        await self._policies.delete_version(call.params["policyName"], call.params["policyVersionId"])
        return {}

    @operation("iot", "AttachPolicy")
    async def attach_policy(self, call: Call) -> Members:
        await self._attachments.attach(call.params["policyName"], call.params["target"])
        return {}

    @operation("iot", "DetachPolicy")
    async def detach_policy(self, call: Call) -> Members:
        await self._attachments.detach(call.params["policyName"], call.params["target"])
        return {}

    @operation("iot", "ListAttachedPolicies")
    async def list_attached_policies(self, call: Call) -> Members:
        """`recursive` asks for the policies of parent groups too; a certificate has no parents."""
        recursive = bool(call.params.get("recursive"))
        return await self._policies_of(call.params["target"], call.params, recursive=recursive)

    @operation("iot", "ListTargetsForPolicy")
    async def list_targets_for_policy(self, call: Call) -> Members:
        page = await self._attachments.targets(call.params["policyName"], _paging(call.params))
        return {"targets": page.items, "nextMarker": page.next}

    @operation("iot", "AttachPrincipalPolicy")
    async def attach_principal_policy(self, call: Call) -> Members:
        await self._attachments.attach(call.params["policyName"], call.params["principal"])
        return {}

    @operation("iot", "DetachPrincipalPolicy")
    async def detach_principal_policy(self, call: Call) -> Members:
        await self._attachments.detach(call.params["policyName"], call.params["principal"])
        return {}

    @operation("iot", "ListPrincipalPolicies")
    async def list_principal_policies(self, call: Call) -> Members:
        refuse_unsupported("ListPrincipalPolicies", ascendingOrder=call.params.get("ascendingOrder"))
        return await self._policies_of(call.params["principal"], call.params)

    @operation("iot", "ListPolicyPrincipals")
    async def list_policy_principals(self, call: Call) -> Members:
        refuse_unsupported("ListPolicyPrincipals", ascendingOrder=call.params.get("ascendingOrder"))
        page = await self._attachments.targets(call.params["policyName"], _paging(call.params))
        return {"principals": page.items, "nextMarker": page.next}

    async def _policies_of(self, target: str, params: Mapping[str, Any], *, recursive: bool = False) -> Members:
        page = await self._attachments.of_target(target, _paging(params), recursive=recursive)
        return {"policies": [self._reference(name) for name in page.items], "nextMarker": page.next}

    def _reference(self, name: str) -> Members:
        return {"policyName": name, "policyArn": self._policies.arn(name)}


def _paging(params: Mapping[str, Any]) -> Paging:
    return Paging(params.get("marker"), params.get("pageSize"))
