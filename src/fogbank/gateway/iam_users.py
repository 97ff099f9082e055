"""IAM's API of users and their access keys."""

from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.iam_answers import (
    Answers,
    attached,
    below,
    by_name,
    encoded,
    page,
    paged,
    read_tags,
    tags,
    user_name,
)
from fogbank.identity.access_keys import AccessKeyRecord, Status
from fogbank.identity.iam.iam import Iam


class IamUsersApi:
    """CreateUser to DeleteAccessKey of botocore's `iam` model."""

    def __init__(self, iam: Iam) -> None:
        self._users = iam.users
        self._answers = Answers(iam.policies)

    @operation("iam", "CreateUser")
    async def create_user(self, call: Call) -> Members:
        params = call.params
        user = await self._users.make(
            params["UserName"],
            path=params.get("Path", "/"),
            tags=read_tags(params),
            boundary=params.get("PermissionsBoundary"),
        )
        return {"User": await self._answers.user(self._users, user)}

    @operation("iam", "GetUser")
    async def get_user(self, call: Call) -> Members:
        return {"User": await self._answers.user(self._users, await self._users.get(user_name(call)))}

    @operation("iam", "ListUsers")
    async def list_users(self, call: Call) -> Members:
        found = page(call.params, below(call.params, await self._users.all()), by_name)
        shown = [await self._answers.user(self._users, one, whole=False) for one in found.items]
        return paged("Users", found, shown)

    @operation("iam", "DeleteUser")
    async def delete_user(self, call: Call) -> Members:
        await self._users.delete(call.params["UserName"])
        return {}

    @operation("iam", "TagUser")
    async def tag_user(self, call: Call) -> Members:
        await self._users.tag(call.params["UserName"], read_tags(call.params))
        return {}

    @operation("iam", "UntagUser")
    async def untag_user(self, call: Call) -> Members:
        await self._users.tag(call.params["UserName"], {}, tuple(call.params["TagKeys"]))
        return {}

    @operation("iam", "ListUserTags")
    async def list_user_tags(self, call: Call) -> Members:
        user = await self._users.get(call.params["UserName"])
        found = page(call.params, user.tags.items(), lambda one: one[0])
        return paged("Tags", found, tags(dict(found.items)))

    # --- access keys ------------------------------------------------------------------------------------------------

    @operation("iam", "CreateAccessKey")
    async def create_access_key(self, call: Call) -> Members:
        name = user_name(call)
        key = await self._users.create_key(name)
        return {"AccessKey": _key(key) | {"SecretAccessKey": key.secret}}

    @operation("iam", "ListAccessKeys")
    async def list_access_keys(self, call: Call) -> Members:
        found = page(call.params, await self._users.keys(user_name(call)), lambda key: key.id)
        return paged("AccessKeyMetadata", found, [_key(key) for key in found.items])

    @operation("iam", "UpdateAccessKey")
    async def update_access_key(self, call: Call) -> Members:
        await self._users.update_key(user_name(call), call.params["AccessKeyId"], Status(call.params["Status"]))
        return {}

    @operation("iam", "DeleteAccessKey")
    async def delete_access_key(self, call: Call) -> Members:
        await self._users.delete_key(user_name(call), call.params["AccessKeyId"])
        return {}

    # --- policies ---------------------------------------------------------------------------------------------------

    @operation("iam", "AttachUserPolicy")
    async def attach_user_policy(self, call: Call) -> Members:
        await self._users.attach(call.params["UserName"], call.params["PolicyArn"])
        return {}

    @operation("iam", "DetachUserPolicy")
    async def detach_user_policy(self, call: Call) -> Members:
        await self._users.detach(call.params["UserName"], call.params["PolicyArn"])
        return {}

    @operation("iam", "ListAttachedUserPolicies")
    async def list_attached_user_policies(self, call: Call) -> Members:
        return attached(call.params, await self._users.attached(call.params["UserName"]))

    @operation("iam", "PutUserPolicy")
    async def put_user_policy(self, call: Call) -> Members:
        await self._users.put_inline(call.params["UserName"], call.params["PolicyName"], call.params["PolicyDocument"])
        return {}

    @operation("iam", "GetUserPolicy")
    async def get_user_policy(self, call: Call) -> Members:
        name, policy = call.params["UserName"], call.params["PolicyName"]
        document = encoded(await self._users.inline(name, policy))
        return {"UserName": name, "PolicyName": policy, "PolicyDocument": document}

    @operation("iam", "ListUserPolicies")
    async def list_user_policies(self, call: Call) -> Members:
        user = await self._users.get(call.params["UserName"])
        found = page(call.params, user.inline, str)
        return paged("PolicyNames", found, found.items)

    @operation("iam", "DeleteUserPolicy")
    async def delete_user_policy(self, call: Call) -> Members:
        await self._users.delete_inline(call.params["UserName"], call.params["PolicyName"])
        return {}

    @operation("iam", "PutUserPermissionsBoundary")
    async def put_user_permissions_boundary(self, call: Call) -> Members:
        await self._users.bound(call.params["UserName"], call.params["PermissionsBoundary"])
        return {}

    @operation("iam", "DeleteUserPermissionsBoundary")
    async def delete_user_permissions_boundary(self, call: Call) -> Members:
        await self._users.bound(call.params["UserName"], None)
        return {}


def _key(key: AccessKeyRecord) -> Members:
    return {
        "UserName": key.user,
        "AccessKeyId": key.id,
        "Status": key.status.value,
        "CreateDate": key.created,
    }
