"""IAM's API of managed policies and their versions."""

from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.iam_answers import Answers, by_name, encoded, page, paged, read_tags, tags
from fogbank.identity.iam.errors import NoSuchEntity
from fogbank.identity.iam.iam import Iam
from fogbank.identity.iam.managed import AwsPolicy, aws_policies
from fogbank.identity.iam.records import Policy, key_of


class IamPoliciesApi:
    """CreatePolicy to ListEntitiesForPolicy of botocore's `iam` model."""

    def __init__(self, iam: Iam) -> None:
        self._policies = iam.policies
        self._users = iam.users
        self._roles = iam.roles
        self._answers = Answers(iam.policies)

    @operation("iam", "CreatePolicy")
    async def create_policy(self, call: Call) -> Members:
        params = call.params
        policy = await self._policies.create(
            params["PolicyName"],
            params["PolicyDocument"],
            path=params.get("Path", "/"),
            description=params.get("Description"),
            tags=read_tags(params),
        )
        return {"Policy": await self._answers.policy(policy)}

    @operation("iam", "GetPolicy")
    async def get_policy(self, call: Call) -> Members:
        return {"Policy": await self._answers.policy(await self._policies.get(call.params["PolicyArn"]))}

    @operation("iam", "ListPolicies")
    async def list_policies(self, call: Call) -> Members:
        params = call.params
        scope, prefix = params.get("Scope", "All"), params.get("PathPrefix", "/")
        listed: list[Policy | AwsPolicy] = []
        if scope != "AWS":
            listed += await self._policies.all()
        if scope != "Local":
            listed += aws_policies().values()
        listed = [one for one in listed if one.path.startswith(prefix)]
        if params.get("OnlyAttached"):
            listed = [one for one in listed if (await self._policies.used(_reference(one)))[0]]
        found = page(params, listed, lambda one: f"{by_name(one)} {one.id}")  # two may have one name
        return paged("Policies", found, [await self._answers.policy(one, whole=False) for one in found.items])

    @operation("iam", "DeletePolicy")
    async def delete_policy(self, call: Call) -> Members:
        await self._policies.delete(call.params["PolicyArn"])
        return {}

    @operation("iam", "TagPolicy")
    async def tag_policy(self, call: Call) -> Members:
        await self._policies.tag(call.params["PolicyArn"], read_tags(call.params))
        return {}

    @operation("iam", "UntagPolicy")
    async def untag_policy(self, call: Call) -> Members:
        await self._policies.tag(call.params["PolicyArn"], {}, tuple(call.params["TagKeys"]))
        return {}

    @operation("iam", "ListPolicyTags")
    async def list_policy_tags(self, call: Call) -> Members:
        policy = (await self._policies.stored(call.params["PolicyArn"])).value
        found = page(call.params, policy.tags.items(), lambda one: one[0])
        return paged("Tags", found, tags(dict(found.items)))

    @operation("iam", "ListEntitiesForPolicy")
    async def list_entities_for_policy(self, call: Call) -> Members:
        params = call.params
        reference = key_of(_reference(await self._policies.get(params["PolicyArn"])))
        wanted = params.get("EntityFilter")
        users = await self._users.all() if wanted in (None, "User") else []
        roles = await self._roles.all() if wanted in (None, "Role") else []
        held = [one for one in (*users, *roles) if reference in map(key_of, one.attached)]
        found = page(params, held, lambda one: f"{by_name(one)}/{one.id}")
        shown = {one.id for one in found.items}
        answer = paged("PolicyGroups", found, [])
        answer["PolicyUsers"] = [{"UserName": one.name, "UserId": one.id} for one in users if one.id in shown]
        answer["PolicyRoles"] = [{"RoleName": one.name, "RoleId": one.id} for one in roles if one.id in shown]
        return answer

    # --- versions ---------------------------------------------------------------------------------------------------

    @operation("iam", "CreatePolicyVersion")
    async def create_policy_version(self, call: Call) -> Members:
        arn, document = call.params["PolicyArn"], call.params["PolicyDocument"]
        number = await self._policies.create_version(arn, document, default=bool(call.params.get("SetAsDefault")))
        policy, number = await self._policies.version(arn, f"v{number}")
        return {"PolicyVersion": _version(policy, number)}

    @operation("iam", "GetPolicyVersion")
    async def get_policy_version(self, call: Call) -> Members:
        arn, version = call.params["PolicyArn"], call.params["VersionId"]
        policy = await self._policies.get(arn)
        if isinstance(policy, AwsPolicy):
            if version != policy.version:
                raise NoSuchEntity(f"Policy {arn} version {version} does not exist or is not attachable.")
            return {"PolicyVersion": _aws_version(policy) | {"Document": encoded(policy.document)}}
        policy, number = await self._policies.version(arn, version)
        return {"PolicyVersion": _version(policy, number) | {"Document": encoded(policy.versions[number].document)}}

    @operation("iam", "ListPolicyVersions")
    async def list_policy_versions(self, call: Call) -> Members:
        policy = await self._policies.get(call.params["PolicyArn"])
        if isinstance(policy, AwsPolicy):
            return {"Versions": [_aws_version(policy)], "IsTruncated": False}
        found = page(call.params, policy.versions, lambda number: f"{10**9 - number}")  # the newest first
        return paged("Versions", found, [_version(policy, number) for number in found.items])

    @operation("iam", "SetDefaultPolicyVersion")
    async def set_default_policy_version(self, call: Call) -> Members:
        await self._policies.set_default(call.params["PolicyArn"], call.params["VersionId"])
        return {}

    @operation("iam", "DeletePolicyVersion")
    async def delete_policy_version(self, call: Call) -> Members:
        await self._policies.delete_version(call.params["PolicyArn"], call.params["VersionId"])
        return {}


def _reference(policy: Policy | AwsPolicy) -> str:
    return policy.name if isinstance(policy, Policy) else policy.arn


def _version(policy: Policy, number: int) -> Members:
    return {
        "VersionId": f"v{number}",
        "IsDefaultVersion": number == policy.default,
        "CreateDate": policy.versions[number].created,
    }


def _aws_version(policy: AwsPolicy) -> Members:
    return {"VersionId": policy.version, "IsDefaultVersion": True, "CreateDate": policy.created}
