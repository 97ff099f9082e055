"""Pre-provisioning hooks: nothing but a clear yes is one (developer guide, pre-provisioning-hook)."""

import asyncio
from typing import Any

import pytest
from tests.registry.provisioning.stage import HOOK, Functions

from fogbank.errors import Forbidden
from fogbank.ports import ServiceCaller
from fogbank.registry.provisioning.errors import AccessDenied
from fogbank.registry.provisioning.hooks import HookEvent, Hooks
from fogbank.registry.provisioning.records import Hook
from fogbank.testing import FakeClock
from fogbank.trace import TraceEvent

THE_HOOK = Hook(HOOK, "2020-04-01")
EVENT = HookEvent(
    claim_certificate_id="claim",
    certificate_id="c",
    certificate_pem="PEM",
    template_arn="arn:aws:iot:eu-west-1:123456789012:provisioningtemplate/T",
    client_id="device",
    parameters={"SerialNumber": "7"},
)


async def test_the_function_is_asked_by_the_template(hooks: Hooks, functions: Functions) -> None:
    assert await hooks.ask(THE_HOOK, EVENT) == {"SerialNumber": "7"}
    assert functions.events == [
        {
            "claimCertificateId": "claim",
            "certificateId": "c",
            "certificatePem": "PEM",
            "templateArn": EVENT.template_arn,
            "clientId": "device",
            "parameters": {"SerialNumber": "7"},
        }
    ]
    assert functions.callers == [ServiceCaller("iot.amazonaws.com", EVENT.template_arn, "123456789012")]


async def test_what_it_overrides_is_added(hooks: Hooks, functions: Functions) -> None:
    functions.answer = {"allowProvisioning": True, "parameterOverrides": {"Site": "yard", "SerialNumber": "8"}}
    assert await hooks.ask(THE_HOOK, EVENT) == {"SerialNumber": "8", "Site": "yard"}


@pytest.mark.parametrize(
    "answer",
    [
        {"allowProvisioning": False},
        {"allowProvisioning": False, "parameterOverrides": {"a": "b"}},
        {},
        {"allowprovisioning": True},
    ],
)
async def test_a_no(hooks: Hooks, functions: Functions, answer: Any, traced: list[TraceEvent]) -> None:
    functions.answer = answer
    with pytest.raises(AccessDenied, match="did not allow"):
        await hooks.ask(THE_HOOK, EVENT)
    assert [(one.kind, one.status) for one in traced] == [("provisioning", "denied")]


@pytest.mark.parametrize(
    "answer",
    [
        {"allowProvisioning": "true"},
        {"allowProvisioning": 1},
        {"allowProvisioning": None},
        {"allowProvisioning": True, "parameterOverrides": {"a": 1}},
        {"allowProvisioning": True, "parameterOverrides": []},
        {"allowProvisioning": True, "parameterOverrides": {str(n): "" for n in range(257)}},
        [],
        True,
        None,
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
    ],
    ids=lambda answer: repr(answer)[:60],
)
async def test_what_is_neither_yes_nor_no(
    hooks: Hooks, functions: Functions, answer: Any, traced: list[TraceEvent]
) -> None:
    functions.answer = answer
    with pytest.raises(AccessDenied, match="failed"):
        await hooks.ask(THE_HOOK, EVENT)
    assert [one.status for one in traced] == ["failure"]
    assert traced[0].reason


async def test_a_function_that_fails(
    hooks: Hooks, functions: Functions, traced: list[TraceEvent], caplog: pytest.LogCaptureFixture
) -> None:
    functions.failed, functions.answer = True, {"errorMessage": "secret", "allowProvisioning": True}
    with pytest.raises(AccessDenied) as denied:
        await hooks.ask(THE_HOOK, EVENT)
    assert "secret" not in str(denied.value)
    assert "secret" in traced[0].reason
    assert "secret" in caplog.text


async def test_a_function_that_must_not_be_asked(hooks: Hooks, functions: Functions, traced: list[TraceEvent]) -> None:
    functions.answer = Forbidden("no permission for iot.amazonaws.com")
    with pytest.raises(AccessDenied):
        await hooks.ask(THE_HOOK, EVENT)
    assert "no permission" in traced[0].reason


async def test_it_has_five_seconds(hooks: Hooks, functions: Functions, clock: FakeClock) -> None:
    functions.wait = asyncio.Event().wait
    asking = asyncio.create_task(hooks.ask(THE_HOOK, EVENT))
    await clock.advance(4.9)
    assert not asking.done()
    await clock.advance(0.2)
    with pytest.raises(AccessDenied, match="failed"):
        await asking
