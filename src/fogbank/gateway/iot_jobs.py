"""IoT's operations on jobs, from the wire to the jobs service and back."""

from collections.abc import Mapping
from typing import Any

from fogbank.clock import Clock
from fogbank.gateway.call import AllowTo, Call, Members, anything, operation
from fogbank.jobs.configs import SchedulingConfig, written, written_time
from fogbank.jobs.documents import JobDocuments
from fogbank.jobs.events import process_details
from fogbank.jobs.job_control import JobFilter
from fogbank.jobs.records import Job, Progress
from fogbank.jobs.service import JobService
from fogbank.jobs.states import JobStatus
from fogbank.jobs.windows import upcoming
from fogbank.registry.tags import checked_tags
from fogbank.storage.paging import Paging

ROLLOUTS = 7
"""Maintenance windows that DescribeJob tells (API reference, Job)."""


class IotJobsApi:
    """CreateJob to AssociateTargetsWithJob of botocore's `iot` model."""

    def __init__(self, service: JobService, clock: Clock, allow_to: AllowTo = anything) -> None:
        """`allow_to` raises where a caller may not read the object that is to be the job's document."""
        self._documents = service.job_documents
        self._allow_to = allow_to
        self._jobs = service.jobs
        self._clock = clock

    @operation("iot", "CreateJob")
    async def create_job(self, call: Call) -> Members:
        await check_source(self._documents, self._allow_to, call)
        return self._named(await self._jobs.create(call.params, checked_tags(call.params.get("tags"))))

    @operation("iot", "DescribeJob")
    async def describe_job(self, call: Call) -> Members:
        """`beforeSubstitution` asks for nothing: parameters are those of AWS's managed templates alone."""
        job, progress = await self._jobs.describe(call.params["jobId"])
        return {"documentSource": job.document_source, "job": self._described(job, progress)}

    @operation("iot", "UpdateJob")
    async def update_job(self, call: Call) -> Members:
        await self._jobs.update(call.params)
        return {}

    @operation("iot", "CancelJob")
    async def cancel_job(self, call: Call) -> Members:
        params = call.params
        job = await self._jobs.cancel(
            params["jobId"],
            force=bool(params.get("force")),
            reason_code=params.get("reasonCode"),
            comment=params.get("comment"),
        )
        return self._named(job)

    @operation("iot", "DeleteJob")
    async def delete_job(self, call: Call) -> Members:
        params = call.params
        force, namespace = bool(params.get("force")), params.get("namespaceId")
        await self._jobs.delete(params["jobId"], force=force, namespace=namespace)
        return {}

    @operation("iot", "ListJobs")
    async def list_jobs(self, call: Call) -> Members:
        params = call.params
        wanted = JobFilter(
            status=params.get("status"),
            selection=params.get("targetSelection"),
            group_name=params.get("thingGroupName"),
            group_id=params.get("thingGroupId"),
            namespace=params.get("namespaceId"),
        )
        page = await self._jobs.page(wanted, Paging(params.get("nextToken"), params.get("maxResults")))
        return {"jobs": [await self._summary(job) for job in page.items], "nextToken": page.next}

    @operation("iot", "GetJobDocument")
    async def get_job_document(self, call: Call) -> Members:
        return {"document": await self._jobs.document(call.params["jobId"])}

    @operation("iot", "AssociateTargetsWithJob")
    async def associate_targets_with_job(self, call: Call) -> Members:
        params = call.params
        job = await self._jobs.associate(
            params["jobId"],
            params["targets"],
            comment=params.get("comment"),
            namespace=params.get("namespaceId"),
        )
        return self._named(job)

    def _named(self, job: Job) -> Members:
        return {"jobArn": self._jobs.arn(job.id), "jobId": job.id, "description": job.description}

    def _described(self, job: Job, progress: Progress) -> Members:
        return {
            **self._named(job),
            "targetSelection": job.selection.value,
            "status": job.status.value,
            "forceCanceled": job.forced,
            "reasonCode": job.reason_code,
            "comment": job.comment,
            "targets": [self._jobs.target_arn(target) for target in job.targets],
            **written_configs(job),
            "createdAt": job.created,
            "lastUpdatedAt": job.updated,
            "completedAt": job.completed,
            "jobProcessDetails": self._process_details(job, progress),
            "namespaceId": job.namespace,
            "jobTemplateArn": job.template,
            "isConcurrent": _is_concurrent(job, progress),
            "schedulingConfig": written(job.scheduling),
            "scheduledJobRollouts": self._rollouts(job.scheduling),
            "destinationPackageVersions": list(job.packages) or None,
        }

    def _process_details(self, job: Job, progress: Progress) -> Members:
        details: Members = dict(process_details(progress))
        if not progress.rolled_out and job.status is JobStatus.IN_PROGRESS:
            left = job.targets[progress.target :]
            details["processingTargets"] = [self._jobs.target_arn(target) for target in left]
        return details

    def _rollouts(self, scheduling: SchedulingConfig | None) -> list[Mapping[str, Any]] | None:
        if scheduling is None or not scheduling.maintenance_windows:
            return None
        times = upcoming(scheduling.maintenance_windows, self._clock.time(), ROLLOUTS)
        return [{"startTime": written_time(time)} for time in times]

    async def _summary(self, job: Job) -> Members:
        group = next((target.id for target in job.targets if target.kind == "thinggroup"), None)
        return {
            "jobArn": self._jobs.arn(job.id),
            "jobId": job.id,
            "thingGroupId": group,
            "targetSelection": job.selection.value,
            "status": job.status.value,
            "createdAt": job.created,
            "lastUpdatedAt": job.updated,
            "completedAt": job.completed,
            "isConcurrent": _is_concurrent(job, await self._jobs.progress_of(job.id)),
        }


async def check_source(documents: JobDocuments, allow_to: AllowTo, call: Call) -> None:
    """Raise AccessDenied where the caller may not read the object that `documentSource` names: it is read with the
    platform's own credentials, and whoever made the job could look at it with GetJobDocument.

    AWS's text for that is UNVERIFIED.
    """
    if (source := documents.source(call.params)) is not None:
        action = "s3:GetObject" if source.version is None else "s3:GetObjectVersion"
        await allow_to(call.caller, action, f"arn:aws:s3:::{source.bucket}/{source.key}")


def written_configs(one: Any) -> Members:
    """The configurations that jobs and templates share, as the API answers them."""
    return {
        "presignedUrlConfig": written(one.presigned),
        "jobExecutionsRolloutConfig": written(one.rollout),
        "abortConfig": written(one.abort),
        "timeoutConfig": written(one.timeout),
        "jobExecutionsRetryConfig": written(one.retry),
    }


def _is_concurrent(job: Job, progress: Progress) -> bool:
    """Whether it is making executions, or cancelling them."""
    if job.status is JobStatus.IN_PROGRESS:
        return not progress.rolled_out
    return job.status is JobStatus.CANCELED and not progress.swept
