"""The control plane of jobs: what a fleet is given to do, and what has become of it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound
from fogbank.jobs.configs import SchedulingConfig, read, read_all
from fogbank.jobs.documents import JobDocuments
from fogbank.jobs.errors import InvalidStateTransition
from fogbank.jobs.ledger import Ledger, Unit
from fogbank.jobs.lifecycle import Lifecycle
from fogbank.jobs.limits import JobLimits
from fogbank.jobs.records import Job, JobText, Progress, Records, Target, Template
from fogbank.jobs.states import LIVE, JobStatus, TargetSelection
from fogbank.jobs.targets import Targets
from fogbank.jobs.templates import JobTemplates
from fogbank.ports import ResourceTags
from fogbank.storage.paging import LARGEST_PAGE, Page, Paging, Read, filtered

KIND = "job"
PACKAGES = 25


class JobFilter(msgspec.Struct, frozen=True):
    """Which jobs are listed."""

    status: str | None = None
    selection: str | None = None
    group_name: str | None = None
    group_id: str | None = None
    namespace: str | None = None

    def matches(self, job: Job) -> bool:
        if self.status not in (None, job.status.value) or self.selection not in (None, job.selection.value):
            return False
        if self.namespace not in (None, job.namespace):
            return False
        groups = [target for target in job.targets if target.kind == "thinggroup"]
        if self.group_name is not None and all(group.name != self.group_name for group in groups):
            return False
        return self.group_id is None or any(group.id == self.group_id for group in groups)


class JobControl:
    """CreateJob to AssociateTargetsWithJob. Parameters are the API's, held against the model before."""

    def __init__(
        self,
        records: Records,
        ledger: Ledger,
        lifecycle: Lifecycle,
        documents: JobDocuments,
        templates: JobTemplates,
        targets: Targets,
        tags: ResourceTags,
        arns: Arns,
        clock: Clock,
        limits: JobLimits,
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._documents = documents
        self._templates = templates
        self._targets = targets
        self._tags = tags
        self._arns = arns
        self._clock = clock
        self._limits = limits

    def arn(self, id_: str) -> str:
        return self._arns.iot(KIND, id_)

    def target_arn(self, target: Target) -> str:
        return self._targets.arn(target)

    async def create(self, params: Mapping[str, Any], tags: Mapping[str, str]) -> Job:
        """Make a job, and begin with it unless it is scheduled for later.

        Raises ResourceAlreadyExists, InvalidRequest, ResourceNotFound, LimitExceeded.
        """
        if params.get("documentParameters"):
            raise InvalidRequest(
                "documentParameters can only be used when creating jobs from AWS managed templates (API reference,"
                " CreateJob), which Fogbank does not have; write the values into the document"
            )
        template = None
        if params.get("jobTemplateArn") is not None:
            template = await self._templates.of_arn(params["jobTemplateArn"])
        text = await self._text(params, template)
        targets = await self._targets.read(params["targets"])
        job = self._new(params, template, targets)

        async def create(unit: Unit) -> Job:
            if await unit.get(self._records.jobs, job.id) is not None:
                raise ResourceAlreadyExists(
                    f"Job {job.id} already exists", resourceId=job.id, resourceArn=self.arn(job.id)
                )
            await self._check_room(unit, self._limits.active_jobs, LIVE, "active jobs")
            created = msgspec.structs.replace(job, created=unit.now, updated=unit.now)
            await self._lifecycle.write(unit, None, created)
            unit.put(self._records.texts, job.id, JobText(text))
            unit.put(self._records.progress, job.id, Progress())
            unit.beside.append(self._tags.putting(self.arn(job.id), tags))
            await self._lifecycle.step(unit, job.id)
            return created

        return await self._ledger.run(create)

    async def describe(self, id_: str) -> tuple[Job, Progress]:
        """A job and how far it has come. Raises ResourceNotFound."""
        job = await self._existing(id_)
        progress = await self._records.progress.get(id_)
        return job, Progress() if progress is None else progress.value

    async def progress_of(self, id_: str) -> Progress:
        """How far a job has come."""
        found = await self._records.progress.get(id_)
        return Progress() if found is None else found.value

    async def document(self, id_: str) -> str:
        """The job document, as it was given. Raises ResourceNotFound."""
        await self._existing(id_)
        found = await self._records.texts.get(id_)
        return "" if found is None else found.value.text

    async def page(self, wanted: JobFilter, paging: Paging) -> Page[Job]:
        """Jobs in the order of their IDs. UNVERIFIED in which order AWS lists them."""
        read = filtered(self._reading(wanted), wanted.matches)
        return await paging.values(f"jobs {wanted}", read, default=LARGEST_PAGE)

    async def update(self, params: Mapping[str, Any]) -> None:
        """Change a job that goes on. Raises ResourceNotFound, InvalidRequest."""
        fields = read_all(params, None, self._limits.rollout_per_minute)
        changes = {name: value for name, value in fields.items() if value is not None}
        if params.get("description") is not None:
            changes["description"] = params["description"]
        if "retry" in changes:
            changes["retry"].check_update()

        async def update(unit: Unit) -> None:
            job = await self._stored(unit, params["jobId"])
            self._check_namespace(job, params.get("namespaceId"))
            if job.status not in LIVE:
                raise InvalidRequest(f"Job {job.id} is {job.status.value} and cannot be updated")
            await self._lifecycle.write(unit, job, msgspec.structs.replace(job, updated=unit.now, **changes))
            await self._lifecycle.step(unit, job.id)

        await self._ledger.run(update)

    async def cancel(
        self, id_: str, *, force: bool = False, reason_code: str | None = None, comment: str | None = None
    ) -> Job:
        """Cancel a job that goes on. Raises ResourceNotFound, InvalidRequest."""

        async def cancel(unit: Unit) -> Job:
            job = await self._stored(unit, id_)
            if job.status not in LIVE:
                raise InvalidRequest(f"Job {id_} is {job.status.value} and cannot be canceled")
            return await self._lifecycle.cancel(unit, job, force=force, reason_code=reason_code, comment=comment)

        return await self._ledger.run(cancel)

    async def delete(self, id_: str, *, force: bool = False, namespace: str | None = None) -> None:
        """Delete a job that has ended, or any with `force`.

        Raises ResourceNotFound, InvalidStateTransition, LimitExceeded.
        """

        async def delete(unit: Unit) -> None:
            job = await self._stored(unit, id_)
            self._check_namespace(job, namespace)
            if job.status is JobStatus.DELETION_IN_PROGRESS or (job.status in LIVE and not force):
                raise InvalidStateTransition(f"Job {id_} is {job.status.value} and cannot be deleted without force")
            leaving = frozenset({JobStatus.DELETION_IN_PROGRESS})
            await self._check_room(unit, self._limits.deletions, leaving, "jobs being deleted")
            await self._lifecycle.delete(unit, job)

        await self._ledger.run(delete)

    async def associate(
        self, id_: str, arns: list[str], *, comment: str | None = None, namespace: str | None = None
    ) -> Job:
        """Give a continuous job further targets. Raises ResourceNotFound, InvalidRequest, LimitExceeded."""

        async def associate(unit: Unit) -> Job:
            job = await self._stored(unit, id_)
            self._check_namespace(job, namespace)
            if not job.follows:
                raise InvalidRequest(
                    f"Job {id_} is {job.selection.value} and {job.status.value};"
                    " only a CONTINUOUS job that is IN_PROGRESS takes further targets"
                )
            targets = await self._targets.read(arns, job.targets)
            after = msgspec.structs.replace(job, targets=targets, updated=unit.now, comment=comment or job.comment)
            await self._lifecycle.write(unit, job, after)
            progress = await self._lifecycle.progress(unit, id_)
            unit.put(self._records.progress, id_, msgspec.structs.replace(progress, rolled_out=False))
            await self._lifecycle.step(unit, id_)
            return after

        return await self._ledger.run(associate)

    # --- parts ---

    async def _text(self, params: Mapping[str, Any], template: Template | None) -> str:
        if template is None:
            return await self._documents.read(params)
        if params.get("document") is not None or params.get("documentSource") is not None:
            raise InvalidRequest("A job has either a jobTemplateArn, a document or a documentSource")
        return template.document

    def _new(self, params: Mapping[str, Any], template: Template | None, targets: tuple[Target, ...]) -> Job:
        now = self._clock.time()
        selection = TargetSelection(params.get("targetSelection") or TargetSelection.SNAPSHOT.value)
        scheduling = read(SchedulingConfig, params.get("schedulingConfig"))
        if template is not None and template.windows and (scheduling is None or not scheduling.maintenance_windows):
            scheduling = msgspec.structs.replace(scheduling or SchedulingConfig(), maintenance_windows=template.windows)
        if scheduling is not None:
            scheduling.check(now, continuous=selection is TargetSelection.CONTINUOUS)
        packages = tuple(params.get("destinationPackageVersions") or (template.packages if template else ()))
        if len(packages) > PACKAGES:
            raise InvalidRequest(f"destinationPackageVersions holds at most {PACKAGES} ARNs")
        return Job(
            id=params["jobId"],
            targets=targets,
            selection=selection,
            status=JobStatus.SCHEDULED,
            created=now,
            updated=now,
            description=params.get("description") or (template.description if template else None),
            document_source=params.get("documentSource") or (template.document_source if template else None),
            scheduling=scheduling,
            namespace=params.get("namespaceId"),
            template=params.get("jobTemplateArn"),
            packages=packages,
            **read_all(params, template, self._limits.rollout_per_minute),
        )

    async def _existing(self, id_: str) -> Job:
        found = await self._records.jobs.get(id_)
        if found is None:
            raise ResourceNotFound(f"Job {id_} does not exist")
        return found.value

    async def _stored(self, unit: Unit, id_: str) -> Job:
        found = await unit.get(self._records.jobs, id_)
        if found is None:
            raise ResourceNotFound(f"Job {id_} does not exist")
        return found

    @staticmethod
    def _check_namespace(job: Job, namespace: str | None) -> None:
        if namespace is not None and namespace != job.namespace:
            raise ResourceNotFound(f"Job {job.id} does not exist in namespace {namespace}")

    async def _check_room(self, unit: Unit, most: int | None, statuses: frozenset[JobStatus], what: str) -> None:
        if most is not None and await self._lifecycle.number(unit, *statuses) >= most:
            raise LimitExceeded(f"There are {most} {what}, which is the most")

    def _reading(self, wanted: JobFilter) -> Read[Job]:
        if wanted.status is None:
            return lambda after, limit: self._records.jobs.scan(after=after, limit=limit)
        status = wanted.status
        return lambda after, limit: self._records.jobs.find("status", status, after=after, limit=limit)
