"""Operations on provisioning templates and claims, held against botocore's model."""

import gzip
import json
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from tests.registry.provisioning.stage import FLEET, HOOK, JITP, ROLE, body
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.errors import ServiceError
from fogbank.gateway.call import Call, Caller, Members, operations
from fogbank.gateway.iot_provisioning_claims import IotProvisioningClaimsApi
from fogbank.gateway.iot_provisioning_templates import IotProvisioningTemplatesApi
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock

NOW = 1_700_000_000.0
ARN = "arn:aws:iot:eu-west-1:123456789012:provisioningtemplate/T"
T: dict[str, Any] = {"templateName": "T"}
MADE = T | {"templateBody": body(FLEET), "provisioningRoleArn": ROLE}


class Iot:
    """Calls operations by name; parameters, answers and errors must be those that the model knows."""

    def __init__(self, registry: Registry) -> None:
        apis = (IotProvisioningTemplatesApi(registry), IotProvisioningClaimsApi(registry))
        self._handlers = {name: handler for api in apis for (_, name), handler in operations(api)}
        [path] = (Path(botocore.__file__).parent / "data" / "iot").glob("*/service-2.json*")
        data = path.read_bytes()
        self._model = ServiceModel(json.loads(gzip.decompress(data) if path.suffix == ".gz" else data), "iot")

    async def call(self, name: str, **params: Any) -> Members:
        shapes = self._model.operation_model(name)
        _check(params, shapes.input_shape)
        answer = await self._handlers[name](Call("iot", name, params, Caller("AKIA", "arn"), "r"))
        answer = _without_none(answer)
        assert isinstance(answer, dict)
        _check(answer, shapes.output_shape)
        assert answer.keys() <= shapes.output_shape.members.keys()
        return answer

    async def refused(self, name: str, **params: Any) -> str:
        with pytest.raises(ServiceError) as refused:
            await self.call(name, **params)
        code = refused.value.code
        assert code in [shape.name for shape in self._model.operation_model(name).error_shapes]
        return code


def _check(value: Members, shape: Any) -> None:
    report = ParamValidator().validate(_without_none(value), shape)
    assert not report.has_errors(), report.generate_report()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list) else value


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def registry(clock: FakeClock, tmp_path: Path) -> Registry:
    arns = Arns("eu-west-1", "123456789012")
    return Registry(MemoryDocuments(), arns, clock, OwnCa(tmp_path / "ca", clock).devices, Published())


@pytest.fixture
def iot(registry: Registry) -> Iot:
    return Iot(registry)


async def test_a_template(iot: Iot, registry: Registry, clock: FakeClock) -> None:
    hook = {"targetArn": HOOK}
    made = await iot.call(
        "CreateProvisioningTemplate",
        **MADE,
        description="lamps",
        enabled=True,
        preProvisioningHook=hook,
        tags=[{"Key": "site", "Value": "hall"}],
    )
    assert made == {"templateArn": ARN, "templateName": "T", "defaultVersionId": 1}
    assert await registry.tags.list(ARN) == {"site": "hall"}
    summary = {
        "templateArn": ARN,
        "templateName": "T",
        "description": "lamps",
        "creationDate": NOW,
        "lastModifiedDate": NOW,
        "enabled": True,
        "type": "FLEET_PROVISIONING",
    }
    described = {
        **summary,
        "defaultVersionId": 1,
        "templateBody": body(FLEET),
        "provisioningRoleArn": ROLE,
        "preProvisioningHook": {"payloadVersion": "2020-04-01", "targetArn": HOOK},
    }
    assert await iot.call("DescribeProvisioningTemplate", **T) == described
    assert await iot.call("ListProvisioningTemplates") == {"templates": [summary]}
    await clock.advance(1)
    assert await iot.call("UpdateProvisioningTemplate", **T, enabled=False, removePreProvisioningHook=True) == {}
    del described["preProvisioningHook"]
    described |= {"enabled": False, "lastModifiedDate": NOW + 1}
    assert await iot.call("DescribeProvisioningTemplate", **T) == described
    assert await iot.call("DeleteProvisioningTemplate", **T) == {}
    assert await iot.call("ListProvisioningTemplates") == {"templates": []}


async def test_a_template_for_just_in_time_provisioning(iot: Iot) -> None:
    await iot.call("CreateProvisioningTemplate", **MADE | {"templateBody": body(JITP)}, type="JITP")
    described = await iot.call("DescribeProvisioningTemplate", **T)
    assert (described["type"], described["enabled"]) == ("JITP", False)


async def test_versions(iot: Iot) -> None:
    await iot.call("CreateProvisioningTemplate", **MADE)
    second = {"templateBody": body(FLEET)}
    made = await iot.call("CreateProvisioningTemplateVersion", **T, **second)
    assert made == {"templateArn": ARN, "templateName": "T", "versionId": 2, "isDefaultVersion": False}
    made = await iot.call("CreateProvisioningTemplateVersion", **T, **second, setAsDefault=True)
    assert (made["versionId"], made["isDefaultVersion"]) == (3, True)
    first, page = [], await iot.call("ListProvisioningTemplateVersions", **T, maxResults=2)
    while True:
        first += page["versions"]
        if "nextToken" not in page:
            break
        page = await iot.call("ListProvisioningTemplateVersions", **T, maxResults=2, nextToken=page["nextToken"])
    assert first == [
        {"versionId": number, "creationDate": NOW, "isDefaultVersion": number == 3} for number in (1, 2, 3)
    ]
    described = await iot.call("DescribeProvisioningTemplateVersion", **T, versionId=3)
    assert described == {**first[2], **second}
    assert await iot.call("DeleteProvisioningTemplateVersion", **T, versionId=2) == {}
    await iot.call("UpdateProvisioningTemplate", **T, defaultVersionId=1)
    assert (await iot.call("DescribeProvisioningTemplate", **T))["defaultVersionId"] == 1


async def test_refusals(iot: Iot) -> None:
    not_found = "ResourceNotFoundException"
    missing: dict[str, dict[str, Any]] = {
        "DescribeProvisioningTemplate": {},
        "UpdateProvisioningTemplate": {},
        "DeleteProvisioningTemplate": {},
        "ListProvisioningTemplateVersions": {},
        "CreateProvisioningTemplateVersion": {"templateBody": body(FLEET)},
        "DescribeProvisioningTemplateVersion": {"versionId": 1},
        "DeleteProvisioningTemplateVersion": {"versionId": 1},
        "CreateProvisioningClaim": {},
    }
    for name, more in missing.items():
        assert await iot.refused(name, **T, **more) == not_found
    assert await iot.refused("CreateProvisioningTemplate", **MADE | {"templateBody": "{}"}) == "InvalidRequestException"
    await iot.call("CreateProvisioningTemplate", **MADE)
    assert await iot.refused("CreateProvisioningTemplate", **MADE) == "ResourceAlreadyExistsException"
    assert await iot.refused("DeleteProvisioningTemplateVersion", **T, versionId=1) == "DeleteConflictException"
    for _ in range(4):
        await iot.call("CreateProvisioningTemplateVersion", **T, templateBody=body(FLEET))
    fifth = await iot.refused("CreateProvisioningTemplateVersion", **T, templateBody=body(FLEET))
    assert fifth == "VersionsLimitExceededException"
