"""The keys that handlers sign with, and functions whose role Lambda may not assume."""

from typing import Any

import pytest
from tests.functions.asking import answer
from tests.functions.conftest import MakeService
from tests.functions.specimens import ARCHIVE, configuration

from fogbank.errors import Forbidden, InvalidParameterValue
from fogbank.functions.service import FunctionService
from fogbank.ports import RoleCredentials

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


class Roles:
    """Implements `ports.ExecutionRoles`: numbered keys, which end when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refused = ""
        self.over: set[str] = set()

    async def check(self, role_arn: str, function_arn: str) -> None:
        if self.refused:
            raise Forbidden(self.refused)

    async def credentials(self, role_arn: str, function_arn: str) -> RoleCredentials:
        await self.check(role_arn, function_arn)
        self.asked.append((role_arn, function_arn))
        return RoleCredentials(f"ASIA{len(self.asked)}", "secret", "token", 0.0)

    def hold(self, credentials: RoleCredentials) -> bool:
        return credentials.key_id not in self.over


@pytest.fixture
def roles() -> Roles:
    return Roles()


@pytest.fixture
async def service(make_service: MakeService, roles: Roles) -> FunctionService:
    service = await make_service(roles=roles)
    await service.create("f", ARCHIVE, configuration())
    return service


async def keys(service: FunctionService) -> dict[str, Any]:
    found = await answer(service, do="variables")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return {name: found[name] for name in names if name in found}


async def test_a_handler_signs_with_keys_of_its_role(service: FunctionService, roles: Roles) -> None:
    given = {"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
    assert await keys(service) == given
    assert roles.asked == [(configuration().role, ARN)]
    assert await keys(service) == given, "it is warm"


async def test_one_whose_keys_are_over_is_started_anew(service: FunctionService, roles: Roles) -> None:
    await keys(service)
    roles.over.add("ASIA1")
    assert (await keys(service))["AWS_ACCESS_KEY_ID"] == "ASIA2"


async def test_a_role_that_is_not_to_be_had(
    service: FunctionService, roles: Roles, caplog: pytest.LogCaptureFixture
) -> None:
    roles.refused = "it trusts nobody"
    assert await keys(service) == {}
    assert "the function f runs without credentials: it trusts nobody" in caplog.text


async def test_such_a_role_is_refused_where_it_is_named(service: FunctionService, roles: Roles) -> None:
    roles.refused = "it trusts nobody"
    words = r"The role defined for the function cannot be assumed by Lambda. \(it trusts nobody\)"
    with pytest.raises(InvalidParameterValue, match=words):
        await service.create("g", ARCHIVE, configuration())
    with pytest.raises(InvalidParameterValue, match=words):
        await service.update_configuration("f", role="arn:aws:iam::123456789012:role/other")
    await service.update_configuration("f", description="the role stays")
