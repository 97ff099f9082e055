"""IAM's entities as its API shows them, and its parameters that many operations have."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from fogbank.gateway.call import Call, Members
from fogbank.identity.iam.errors import InvalidInput, ValidationError
from fogbank.identity.iam.holders import HolderStore
from fogbank.identity.iam.managed import AwsPolicy
from fogbank.identity.iam.paging import Page, Paging
from fogbank.identity.iam.policies import Policies
from fogbank.identity.iam.records import Holder, Policy, Role, key_of

T = TypeVar("T")
H = TypeVar("H", bound=Holder)


class Answers:
    """Shows entities with the ARNs that they have."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    async def user(self, store: HolderStore[H], holder: H, *, whole: bool = True) -> Members:
        """A user; `whole` with what lists leave out."""
        return {
            "Path": holder.path,
            "UserName": holder.name,
            "UserId": holder.id,
            "Arn": store.arn(holder),
            "CreateDate": holder.created,
            **(await self._rest(holder) if whole else {}),
        }

    async def role(self, store: HolderStore[Role], holder: Role, *, whole: bool = True) -> Members:
        """A role; `whole` with what lists leave out."""
        return {
            "Path": holder.path,
            "RoleName": holder.name,
            "RoleId": holder.id,
            "Arn": store.arn(holder),
            "CreateDate": holder.created,
            "AssumeRolePolicyDocument": encoded(holder.trust),
            "Description": holder.description,
            "MaxSessionDuration": holder.max_session,
            **(await self._rest(holder) if whole else {}),
        }

    async def policy(self, policy: Policy | AwsPolicy, *, whole: bool = True) -> Members:
        """A managed policy; `whole` with what lists leave out."""
        shown: Members = {
            "PolicyName": policy.name,
            "PolicyId": policy.id,
            "Path": policy.path,
            "IsAttachable": True,
            "CreateDate": policy.created,
        }
        if isinstance(policy, Policy):
            reference = policy.name
            shown["Arn"] = self._policies.arn(policy.name, policy.path)
            shown["DefaultVersionId"] = f"v{policy.default}"
            shown["UpdateDate"] = policy.updated
            if whole:
                shown |= {"Description": policy.description, "Tags": tags(policy.tags)}
        else:
            reference = policy.arn
            shown |= {"Arn": policy.arn, "DefaultVersionId": policy.version, "UpdateDate": policy.created}
        used, bounding = await self._policies.used(reference)
        return shown | {"AttachmentCount": used, "PermissionsBoundaryUsageCount": bounding}

    async def _rest(self, holder: Holder) -> Members:
        boundary = None
        if holder.boundary is not None:
            arn = await self._policies.arn_of(holder.boundary)
            boundary = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn}
        return {"Tags": tags(holder.tags) if holder.tags else None, "PermissionsBoundary": boundary}


def encoded(document: str) -> str:
    """A policy document as IAM answers with it (API reference: URL-encoded, RFC 3986)."""
    return quote(document, safe="")


def tags(found: Mapping[str, str]) -> list[Members]:
    """Tags as IAM answers with them."""
    return [{"Key": key, "Value": value} for key, value in found.items()]


def read_tags(params: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a caller gives. Raises InvalidInput where one comes twice."""
    listed = params.get("Tags") or []
    found = {one["Key"]: one["Value"] for one in listed}
    if len(found) < len(listed):
        raise InvalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    return found


def page(params: Mapping[str, Any], listed: Iterable[T], place: Callable[[T], str]) -> Page[T]:
    """The page that the caller asks for."""
    return Paging(params.get("Marker"), params.get("MaxItems")).cut(listed, place)


def paged(name: str, found: Page[Any], items: list[Any]) -> Members:
    """A page as IAM answers with it: its items under `name`."""
    return {name: items, "IsTruncated": found.marker is not None, "Marker": found.marker}


def attached(params: Mapping[str, Any], arns: Iterable[str]) -> Members:
    """A page of the managed policies that somebody holds."""
    prefix = params.get("PathPrefix") or "/"
    under = [arn for arn in arns if arn.partition(":policy")[2].startswith(prefix)]
    found = page(params, under, lambda arn: key_of(_name(arn)))
    return paged("AttachedPolicies", found, [{"PolicyName": _name(arn), "PolicyArn": arn} for arn in found.items])


def below(params: Mapping[str, Any], listed: Iterable[H]) -> list[H]:
    """Those under the path that the caller names."""
    prefix = params.get("PathPrefix") or "/"
    return [one for one in listed if one.path.startswith(prefix)]


def by_name(holder: Holder | Policy | AwsPolicy) -> str:
    """The place in a list."""
    return key_of(holder.name)


def user_name(call: Call) -> str:
    """The user that is meant: the caller, where none is named. Raises ValidationError."""
    named = call.params.get("UserName")
    if named is None and call.caller.device is not None and ":user/" in call.caller.arn:
        named = call.caller.device.attributes.get("aws:username")
    if named is None:
        raise ValidationError("Must specify userName when calling with non-User credentials")
    return str(named)


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]
