"""Which resources an operation of the control plane is about: what policies of users and sessions are held against.

A table by operation for each service, as AWS's service authorization reference has it ("Actions, resources, and
condition keys for AWS IoT", "... AWS Lambda", "... IAM"). An operation that is not in it, or whose request names none
of its resources, is about `*`, which only policies for `*` allow: what is forgotten here is refused, not let through.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fogbank.arns import Arns
from fogbank.functions.names import parse as parse_function
from fogbank.gateway.call import Members
from fogbank.identity.iam.iam import Iam
from fogbank.identity.iam.records import Holder
from fogbank.registry.tags import header_tags

EVERYTHING = ("*",)
RESOURCE_TAG = "aws:ResourceTag/"

_IOT: Mapping[str, str] = {
    "thing": """AddThingToBillingGroup AddThingToThingGroup CancelJobExecution CreateThing DeleteJobExecution
        DeleteThing DescribeJobExecution DescribeThing GetThingConnectivityData ListJobExecutionsForThing
        ListThingGroupsForThing ListThingPrincipals ListThingPrincipalsV2 RemoveThingFromBillingGroup
        RemoveThingFromThingGroup UpdateThing UpdateThingGroupsForThing""",
    "thinggroup": """AddThingToThingGroup CreateDynamicThingGroup CreateThingGroup DeleteDynamicThingGroup
        DeleteThingGroup DescribeThingGroup ListThingsInThingGroup RemoveThingFromThingGroup UpdateDynamicThingGroup
        UpdateThingGroup UpdateThingGroupsForThing""",
    "billinggroup": """AddThingToBillingGroup CreateBillingGroup CreateThing DeleteBillingGroup DescribeBillingGroup
        ListThingsInBillingGroup RemoveThingFromBillingGroup UpdateBillingGroup""",
    "thingtype": "CreateThingType DeleteThingType DeprecateThingType DescribeThingType UpdateThingType",
    "policy": """CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion
        ListPolicyVersions ListTargetsForPolicy SetDefaultPolicyVersion""",
    "cert": """AcceptCertificateTransfer CancelCertificateTransfer DeleteCertificate DescribeCertificate
        RejectCertificateTransfer TransferCertificate UpdateCertificate""",
    "cacert": "DeleteCACertificate DescribeCACertificate UpdateCACertificate",
    "rule": "CreateTopicRule DeleteTopicRule DisableTopicRule EnableTopicRule GetTopicRule ReplaceTopicRule",
    "authorizer": """CreateAuthorizer DeleteAuthorizer DescribeAuthorizer SetDefaultAuthorizer TestInvokeAuthorizer
        UpdateAuthorizer""",
    "domainconfiguration": """CreateDomainConfiguration DeleteDomainConfiguration DescribeDomainConfiguration
        UpdateDomainConfiguration""",
    "rolealias": "CreateRoleAlias DeleteRoleAlias DescribeRoleAlias UpdateRoleAlias",
    "provisioningtemplate": """CreateProvisioningClaim CreateProvisioningTemplate CreateProvisioningTemplateVersion
        DeleteProvisioningTemplate DeleteProvisioningTemplateVersion DescribeProvisioningTemplate
        DescribeProvisioningTemplateVersion ListProvisioningTemplateVersions UpdateProvisioningTemplate""",
    "job": """AssociateTargetsWithJob CancelJob CancelJobExecution CreateJob DeleteJob DeleteJobExecution DescribeJob
        DescribeJobExecution GetJobDocument ListJobExecutionsForJob UpdateJob""",
    "jobtemplate": "CreateJobTemplate DeleteJobTemplate DescribeJobTemplate",
    "stream": "CreateStream DeleteStream DescribeStream UpdateStream",
    "index": """CreateDynamicThingGroup CreateFleetMetric DescribeIndex GetBucketsAggregation GetCardinality
        GetPercentiles GetStatistics SearchIndex UpdateDynamicThingGroup UpdateFleetMetric""",
    "fleetmetric": "CreateFleetMetric DeleteFleetMetric DescribeFleetMetric UpdateFleetMetric",
}
"""Operations of IoT by the kind of resource that they name."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    "thing": ("thingName", "thingArn"),
    "thinggroup": ("thingGroupName", "thingGroupArn", "thingGroupsToAdd", "thingGroupsToRemove"),
    "billinggroup": ("billingGroupName", "billingGroupArn"),
    "thingtype": ("thingTypeName",),
    "policy": ("policyName",),
    "cert": ("certificateId",),
    "cacert": ("certificateId", "caCertificateId"),
    "rule": ("ruleName",),
    "authorizer": ("authorizerName",),
    "domainconfiguration": ("domainConfigurationName",),
    "rolealias": ("roleAlias",),
    "provisioningtemplate": ("templateName",),
    "job": ("jobId",),
    "jobtemplate": ("jobTemplateId",),
    "stream": ("streamId",),
    "index": ("indexName",),
    "fleetmetric": ("metricName",),
}
"""The members of requests that name a resource of a kind, or are its ARN."""

_DEFAULT_INDEX = "AWS_Things"

_IOT_TARGETS: Mapping[str, tuple[str, ...]] = {
    "AttachPolicy": ("target",),
    "DetachPolicy": ("target",),
    "AttachPrincipalPolicy": ("principal",),
    "DetachPrincipalPolicy": ("principal",),
    "AttachThingPrincipal": ("principal",),
    "DetachThingPrincipal": ("principal",),
    "ListPrincipalThings": ("principal",),
    "ListPrincipalThingsV2": ("principal",),
    "GetEffectivePolicies": ("principal",),
    "TestAuthorization": ("principal",),
    "AssociateTargetsWithJob": ("targets",),
    "CreateJob": ("targets", "jobTemplateArn", "destinationPackageVersions"),
    "CreateJobTemplate": ("jobArn", "destinationPackageVersions"),
    "DeleteTopicRuleDestination": ("arn",),
    "GetTopicRuleDestination": ("arn",),
    "UpdateTopicRuleDestination": ("arn",),
    "ListTagsForResource": ("resourceArn",),
    "TagResource": ("resourceArn",),
    "UntagResource": ("resourceArn",),
}
"""Members that are ARNs themselves."""

_IOT_ARN = re.compile(r"arn:aws[\w-]*:iot:[\w-]*:\d*:\S+")

_LAMBDA_ACTIONS: Mapping[str, str] = {
    "Invoke": "InvokeFunction",
    "InvokeWithResponseStream": "InvokeFunction",
}

_IAM_NOBODY = frozenset({"ListPolicies"})
_IAM_LISTS: Mapping[str, str] = {"ListUsers": "user", "ListRoles": "role"}
_IAM_OWN = frozenset({"GetUser", "CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey"})
"""Operations that are about the caller where they name no user."""


class Asked(msgspec.Struct, frozen=True):
    """What policies are asked: the action, the resources, and the condition keys of the request."""

    action: str
    resources: tuple[str, ...]
    context: Mapping[str, str | Sequence[str]] = {}


class Resources:
    """Reads requests of one instance."""

    def __init__(self, arns: Arns, iam: Iam) -> None:
        self._arns = arns
        self._iam = iam
        self._kinds: dict[str, list[str]] = {}
        for kind, operations in _IOT.items():
            for operation in operations.split():
                self._kinds.setdefault(operation, []).append(kind)
        self._readers: Mapping[str, Callable[[str, Members, str], Awaitable[tuple[str, ...]]]] = {
            "iot": self._iot,
            "lambda": self._lambda,
            "iam": self._of_iam,
            "sts": self._sts,
        }

    async def asked(self, service: str, operation: str, params: Members, caller_arn: str) -> Asked:
        """What a request asks for. Raises ServiceError where it names what cannot be."""
        action = f"{service}:{_LAMBDA_ACTIONS.get(operation, operation) if service == 'lambda' else operation}"
        reader = self._readers.get(service)
        found = () if reader is None else await reader(operation, params, caller_arn)
        context = _context(service, params)
        if service == "iam":
            context = {**await self._of_holder(params), **context}
        elif service == "iot":
            context |= self._of_iot(operation, params)
        return Asked(action, tuple(dict.fromkeys(found)) or EVERYTHING, context)

    async def _iot(self, operation: str, params: Members, caller_arn: str) -> tuple[str, ...]:
        found = [
            # a name may well begin as an ARN does ("arn:x"): it is one all the same
            value if member.endswith("Arn") else self._arns.iot(kind, value)
            for kind in self._kinds.get(operation, ())
            for member in _NAMES[kind]
            for value in _listed(params.get(member))
        ]
        if not params.get("indexName") and "index" in self._kinds.get(operation, ()):
            found.append(self._arns.iot("index", _DEFAULT_INDEX))
        for member in _IOT_TARGETS.get(operation, ()):
            # a Cognito identity has no ARN, and so is nothing that a policy could name
            found += [value if _IOT_ARN.fullmatch(value) else "*" for value in _listed(params.get(member))]
        return tuple(found)

    async def _lambda(self, operation: str, params: Members, caller_arn: str) -> tuple[str, ...]:
        found = []
        if params.get("FunctionName"):
            name = parse_function(params["FunctionName"], self._arns, params.get("Qualifier"))
            found.append(self._arns.function(name.name, name.qualifier))
        if params.get("UUID"):
            found.append(self._arns.of("lambda", f"event-source-mapping:{params['UUID']}"))
        if operation in ("ListTags", "TagResource", "UntagResource"):
            found.append(params["Resource"])
        return tuple(found)

    async def _of_iam(self, operation: str, params: Members, caller_arn: str) -> tuple[str, ...]:
        users, roles, policies = self._iam.users, self._iam.roles, self._iam.policies
        path = params.get("Path") or "/"
        if operation in _IAM_LISTS:
            prefix = params.get("PathPrefix") or "/"
            return (f"arn:{self._arns.partition}:iam::{self._arns.account}:{_IAM_LISTS[operation]}{prefix}",)
        if operation == "CreatePolicy":
            return (policies.arn(params["PolicyName"], path),)
        if (name := params.get("UserName")) is not None:
            user = await users.find(name)
            return (users.arn_at(path, name) if user is None else users.arn(user),)
        if (name := params.get("RoleName")) is not None:
            role = await roles.find(name)
            return (roles.arn_at(path, name) if role is None else roles.arn(role),)
        if operation in _IAM_OWN and ":user/" in caller_arn:
            return (caller_arn,)
        named = params.get("PolicyArn") or params.get("PolicySourceArn")
        return (named,) if named and operation not in _IAM_NOBODY else ()

    async def _of_holder(self, params: Members) -> dict[str, str]:
        """Condition keys of the user or role that a request is about: its tags, and the policy that bounds it."""
        user, role = params.get("UserName"), params.get("RoleName")
        if user is not None:
            holder: Holder | None = await self._iam.users.find(user)
        else:
            holder = None if role is None else await self._iam.roles.find(role)
        if holder is None:
            return {}
        prefixes = (RESOURCE_TAG, "iam:ResourceTag/")
        context = {f"{prefix}{key}": value for key, value in holder.tags.items() for prefix in prefixes}
        if holder.boundary is not None:
            context["iam:PermissionsBoundary"] = await self._iam.policies.arn_of(holder.boundary)
        return context

    def _of_iot(self, operation: str, params: Members) -> dict[str, str]:
        """Condition keys of single operations."""
        if operation in ("AttachThingPrincipal", "DetachThingPrincipal"):
            return {"iot:thingArn": self._arns.iot("thing", params["thingName"])}
        if operation == "CreateDomainConfiguration" and params.get("domainName"):
            return {"iot:DomainName": params["domainName"]}
        return {}

    async def _sts(self, operation: str, params: Members, caller_arn: str) -> tuple[str, ...]:
        return (params["RoleArn"],) if "RoleArn" in params else ()


def roles_in(value: Any) -> Iterator[str]:
    """The ARNs of roles that a request hands to a service, wherever they stand in it."""
    if isinstance(value, dict):
        for member, inner in value.items():
            if isinstance(inner, str):
                if member.lower().endswith(("rolearn", "role")) and inner.startswith("arn:"):
                    yield inner
            else:
                yield from roles_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from roles_in(inner)


def _context(service: str, params: Members) -> dict[str, str | Sequence[str]]:
    """Condition keys that many services have: tags, and IAM's own."""
    context: dict[str, str | Sequence[str]] = {}
    given = params.get("Tags") or params.get("tags") or {}
    if isinstance(given, str):
        given = header_tags(given)
    pairs = given.items() if isinstance(given, dict) else [(one.get("Key"), one.get("Value", "")) for one in given]
    found = {key: value for key, value in pairs if isinstance(key, str)}
    if found:
        context |= {f"aws:RequestTag/{key}": value for key, value in found.items()}
        context["aws:TagKeys"] = tuple(found)
    elif keys := params.get("TagKeys") or params.get("tagKeys"):
        context["aws:TagKeys"] = tuple(keys)
    if service == "iam":
        keys = {"iam:PolicyARN": "PolicyArn", "iam:PermissionsBoundary": "PermissionsBoundary"}
        context |= {key: params[member] for key, member in keys.items() if params.get(member)}
    elif service == "lambda" and params.get("Principal"):
        context["lambda:Principal"] = params["Principal"]
    return context


def _listed(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else [str(value)]
