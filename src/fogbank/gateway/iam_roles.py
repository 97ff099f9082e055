"""IAM's API of roles."""

from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.iam_answers import Answers, attached, below, by_name, encoded, page, paged, read_tags, tags
from fogbank.identity.iam.iam import Iam


class IamRolesApi:
    """CreateRole to DeleteRolePermissionsBoundary of botocore's `iam` model."""

    def __init__(self, iam: Iam) -> None:
        self._roles = iam.roles
        self._answers = Answers(iam.policies)

    @operation("iam", "CreateRole")
    async def create_role(self, call: Call) -> Members:
        params = call.params
        role = await self._roles.make(
            params["RoleName"],
            params["AssumeRolePolicyDocument"],
            path=params.get("Path", "/"),
            description=params.get("Description"),
            max_session=params.get("MaxSessionDuration", 3600),
            tags=read_tags(params),
            boundary=params.get("PermissionsBoundary"),
        )
        return {"Role": await self._answers.role(self._roles, role)}

    @operation("iam", "GetRole")
    async def get_role(self, call: Call) -> Members:
        role = await self._roles.get(call.params["RoleName"])
        return {"Role": await self._answers.role(self._roles, role)}

    @operation("iam", "ListRoles")
    async def list_roles(self, call: Call) -> Members:
        found = page(call.params, below(call.params, await self._roles.all()), by_name)
        shown = [await self._answers.role(self._roles, one, whole=False) for one in found.items]
        return paged("Roles", found, shown)

    @operation("iam", "UpdateAssumeRolePolicy")
    async def update_assume_role_policy(self, call: Call) -> Members:
        await self._roles.update_trust(call.params["RoleName"], call.params["PolicyDocument"])
        return {}

    @operation("iam", "UpdateRole")
    async def update_role(self, call: Call) -> Members:
        await self._update(call)
        return {}

    @operation("iam", "UpdateRoleDescription")
    async def update_role_description(self, call: Call) -> Members:
        return {"Role": await self._update(call)}

    @operation("iam", "DeleteRole")
    async def delete_role(self, call: Call) -> Members:
        await self._roles.delete(call.params["RoleName"])
        return {}

    @operation("iam", "TagRole")
    async def tag_role(self, call: Call) -> Members:
        await self._roles.tag(call.params["RoleName"], read_tags(call.params))
        return {}

    @operation("iam", "UntagRole")
    async def untag_role(self, call: Call) -> Members:
        await self._roles.tag(call.params["RoleName"], {}, tuple(call.params["TagKeys"]))
        return {}

    @operation("iam", "ListRoleTags")
    async def list_role_tags(self, call: Call) -> Members:
        role = await self._roles.get(call.params["RoleName"])
        found = page(call.params, role.tags.items(), lambda one: one[0])
        return paged("Tags", found, tags(dict(found.items)))

    @operation("iam", "ListInstanceProfilesForRole")
    async def list_instance_profiles_for_role(self, call: Call) -> Members:
        """There are no instances here, and so no profiles; tools ask before they delete a role."""
        await self._roles.get(call.params["RoleName"])
        return {"InstanceProfiles": [], "IsTruncated": False}

    # --- policies ---------------------------------------------------------------------------------------------------

    @operation("iam", "AttachRolePolicy")
    async def attach_role_policy(self, call: Call) -> Members:
        await self._roles.attach(call.params["RoleName"], call.params["PolicyArn"])
        return {}

    @operation("iam", "DetachRolePolicy")
    async def detach_role_policy(self, call: Call) -> Members:
        await self._roles.detach(call.params["RoleName"], call.params["PolicyArn"])
        return {}

    @operation("iam", "ListAttachedRolePolicies")
    async def list_attached_role_policies(self, call: Call) -> Members:
        return attached(call.params, await self._roles.attached(call.params["RoleName"]))

    @operation("iam", "PutRolePolicy")
    async def put_role_policy(self, call: Call) -> Members:
        await self._roles.put_inline(call.params["RoleName"], call.params["PolicyName"], call.params["PolicyDocument"])
        return {}

    @operation("iam", "GetRolePolicy")
    async def get_role_policy(self, call: Call) -> Members:
        name, policy = call.params["RoleName"], call.params["PolicyName"]
        document = encoded(await self._roles.inline(name, policy))
        return {"RoleName": name, "PolicyName": policy, "PolicyDocument": document}

    @operation("iam", "ListRolePolicies")
    async def list_role_policies(self, call: Call) -> Members:
        role = await self._roles.get(call.params["RoleName"])
        found = page(call.params, role.inline, str)
        return paged("PolicyNames", found, found.items)

    @operation("iam", "DeleteRolePolicy")
    async def delete_role_policy(self, call: Call) -> Members:
        await self._roles.delete_inline(call.params["RoleName"], call.params["PolicyName"])
        return {}

    @operation("iam", "PutRolePermissionsBoundary")
    async def put_role_permissions_boundary(self, call: Call) -> Members:
        await self._roles.bound(call.params["RoleName"], call.params["PermissionsBoundary"])
        return {}

    @operation("iam", "DeleteRolePermissionsBoundary")
    async def delete_role_permissions_boundary(self, call: Call) -> Members:
        await self._roles.bound(call.params["RoleName"], None)
        return {}

    async def _update(self, call: Call) -> Members:
        params = call.params
        role = await self._roles.update(
            params["RoleName"], description=params.get("Description"), max_session=params.get("MaxSessionDuration")
        )
        return await self._answers.role(self._roles, role)
