"""IoT's operations on job templates, from the wire to the jobs service and back."""

from fogbank.gateway.call import AllowTo, Call, Members, anything, operation
from fogbank.gateway.iot_jobs import check_source, written_configs
from fogbank.jobs.configs import written
from fogbank.jobs.records import Template
from fogbank.jobs.service import JobService
from fogbank.registry.tags import checked_tags
from fogbank.storage.paging import Paging


class IotJobTemplatesApi:
    """CreateJobTemplate to DeleteJobTemplate of botocore's `iot` model."""

    def __init__(self, service: JobService, allow_to: AllowTo = anything) -> None:
        """`allow_to` raises where a caller may not read the object that is to be the template's document."""
        self._documents = service.job_documents
        self._allow_to = allow_to
        self._templates = service.templates

    @operation("iot", "CreateJobTemplate")
    async def create_job_template(self, call: Call) -> Members:
        await check_source(self._documents, self._allow_to, call)
        template = await self._templates.create(call.params, checked_tags(call.params.get("tags")))
        return self._named(template)

    @operation("iot", "DescribeJobTemplate")
    async def describe_job_template(self, call: Call) -> Members:
        template = await self._templates.describe(call.params["jobTemplateId"])
        return {
            **self._named(template),
            "description": template.description,
            "documentSource": template.document_source,
            "document": template.document,
            "createdAt": template.created,
            **written_configs(template),
            "maintenanceWindows": [written(window) for window in template.windows] or None,
            "destinationPackageVersions": list(template.packages) or None,
        }

    @operation("iot", "ListJobTemplates")
    async def list_job_templates(self, call: Call) -> Members:
        page = await self._templates.page(Paging(call.params.get("nextToken"), call.params.get("maxResults")))
        summaries = [
            {**self._named(one), "description": one.description, "createdAt": one.created} for one in page.items
        ]
        return {"jobTemplates": summaries, "nextToken": page.next}

    @operation("iot", "DeleteJobTemplate")
    async def delete_job_template(self, call: Call) -> Members:
        await self._templates.delete(call.params["jobTemplateId"])
        return {}

    def _named(self, template: Template) -> Members:
        return {"jobTemplateArn": self._templates.arn(template.id), "jobTemplateId": template.id}
