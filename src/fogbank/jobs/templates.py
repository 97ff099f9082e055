"""Job templates: what jobs may be made from (developer guide, job-templates)."""

from collections.abc import Mapping
from typing import Any

from fogbank.arns import Arns
from fogbank.errors import Conflict, InvalidRequest, ResourceNotFound
from fogbank.jobs.configs import read, read_all
from fogbank.jobs.documents import JobDocuments
from fogbank.jobs.ledger import Ledger, Unit
from fogbank.jobs.limits import JobLimits
from fogbank.jobs.records import Job, Records, Template
from fogbank.jobs.windows import MaintenanceWindow
from fogbank.ports import ResourceTags
from fogbank.storage.paging import LARGEST_PAGE, Page, Paging

KIND = "jobtemplate"


class JobTemplates:
    """CreateJobTemplate to ListJobTemplates. Parameters are the API's, held against the model before."""

    def __init__(
        self,
        records: Records,
        ledger: Ledger,
        documents: JobDocuments,
        tags: ResourceTags,
        arns: Arns,
        limits: JobLimits,
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._documents = documents
        self._tags = tags
        self._arns = arns
        self._limits = limits

    def arn(self, id_: str) -> str:
        return self._arns.iot(KIND, id_)

    async def create(self, params: Mapping[str, Any], tags: Mapping[str, str]) -> Template:
        """Make a template, from a job where `jobArn` names one. Raises Conflict, InvalidRequest, ResourceNotFound."""
        id_ = params["jobTemplateId"]
        based, text = await self._based_on(params)
        if text is None:
            text = await self._documents.read(params)
        configs = read_all(params, based, self._limits.rollout_per_minute)
        windows = tuple(read(MaintenanceWindow, one) for one in params.get("maintenanceWindows") or ())
        for window in windows:
            assert window is not None, "items of lists are not null"
            window.check()

        async def create(unit: Unit) -> Template:
            if await unit.get(self._records.templates, id_) is not None:
                raise Conflict(f"Job template {id_} already exists", resourceId=id_)
            template = Template(
                id=id_,
                description=params["description"],
                document=text,
                document_source=params.get("documentSource") or (based.document_source if based else None),
                created=unit.now,
                windows=tuple(one for one in windows if one is not None) or (based.windows if based else ()),
                packages=tuple(params.get("destinationPackageVersions") or (based.packages if based else ())),
                **configs,
            )
            unit.put(self._records.templates, id_, template)
            unit.beside.append(self._tags.putting(self.arn(id_), tags))
            return template

        return await self._ledger.run(create)

    async def describe(self, id_: str) -> Template:
        """Raises ResourceNotFound."""
        found = await self._records.templates.get(id_)
        if found is None:
            raise ResourceNotFound(f"Job template {id_} does not exist")
        return found.value

    async def of_arn(self, arn: str) -> Template:
        """Raises InvalidRequest, ResourceNotFound."""
        prefix = self.arn("")
        if not arn.startswith(prefix):
            raise InvalidRequest(
                f"jobTemplateArn {arn[:300]!r} is not one of this account and region; AWS's managed templates are not"
                " supported by Fogbank"
            )
        return await self.describe(arn[len(prefix) :])

    async def page(self, paging: Paging) -> Page[Template]:
        """In the order of their IDs."""
        return await paging.values(
            "job templates",
            lambda after, limit: self._records.templates.scan(after=after, limit=limit),
            default=LARGEST_PAGE,
        )

    async def delete(self, id_: str) -> None:
        """Raises ResourceNotFound."""

        async def delete(unit: Unit) -> None:
            if await unit.get(self._records.templates, id_) is None:
                raise ResourceNotFound(f"Job template {id_} does not exist")
            unit.delete(self._records.templates, id_)
            unit.beside.append(self._tags.deleting(self.arn(id_)))

        await self._ledger.run(delete)

    async def _based_on(self, params: Mapping[str, Any]) -> tuple[Job | None, str | None]:
        """The job that a template is made from, and its document."""
        arn = params.get("jobArn")
        if arn is None:
            return None, None
        if params.get("document") is not None or params.get("documentSource") is not None:
            raise InvalidRequest("Either jobArn, document or documentSource is needed, and one of them only")
        prefix = self._arns.iot("job", "")
        found = await self._records.jobs.get(arn[len(prefix) :]) if arn.startswith(prefix) else None
        text = None if found is None else await self._records.texts.get(found.key)
        if found is None or text is None:
            raise ResourceNotFound(f"Job {arn[:300]} does not exist")
        return found.value, text.value.text
