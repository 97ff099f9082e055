"""The IoT API of provisioning templates and their versions."""

from typing import Any

from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.provisioning.records import Hook, ProvisioningTemplate, TemplateType
from fogbank.registry.provisioning.templates import PAYLOAD_VERSION
from fogbank.registry.registry import Registry
from fogbank.registry.tags import checked_tags
from fogbank.storage.paging import Paging


class IotProvisioningTemplatesApi:
    """CreateProvisioningTemplate to ListProvisioningTemplateVersions."""

    def __init__(self, registry: Registry) -> None:
        self._templates = registry.provisioning_templates
        self._versions = registry.template_versions

    @operation("iot", "CreateProvisioningTemplate")
    async def create_provisioning_template(self, call: Call) -> Members:
        params = call.params
        name = params["templateName"]
        template = await self._templates.create(
            name,
            params["templateBody"],
            params["provisioningRoleArn"],
            type_=TemplateType(params.get("type", TemplateType.FLEET_PROVISIONING.value)),
            description=params.get("description"),
            enabled=bool(params.get("enabled")),
            hook=_hook(params.get("preProvisioningHook")),
            tags=checked_tags(params.get("tags")),
        )
        return {
            "templateArn": self._templates.arn(name),
            "templateName": name,
            "defaultVersionId": template.default,
        }

    @operation("iot", "DescribeProvisioningTemplate")
    async def describe_provisioning_template(self, call: Call) -> Members:
        template = await self._templates.describe(call.params["templateName"])
        hook = template.hook
        return {
            **self._summary(template),
            "defaultVersionId": template.default,
            "templateBody": template.body,
            "provisioningRoleArn": template.role_arn,
            "preProvisioningHook": None
            if hook is None
            else {"payloadVersion": hook.payload_version, "targetArn": hook.function_arn},
        }

    @operation("iot", "UpdateProvisioningTemplate")
    async def update_provisioning_template(self, call: Call) -> Members:
        params = call.params
        await self._templates.update(
            params["templateName"],
            description=params.get("description"),
            enabled=params.get("enabled"),
            default=params.get("defaultVersionId"),
            role_arn=params.get("provisioningRoleArn"),
            hook=_hook(params.get("preProvisioningHook")),
            remove_hook=bool(params.get("removePreProvisioningHook")),
        )
        return {}

    @operation("iot", "DeleteProvisioningTemplate")
    async def delete_provisioning_template(self, call: Call) -> Members:
        await self._templates.delete(call.params["templateName"])
        return {}

    @operation("iot", "ListProvisioningTemplates")
    async def list_provisioning_templates(self, call: Call) -> Members:
        page = await self._templates.page(_paging(call.params))
        return {"templates": [self._summary(one) for one in page.items], "nextToken": page.next}

    @operation("iot", "CreateProvisioningTemplateVersion")
    async def create_provisioning_template_version(self, call: Call) -> Members:
        name, default = call.params["templateName"], bool(call.params.get("setAsDefault"))
        number = await self._versions.create(name, call.params["templateBody"], default=default)
        return {
            "templateArn": self._templates.arn(name),
            "templateName": name,
            "versionId": number,
            "isDefaultVersion": default,
        }

    @operation("iot", "DescribeProvisioningTemplateVersion")
    async def describe_provisioning_template_version(self, call: Call) -> Members:
        number = call.params["versionId"]
        template, version = await self._versions.describe(call.params["templateName"], number)
        return {**_version(template, number), "templateBody": version.body}

    @operation("iot", "ListProvisioningTemplateVersions")
    async def list_provisioning_template_versions(self, call: Call) -> Members:
        template, page = await self._versions.page(call.params["templateName"], _paging(call.params))
        return {"versions": [_version(template, number) for number in page.items], "nextToken": page.next}

    @operation("iot", "DeleteProvisioningTemplateVersion")
    async def delete_provisioning_template_version(self, call: Call) -> Members:
        await self._versions.delete(call.params["templateName"], call.params["versionId"])
        return {}

    def _summary(self, template: ProvisioningTemplate) -> Members:
        return {
            "templateArn": self._templates.arn(template.name),
            "templateName": template.name,
            "description": template.description,
            "creationDate": template.created,
            "lastModifiedDate": template.modified,
            "enabled": template.enabled,
            "type": template.type.value,
        }


def _version(template: ProvisioningTemplate, number: int) -> Members:
    return {
        "versionId": number,
        "creationDate": template.versions[number].created,
        "isDefaultVersion": number == template.default,
    }


def _hook(given: dict[str, Any] | None) -> Hook | None:
    return None if given is None else Hook(given["targetArn"], given.get("payloadVersion", PAYLOAD_VERSION))


def _paging(params: Members) -> Paging:
    return Paging(params.get("nextToken"), params.get("maxResults"))
