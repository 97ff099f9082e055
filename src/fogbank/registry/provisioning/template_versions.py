"""The versions of provisioning templates (API reference, CreateProvisioningTemplateVersion and its kin)."""

import msgspec

from fogbank.clock import Clock
from fogbank.errors import DeleteConflict
from fogbank.registry.changes import settle
from fogbank.registry.errors import VersionsLimitExceeded
from fogbank.registry.provisioning.records import ProvisioningTemplate, TemplateVersion
from fogbank.registry.provisioning.templates import ProvisioningTemplates, check_body, version_of
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Page, Paging

MOST = 5
"""Versions of one template (general reference, IoT Core fleet provisioning limits)."""


class TemplateVersions:
    """The bodies of templates. The default one is in effect."""

    def __init__(self, templates: ProvisioningTemplates, clock: Clock) -> None:
        self._templates = templates
        self._clock = clock

    async def create(self, name: str, body: str, *, default: bool) -> int:
        """Add a version, in effect at once where `default`; its number.

        Raises ResourceNotFound, InvalidRequest, VersionsLimitExceeded.
        """

        async def attempt() -> int:
            stored = await self._templates.stored(name)
            template = stored.value
            check_body(body, template.type)
            if len(template.versions) >= MOST:
                raise VersionsLimitExceeded(f"Provisioning template {name} has {MOST} versions: delete one first")
            now, number = self._clock.time(), template.last + 1
            after = msgspec.structs.replace(
                template,
                versions={**template.versions, number: TemplateVersion(body=body, created=now)},
                last=number,
                default=number if default else template.default,
                modified=now,
            )
            await self._templates.replace(stored, after)
            return number

        return await settle(attempt)

    async def describe(self, name: str, number: int) -> tuple[ProvisioningTemplate, TemplateVersion]:
        """A version and its template. Raises ResourceNotFound."""
        template = await self._templates.describe(name)
        return template, version_of(template, number)

    async def page(self, name: str, paging: Paging) -> tuple[ProvisioningTemplate, Page[int]]:
        """The numbers of the versions, the first one first, and the template. Raises ResourceNotFound."""
        template = await self._templates.describe(name)
        known = [Stored(f"{number:020}", number, one) for number, one in sorted(template.versions.items())]

        async def read(after: str, limit: int) -> list[Stored[TemplateVersion]]:
            return [one for one in known if one.key > after][:limit]

        page = await paging.page(f"versions of provisioning template {name}", read)
        return template, Page([one.version for one in page.items], page.next)

    async def delete(self, name: str, number: int) -> None:
        """Remove a version that is not the default one. Raises ResourceNotFound, DeleteConflict."""

        async def attempt() -> None:
            stored = await self._templates.stored(name)
            template = stored.value
            version_of(template, number)
            if number == template.default:
                raise DeleteConflict(f"Version {number} is the default version of provisioning template {name}")
            versions = {one: kept for one, kept in template.versions.items() if one != number}
            after = msgspec.structs.replace(template, versions=versions, modified=self._clock.time())
            await self._templates.replace(stored, after)

        await settle(attempt)
