"""Carries a template out for one device: all of it in one batch, or nothing.

What two do to the same thing at once comes to what they would have done one after the other: the second finds the
first's thing there, and the override settings decide. A kill leaves all of it or nothing; who repeats the call after it
finds what there is, which is the same again unless the template says otherwise.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import Forbidden, ServiceError, ServiceUnavailable
from fogbank.ports import Documents, Put, RoleRights, StaleVersion
from fogbank.registry.ca_certificates import CaCertificates
from fogbank.registry.changes import Changes, settle
from fogbank.registry.device_issuer import DeviceIssuer
from fogbank.registry.errors import ConflictingResourceUpdate, ResourceConflicts, ResourceRegistrationFailure
from fogbank.registry.provisioning.draft import Outdated
from fogbank.registry.provisioning.execution import Execution, OnDuty, RoleOnDuty
from fogbank.registry.provisioning.plan import Plan
from fogbank.registry.provisioning.resources import CERTIFICATE_ID
from fogbank.registry.provisioning.template import Template, TemplateKind
from fogbank.registry.provisioning.workshop import Workshop
from fogbank.tasks import Tasks

_REFUSALS = (401, 403)


class Provisioned(msgspec.Struct, frozen=True, kw_only=True):
    """What there is now."""

    thing_name: str | None
    certificate_id: str | None
    """None, as its PEM, where the template has no certificate; those for devices always have."""
    certificate_pem: str | None
    resource_arns: dict[str, str]
    """By `thing`, `certificate` and the logical names of policies (developer guide, single-thing-provisioning)."""
    device_configuration: dict[str, str]


Along = Callable[[Provisioned], Iterable[Put]]
"""Given what came of it, what is written in the same batch."""


class Provisioner:
    """Makes things, certificates and policies from templates."""

    def __init__(
        self,
        documents: Documents,
        changes: Changes,
        tasks: Tasks,
        arns: Arns,
        clock: Clock,
        issuer: DeviceIssuer,
        cas: CaCertificates,
        rights: RoleRights | None = None,
    ) -> None:
        """`rights` knows what roles may do; None: whatever they are asked to."""
        self._make: Callable[[], Workshop] = partial(Workshop, documents, changes, tasks, arns, clock, issuer, cas)
        self._rights = rights

    async def provision(
        self,
        template: Template,
        parameters: Mapping[str, str],
        *,
        certificate_id: str | None = None,
        role_arn: str | None = None,
        source: str | None = None,
        on_duty: OnDuty | None = None,
        along: Along = lambda _: (),
    ) -> Provisioned:
        """Make all that the template says.

        `certificate_id` is the certificate that a device is being provisioned with, `role_arn` in whose name that is
        done, `source` the ARN of what does it; or `on_duty` says what may be done. On return all is durable, and in
        effect.

        Raises ResourceRegistrationFailure with the reason, ResourceConflicts (what exists differs),
        ConflictingResourceUpdate (try again; at once where what `along` writes is not as it expects), Forbidden (the
        role), and what `on_duty` raises.
        """
        plan = template.plan(_values(template, parameters, certificate_id))
        role = on_duty or RoleOnDuty(self._rights, role_arn, source)

        async def attempt() -> Provisioned:
            workshop = self._make()
            try:
                provisioned = await _made(workshop, role, plan)
            except Outdated as outdated:
                raise outdated.stale from None
            writes = tuple(along(provisioned))
            try:
                await workshop.deliver(writes)
            except StaleVersion as stale:
                if any((one.kind, one.key) == (stale.kind, stale.key) for one in writes):
                    raise ConflictingResourceUpdate("Somebody else has done this meanwhile") from stale
                raise
            return provisioned

        try:
            return await settle(attempt)
        except ServiceUnavailable as error:
            raise ConflictingResourceUpdate(error.message) from error
        except (ResourceRegistrationFailure, ResourceConflicts, ConflictingResourceUpdate, Forbidden):
            raise
        except ServiceError as error:
            if error.status >= 500 or error.status in _REFUSALS:
                raise
            raise ResourceRegistrationFailure(error.message) from error


async def _made(workshop: Workshop, role: OnDuty, plan: Plan) -> Provisioned:
    certificate, arns = await Execution(workshop, role).run(plan)
    return Provisioned(
        thing_name=None if plan.thing is None else plan.thing.name,
        certificate_id=None if certificate is None else certificate.id,
        certificate_pem=None if certificate is None else certificate.pem,
        resource_arns=arns,
        device_configuration=dict(plan.device_configuration),
    )


def _values(template: Template, parameters: Mapping[str, str], certificate_id: str | None) -> Mapping[str, str]:
    """A device names no certificate but the one it is provisioned with, whatever it sends."""
    if not template.kind.own:
        return parameters
    if certificate_id is None:
        raise ResourceRegistrationFailure("There is no certificate to provision a device with")
    if template.kind is TemplateKind.FLEET_PROVISIONING:
        parameters = {name: value for name, value in parameters.items() if not name.startswith("AWS::")}
    return {**parameters, CERTIFICATE_ID: certificate_id}
