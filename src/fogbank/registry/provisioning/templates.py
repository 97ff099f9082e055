"""Provisioning templates: named, versioned, switched on and off (developer guide, provision-template; API reference,
CreateProvisioningTemplate and its kin).

A body is checked when it is handed over, by the same reader that provisions by it: what a device would fail of is an
error of whoever writes the template, at once.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import DeleteConflict, InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound
from fogbank.registry.changes import settle
from fogbank.registry.constraints import Constraint
from fogbank.registry.provisioning.records import (
    Hook,
    ProvisioningRecords,
    ProvisioningTemplate,
    TemplateCount,
    TemplateType,
    TemplateVersion,
)
from fogbank.registry.provisioning.template import Template, TemplateKind
from fogbank.registry.tags import Tags
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Page, Paging

MOST = 256
"""Templates (general reference, IoT Core fleet provisioning limits)."""
TEMPLATE_NAME = Constraint("templateName", r"[0-9A-Za-z_-]+", 36)
TEMPLATE_BODY = Constraint("templateBody", r"[\s\S]*", 10_240, 0)
PAYLOAD_VERSION = "2020-04-01"
"""Of what a hook is sent; there is no other (developer guide, pre-provisioning-hook)."""

_FUNCTION = re.compile(r"arn:[\w-]+:lambda:[\w-]+:\d{12}:function:[\w-]+(:[\w$-]+)?", re.ASCII)
_ROLE = re.compile(r"arn:[\w-]+:iam::\d{12}:role/\S+", re.ASCII)
_KINDS = {TemplateType.FLEET_PROVISIONING: TemplateKind.FLEET_PROVISIONING, TemplateType.JITP: TemplateKind.JITP}

Used = Callable[[str], Awaitable[bool]]
"""Whether anybody relies on the template of this name."""


class ProvisioningTemplates:
    """The templates of the account."""

    def __init__(self, records: ProvisioningRecords, arns: Arns, clock: Clock, tags: Tags, used: Used) -> None:
        """`used` keeps a template from being deleted."""
        self._records = records
        self._arns = arns
        self._clock = clock
        self._tags = tags
        self._used = used
        tags.register("provisioningtemplate", records.templates.presence)

    def arn(self, name: str) -> str:
        return self._arns.iot("provisioningtemplate", name)

    async def create(
        self,
        name: str,
        body: str,
        role_arn: str,
        *,
        type_: TemplateType = TemplateType.FLEET_PROVISIONING,
        description: str | None = None,
        enabled: bool = False,
        hook: Hook | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ProvisioningTemplate:
        """Make a template with `body` as version 1. Raises InvalidRequest, ResourceAlreadyExists, LimitExceeded."""
        TEMPLATE_NAME.check(name)
        check_body(body, type_)
        _check_role(role_arn)
        _check_hook(hook)
        now = self._clock.time()
        value = ProvisioningTemplate(
            name=name,
            type=type_,
            role_arn=role_arn,
            created=now,
            modified=now,
            default=1,
            last=1,
            versions={1: TemplateVersion(body=body, created=now)},
            description=description,
            enabled=enabled,
            hook=hook,
        )

        async def attempt() -> None:
            if await self._records.templates.get(name) is not None:
                raise ResourceAlreadyExists(
                    f"Provisioning template {name} already exists", resourceId=name, resourceArn=self.arn(name)
                )
            count, version = await self._count()
            if count >= MOST:
                raise LimitExceeded(f"There are {MOST} provisioning templates, which is all that there may be")
            await self._records.commit(
                self._records.templates.putting(name, value, expect=0),
                self._records.template_count.putting("all", TemplateCount(count + 1), expect=version),
                self._tags.putting(self.arn(name), tags or {}),
            )

        await settle(attempt)
        return value

    async def describe(self, name: str) -> ProvisioningTemplate:
        """Raises ResourceNotFound, InvalidRequest."""
        return (await self.stored(name)).value

    async def stored(self, name: str) -> Stored[ProvisioningTemplate]:
        """The template with the version it is stored at. Raises ResourceNotFound, InvalidRequest."""
        found = await self._records.templates.get(TEMPLATE_NAME.check(name))
        if found is None:
            raise ResourceNotFound(f"Provisioning template not found: {name}")
        return found

    async def page(self, paging: Paging) -> Page[ProvisioningTemplate]:
        """In order of their names."""

        async def read(after: str, limit: int) -> list[Stored[ProvisioningTemplate]]:
            return await self._records.templates.scan(after=after, limit=limit)

        return await paging.values("provisioning templates", read)

    async def update(
        self,
        name: str,
        *,
        description: str | None = None,
        enabled: bool | None = None,
        default: int | None = None,
        role_arn: str | None = None,
        hook: Hook | None = None,
        remove_hook: bool = False,
    ) -> None:
        """Change what is not None. Raises ResourceNotFound, InvalidRequest."""
        if hook is not None and remove_hook:
            raise InvalidRequest("preProvisioningHook and removePreProvisioningHook cannot be used together")
        _check_hook(hook)
        if role_arn is not None:
            _check_role(role_arn)

        async def attempt() -> None:
            stored = await self.stored(name)
            before = stored.value
            if default is not None:
                version_of(before, default)
            after = msgspec.structs.replace(
                before,
                description=before.description if description is None else description,
                enabled=before.enabled if enabled is None else enabled,
                default=before.default if default is None else default,
                role_arn=before.role_arn if role_arn is None else role_arn,
                hook=None if remove_hook else hook or before.hook,
                modified=self._clock.time(),
            )
            await self.replace(stored, after)

        await settle(attempt)

    async def replace(self, stored: Stored[ProvisioningTemplate], after: ProvisioningTemplate) -> None:
        """Write a template over the one that was read. Raises StaleVersion."""
        await self._records.templates.put(stored.key, after, expect=stored.version)

    async def delete(self, name: str) -> None:
        """Remove a template with all its versions. Raises ResourceNotFound, DeleteConflict."""

        async def attempt() -> None:
            stored = await self.stored(name)
            if await self._used(name):
                raise DeleteConflict(f"A CA certificate names provisioning template {name} in its registrationConfig")
            count, version = await self._count()
            await self._records.commit(
                self._records.templates.deleting(name, expect=stored.version),
                self._records.template_count.putting("all", TemplateCount(max(count - 1, 0)), expect=version),
                self._tags.deleting(self.arn(name)),
            )

        await settle(attempt)

    async def _count(self) -> tuple[int, int]:
        """How many there are, and the version at which that is stored."""
        stored = await self._records.template_count.get("all")
        return (0, 0) if stored is None else (stored.value.count, stored.version)


def version_of(template: ProvisioningTemplate, number: int) -> TemplateVersion:
    """Raises ResourceNotFound."""
    found = template.versions.get(number)
    if found is None:
        raise ResourceNotFound(f"Provisioning template version not found: {template.name}, version {number}")
    return found


def check_body(body: str, type_: TemplateType) -> None:
    """Raises InvalidRequest where nobody could be provisioned by this."""
    Template.parse(TEMPLATE_BODY.check(body), _KINDS[type_])


def _check_role(arn: str) -> None:
    if not _ROLE.fullmatch(arn):
        raise InvalidRequest(f"provisioningRoleArn must be the ARN of a role, not {arn[:200]!r}")


def _check_hook(hook: Hook | None) -> None:
    if hook is None:
        return
    if hook.payload_version != PAYLOAD_VERSION:
        raise InvalidRequest(f"payloadVersion must be {PAYLOAD_VERSION}, not {hook.payload_version!r}")
    if not _FUNCTION.fullmatch(hook.function_arn):
        raise InvalidRequest(f"targetArn must be the ARN of a Lambda function, not {hook.function_arn[:200]!r}")
