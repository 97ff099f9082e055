"""Pre-provisioning hooks: a function of the account's owner that says whether a device may be provisioned, and as what
(developer guide, pre-provisioning-hook).

Nothing but an answer that says so lets a device through: a function that fails, hangs or answers something else is a
no. The device learns that it was refused, and why as far as that is not the function's own business; the trace and the
log tell the owner the rest.
"""

import logging
from collections.abc import Mapping

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import FogbankError
from fogbank.patience import invoke_within
from fogbank.ports import InvocationResult, Invoker, ServiceCaller
from fogbank.registry.provisioning.errors import AccessDenied
from fogbank.registry.provisioning.records import Hook
from fogbank.tasks import Tasks
from fogbank.trace import Trace

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a function has to answer (developer guide, pre-provisioning-hook)."""
MOST_PARAMETERS = 256
_SERVICE = "iot.amazonaws.com"
_MOST_SHOWN = 400


class HookEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the function is sent."""

    claim_certificate_id: str | None = None
    """None where the device came with its own certificate (JITP)."""
    certificate_id: str
    certificate_pem: str
    template_arn: str
    client_id: str | None = None
    parameters: Mapping[str, str]


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    allow_provisioning: bool = False
    parameter_overrides: dict[str, str] = {}


class _NoAnswer(Exception):
    """Why there is none; the text is for the owner."""


class Hooks:
    """Asks the functions of templates about devices."""

    def __init__(self, invoker: Invoker, arns: Arns, clock: Clock, trace: Trace) -> None:
        self._invoker = invoker
        self._account = arns.account
        self._clock = clock
        self._trace = trace
        self._tasks = Tasks("provisioning-hooks")
        self._decode = msgspec.json.Decoder(_Answer).decode

    async def close(self) -> None:
        """End what is still being asked."""
        await self._tasks.close()

    async def ask(self, hook: Hook, event: HookEvent) -> dict[str, str]:
        """The parameters with which the device is to be provisioned. Raises AccessDenied."""
        began = self._clock.monotonic()
        try:
            answer = await self._answer(hook, event)
        except _NoAnswer as problem:
            log.warning("pre-provisioning hook %s did not allow %s: %s", hook.function_arn, event.template_arn, problem)
            self._tell(hook, event, "failure", str(problem), began)
            raise AccessDenied("The pre-provisioning hook of the template failed.") from None
        if not answer.allow_provisioning:
            self._tell(hook, event, "denied", "the function did not answer allowProvisioning: true", began)
            raise AccessDenied("The pre-provisioning hook of the template did not allow it.")
        self._tell(hook, event, "success", "", began)
        return {**event.parameters, **answer.parameter_overrides}

    async def _answer(self, hook: Hook, event: HookEvent) -> _Answer:
        result = await self._invoke(hook, event)
        shown = result.payload[:_MOST_SHOWN].decode("utf-8", "replace")
        if result.function_error is not None:
            raise _NoAnswer(f"the function failed: {shown}")
        try:
            answer = self._decode(result.payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _NoAnswer(
                'the function must answer {"allowProvisioning": true|false, "parameterOverrides": {name: string}}:'
                f" {error}; it answered {shown}"
            ) from None
        if len(answer.parameter_overrides) > MOST_PARAMETERS:
            raise _NoAnswer(f"the function overrides more than {MOST_PARAMETERS} parameters")
        return answer

    async def _invoke(self, hook: Hook, event: HookEvent) -> InvocationResult:
        caller = ServiceCaller(_SERVICE, event.template_arn, self._account)
        payload = msgspec.json.encode(event)
        try:
            result = await invoke_within(
                PATIENCE, self._invoker, hook.function_arn, payload, caller, self._clock, self._tasks
            )
        except FogbankError as error:
            raise _NoAnswer(f"the function could not be invoked: {error}") from None
        if result is None:
            raise _NoAnswer(f"the function did not answer within {PATIENCE:g} seconds")
        return result

    def _tell(self, hook: Hook, event: HookEvent, status: str, reason: str, began: float) -> None:
        if self._trace.active:
            self._trace.emit(
                "provisioning",
                status,
                reason=reason,
                name=f"hook {hook.function_arn}",
                client_id=event.client_id or "",
                principal=event.claim_certificate_id or event.certificate_id,
                duration_ms=(self._clock.monotonic() - began) * 1000,
            )
