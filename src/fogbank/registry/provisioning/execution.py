"""Makes what a plan says, step by step, in a workshop. What is there already is judged by the override settings."""

from collections.abc import Sequence
from typing import Protocol

from fogbank.errors import ResourceAlreadyExists, ResourceNotFound
from fogbank.ports import RoleRights
from fogbank.registry.errors import CertificateState, ResourceConflicts
from fogbank.registry.provisioning.plan import CertificatePlan, CertificateWay, Override, Plan, PolicyPlan, ThingPlan
from fogbank.registry.provisioning.workshop import Workshop
from fogbank.registry.records import Certificate, CertificateStatus, Thing, memberships_prefix
from fogbank.registry.things import AttributeUpdate

_USABLE = (CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.PENDING_ACTIVATION)


class OnDuty(Protocol):
    """In whose name a plan is carried out."""

    async def may(self, action: str, *resources: str) -> None:
        """Raise a ServiceError where this may not be done."""
        ...


class RoleOnDuty:
    """A role, in whose name a plan is carried out."""

    def __init__(self, rights: RoleRights | None, role_arn: str | None, source: str | None) -> None:
        """`source` is the ARN of the template that acts."""
        self._rights = rights
        self._role_arn = role_arn
        self._source = source

    async def may(self, action: str, *resources: str) -> None:
        """Raise Forbidden where the role may not do this; without a role everything is allowed."""
        if self._rights is not None and self._role_arn is not None:
            for resource in resources:
                await self._rights.check(self._role_arn, action, resource, source=self._source)


class Execution:
    """One plan in one workshop."""

    def __init__(self, workshop: Workshop, role: OnDuty) -> None:
        self._workshop = workshop
        self._role = role

    async def run(self, plan: Plan) -> tuple[Certificate | None, dict[str, str]]:
        """The certificate, and the ARNs of all there is. Raises what the services raise, and ResourceConflicts."""
        arns: dict[str, str] = {}
        certificate = None if plan.certificate is None else await self._certificate(plan.certificate)
        if certificate is not None:
            for policy in plan.policies:
                arns[policy.logical_name] = await self._policy(policy, certificate)
            arns["certificate"] = self._workshop.certificates.arn(certificate.id)
        if plan.thing is not None:
            await self._thing(plan.thing)
            arns["thing"] = self._workshop.things.arn(plan.thing.name)
        if plan.thing is not None and plan.certificate is not None:
            await self._role.may("iot:AttachThingPrincipal", arns["certificate"])
            await self._workshop.thing_principals.attach(
                plan.thing.name, arns["certificate"], exclusive=plan.certificate.exclusive
            )
        return certificate, arns

    # --- the certificate

    async def _certificate(self, plan: CertificatePlan) -> Certificate:
        id_ = plan.value
        wanted = CertificateStatus.ACTIVE if plan.active else CertificateStatus.INACTIVE
        match plan.way:
            case CertificateWay.REQUEST:
                await self._role.may("iot:CreateCertificateFromCsr", "*")
                return await self._workshop.certificates.create_from_request(plan.value, active=plan.active)
            case CertificateWay.PEM:
                await self._role.may("iot:RegisterCertificate", "*")
                try:
                    return await self._workshop.registration.register(plan.value, ca_pem=plan.ca_pem, status=wanted)
                except ResourceAlreadyExists as there:
                    id_ = there.members["resourceId"]
        found = await self._workshop.certificates.describe(id_)
        if found.status not in _USABLE:
            raise CertificateState(f"Certificate {found.id} is {found.status.value}")
        if _is_to_change(plan.on_status, found, wanted):
            await self._role.may("iot:UpdateCertificate", self._workshop.certificates.arn(found.id))
            await self._workshop.certificates.update(found.id, wanted)
        return found

    # --- its policies

    async def _policy(self, plan: PolicyPlan, certificate: Certificate) -> str:
        workshop = self._workshop
        arn, target = workshop.policies.arn(plan.name), workshop.certificates.arn(certificate.id)
        if plan.document is not None and await workshop.records.policies.get(plan.name) is None:
            await self._role.may("iot:CreatePolicy", arn)
            await workshop.policies.create(plan.name, plan.document)
        await self._role.may("iot:AttachPolicy", target)
        await workshop.policy_attachments.attach(plan.name, target)
        return arn

    # --- the thing

    async def _thing(self, plan: ThingPlan) -> None:
        things = self._workshop.things
        try:
            there = await things.describe(plan.name)
        except ResourceNotFound:
            await self._role.may("iot:CreateThing", things.arn(plan.name), *self._billed(plan))
            await things.create(
                plan.name, type_name=plan.type_name, attributes=plan.attributes, billing_group=plan.billing_group
            )
            await self._join(plan.name, plan.groups or ())
        else:
            await self._alter(there, plan)

    async def _alter(self, there: Thing, plan: ThingPlan) -> None:
        attributes = None
        if plan.attributes is not None:
            given = AttributeUpdate(plan.attributes, plan.on_attributes is Override.MERGE)
            same = given.apply(there.attributes) == dict(there.attributes)
            attributes = given if _decide(plan.on_attributes, "AttributePayload", there.name, same) else None
        type_name = None
        if plan.type_name is not None:
            same = plan.type_name == there.type_name
            type_name = plan.type_name if _decide(plan.on_type, "ThingTypeName", there.name, same) else None
        if attributes is not None or type_name is not None:
            await self._role.may("iot:UpdateThing", self._workshop.things.arn(there.name))
            await self._workshop.things.update(there.name, attributes=attributes, type_name=type_name)
        await self._regroup(there, plan)
        await self._bill(there, plan)

    async def _regroup(self, there: Thing, plan: ThingPlan) -> None:
        if plan.groups is None:
            return
        found = await self._workshop.records.memberships.scan(prefix=memberships_prefix(there.name))
        before = [one.value.group for one in found if not one.value.dynamic]
        joining = [one for one in plan.groups if one not in before]
        leaving = [one for one in before if one not in plan.groups] if plan.on_groups is Override.REPLACE else []
        if _decide(plan.on_groups, "ThingGroups", there.name, not joining and not leaving):
            await self._join(there.name, joining, leaving)

    async def _join(self, thing: str, joining: Sequence[str], leaving: Sequence[str] = ()) -> None:
        arn = self._workshop.things.arn(thing)
        for action, groups in (("AddThingToThingGroup", joining), ("RemoveThingFromThingGroup", leaving)):
            for group in groups:
                await self._role.may(f"iot:{action}", arn, self._workshop.arns.iot("thinggroup", group))
        if joining or leaving:
            await self._workshop.group_members.update(thing, join=joining, leave=leaving)

    async def _bill(self, there: Thing, plan: ThingPlan) -> None:
        """Billing groups have no override setting: a thing that is in none joins."""
        if plan.billing_group is None:
            return
        before = await self._workshop.billing_members.group_of(there.name)
        if before is None:
            arn = self._workshop.things.arn(there.name)
            await self._role.may("iot:AddThingToBillingGroup", arn, *self._billed(plan))
            await self._workshop.billing_members.join(there.name, plan.billing_group)
        elif before != plan.billing_group:
            raise ResourceConflicts(f"Thing {there.name} exists, and its BillingGroup is {before}")

    def _billed(self, plan: ThingPlan) -> tuple[str, ...]:
        return () if plan.billing_group is None else (self._workshop.arns.iot("billinggroup", plan.billing_group),)


def _is_to_change(on: Override, certificate: Certificate, wanted: CertificateStatus) -> bool:
    """A certificate that waits to be provisioned is not there yet, as far as override settings go."""
    if certificate.status is CertificateStatus.PENDING_ACTIVATION:
        return True
    return _decide(on, "Status", certificate.id, certificate.status is wanted)


def _decide(on: Override, property_: str, name: str, same: bool) -> bool:
    """Whether a property of what exists is to be changed. Raises ResourceConflicts."""
    match on:
        case Override.DO_NOTHING:
            return False
        case Override.FAIL:
            raise ResourceConflicts(f"{name} exists already, and OverrideSettings say FAIL for its {property_}")
        case Override.SAME if not same:
            raise ResourceConflicts(
                f"{name} exists already, and its {property_} is not what the template says;"
                " OverrideSettings can say what to do about that"
            )
    return not same
