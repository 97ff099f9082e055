"""AWS Lambda: functions and their invocation. The way in for the gateway, for rules and for authorizers."""

import asyncio
import base64
import logging
import platform
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import Forbidden, InvalidParameterValue, ServiceError
from fogbank.functions import failures, resource_policy
from fogbank.functions.code import CodeCache
from fogbank.functions.environment import Environment
from fogbank.functions.errors import AccessDenied, InvalidRequestContent, RequestTooLarge
from fogbank.functions.events import EventQueues
from fogbank.functions.executors.automatic import AutomaticExecutor
from fogbank.functions.executors.base import Executor
from fogbank.functions.function import Changes, Configuration, Function
from fogbank.functions.invocation import Invocation, Outcome, new_request_id
from fogbank.functions.logs import LogLine, Logs
from fogbank.functions.pool import CONCURRENCY, IDLE_SECONDS, Pool
from fogbank.functions.registry import Registry
from fogbank.functions.variables import PlatformVariables, signing, variables
from fogbank.ports import (
    Blobs,
    Documents,
    ExecutionRoles,
    InvocationResult,
    InvocationType,
    Queue,
    RoleCredentials,
    ServiceCaller,
)
from fogbank.storage.blob_links import BlobLinks
from fogbank.tasks import Tasks
from fogbank.trace import Trace

MAX_EVENT = 6 * 1024 * 1024
MAX_ASYNCHRONOUS_EVENT = 1024 * 1024
"""Bytes; developer guide, "Lambda quotas" (256 KB until 2025)."""
MAX_CLIENT_CONTEXT = 3583
"""Bytes of base64; API reference, Invoke."""
GRACE = 5.0
"""Seconds that invocations at work have to finish when the platform closes."""

log = logging.getLogger(__name__)


class FunctionService:
    """Implements `ports.Invoker`. `function` arguments take names, partial ARNs and ARNs.

    `code_dir` is this process's alone; what it holds (unpacked code, the environments' scratch directories) ends with
    the process and is removed at the next start at the latest. `environment_variables` is asked with each start of an
    environment: AWS_ENDPOINT_URL. `roles` has the keys that handlers sign with; without it they have none. No function
    is to see what is in the `private` directories.
    """

    def __init__(
        self,
        documents: Documents,
        queue: Queue,
        blobs: Blobs,
        arns: Arns,
        clock: Clock,
        trace: Trace,
        code_dir: Path,
        environment_variables: PlatformVariables,
        *,
        private: Sequence[Path] = (),
        roles: ExecutionRoles | None = None,
        executor: Executor | None = None,
        concurrency: int = CONCURRENCY,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._arns = arns
        self._clock = clock
        self._trace = trace
        self._scratch = code_dir / "environments"
        self._environment_variables = environment_variables
        self._roles = roles
        self._executor = executor or AutomaticExecutor((code_dir, *private))
        self._code = CodeCache(blobs, code_dir / "code")
        self._links = BlobLinks(clock)
        self._logs = Logs(clock)
        self.registry = Registry(documents, self._code, arns, clock)
        self._pool = Pool(
            self._make_environment,
            self.registry.current,
            clock,
            gone=self._tidy,
            concurrency=concurrency,
            idle_seconds=idle_seconds,
        )
        self._events = EventQueues(queue, clock, self._run_event)
        self._tasks = Tasks("functions")

    async def start(self) -> None:
        """`load` and `resume`, where nothing has to happen in between."""
        await self.load()
        await self.resume()

    async def load(self) -> None:
        """Read what is stored and end what a killed run left behind. From now on functions can be invoked."""
        if self._scratch.exists():
            await self._executor.sweep(self._scratch)
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)
        await self._code.start()
        await self.registry.start()
        await self._pool.start()

    async def resume(self) -> None:
        """Go on with the events that an earlier run had accepted: once handlers can reach the platform's endpoint."""
        await self._events.start(self.registry.exists)

    async def close(self) -> None:
        """Take no more, give what is at work `GRACE` seconds to finish, then end all environments.

        Events that did not finish are done again after the next start.
        """
        self._pool.refuse()
        self._events.pause()
        closing = Tasks("functions.close")
        work = [closing.start(self._tasks.drain(), "calls"), closing.start(self._events.drain(), "events")]
        finished = closing.start(_all(work), "finished")
        grace = closing.start(self._clock.sleep(GRACE), "grace")
        await asyncio.wait({finished, grace}, return_when=asyncio.FIRST_COMPLETED)
        await closing.close()
        await self._tasks.close()
        await self._events.close()
        await self._pool.close()

    # --- functions, where a change has consequences; `registry` has all else --------------------------------------

    async def create(
        self,
        function: str,
        archive: bytes,
        configuration: Configuration,
        *,
        architecture: str = "x86_64",
        tags: Mapping[str, str] | None = None,
    ) -> Function:
        """Create a function. Raises ResourceConflict, InvalidParameterValue, RequestTooLarge."""
        await self._check_role(configuration.role, self.registry.arn(function))
        created = await self.registry.create(function, archive, configuration, architecture=architecture, tags=tags)
        _warn_of_differences(created)
        return created

    async def update_code(
        self,
        function: str,
        archive: bytes,
        *,
        architecture: str | None = None,
        revision_id: str | None = None,
        dry_run: bool = False,
    ) -> Function:
        """Replace the code; later events find it. Raises PreconditionFailed, ResourceConflict, ResourceNotFound, ..."""
        before = self.registry.get(function)
        updated = await self.registry.update_code(
            function, archive, architecture=architecture, revision_id=revision_id, dry_run=dry_run
        )
        self._replaced(before)
        if dry_run:
            await self._tidy(updated.code_digest)
        return updated

    async def update_configuration(
        self, function: str, *, revision_id: str | None = None, **changes: Unpack[Changes]
    ) -> Function:
        """Change the configuration; later events find it. Raises as `update_code`."""
        before = self.registry.get(function)
        if (role := changes.get("role")) is not None:
            await self._check_role(role, self.registry.arn(before.name))
        updated = await self.registry.update_configuration(function, revision_id=revision_id, **changes)
        self._replaced(before)
        _warn_of_differences(updated)
        return updated

    async def delete(self, function: str, qualifier: str | None = None) -> None:
        """Delete the function with its queued events and its log."""
        deleted = await self.registry.delete(function, qualifier)
        await self._events.drop(deleted.name)
        self._logs.forget(deleted.name)
        self._replaced(deleted)

    def code_token(self, function: Function) -> str:
        """What `download` takes for the function's zip, for ten minutes."""
        return self._links.token(function.code_digest)

    async def download(self, token: str) -> bytes | None:
        """The zip that `code_token` was asked for; None where the token is not ours or has expired."""
        digest = self._links.digest(token)
        return None if digest is None else await self._code.archive(digest)

    def logs(self, function: str, limit: int | None = None) -> list[LogLine]:
        """The last lines that the function, and the platform about it, wrote."""
        return self._logs.of(self.registry.get(function).name).lines(limit)

    # --- invocation -----------------------------------------------------------------------------------------------

    async def invoke(
        self,
        function: str,
        payload: bytes,
        *,
        type_: InvocationType = InvocationType.REQUEST_RESPONSE,
        qualifier: str | None = None,
        caller: ServiceCaller | None = None,
        client_context: str | None = None,
        log_tail: bool = False,
        request_id: str | None = None,
    ) -> InvocationResult:
        """See `ports.Invoker`. `client_context` is base64 of JSON, `request_id` a UUID: one is made where None.

        A caller that goes away does not end the invocation.
        """
        found = self.registry.get(function, qualifier)
        self._authorise(found, caller)
        if type_ is InvocationType.DRY_RUN:
            return InvocationResult(status=204)
        invocation = Invocation(
            request_id=request_id or new_request_id(),
            payload=_event(payload, MAX_EVENT if type_ is InvocationType.REQUEST_RESPONSE else MAX_ASYNCHRONOUS_EVENT),
            function_arn=self.registry.arn(function, qualifier),
            client_context=None if client_context is None else _client_context(client_context),
        )
        if type_ is InvocationType.EVENT:
            await self._events.append(found.name, invocation)
            return InvocationResult(status=202)
        outcome = await asyncio.shield(self._tasks.start(self._run(found, invocation), found.name))
        return InvocationResult(
            status=200,
            payload=outcome.payload,
            function_error=None if outcome.failure is None else failures.UNHANDLED,
            log_tail=outcome.log_tail if log_tail else None,
        )

    def _authorise(self, function: Function, caller: ServiceCaller | None) -> None:
        if caller is None or resource_policy.allows(function.policy, caller):
            return
        reason = (
            f"User: {caller.principal} is not authorized to perform: {resource_policy.INVOKE} on resource: "
            f"{self._arns.function(function.name)} because no resource-based policy allows the "
            f"{resource_policy.INVOKE} action"
        )
        self._trace.emit("function", "denied", name=function.name, principal=caller.source_arn, reason=reason)
        raise AccessDenied(reason)

    async def _run(self, function: Function, invocation: Invocation) -> Outcome:
        try:
            outcome = await self._pool.run(function, invocation)
        except ServiceError as error:
            self._trace.emit("function", "failure", name=function.name, reason=error.message)
            raise
        if self._trace.active:
            self._trace.emit(
                "function",
                "success" if outcome.failure is None else "failure",
                name=function.name,
                duration_ms=outcome.duration_ms,
                reason="" if outcome.failure is None else failures.reason(outcome.failure),
                detail={"request_id": invocation.request_id, "log": outcome.log_tail.decode("utf-8", "replace")},
            )
        return outcome

    async def _run_event(self, name: str, invocation: Invocation) -> Outcome:
        return await self._run(self.registry.get(name), invocation)

    # --- environments ---------------------------------------------------------------------------------------------

    async def _make_environment(self, function: Function) -> Environment:
        code = await self._code.directory(function.code_digest)
        log = self._logs.of(function.name)
        keys = await self._credentials(function)
        holds = partial(_hold, self._roles, keys)
        environment = Environment(function, code, self._scratch, self._executor, self._clock, log, holds=holds)
        platform = {**self._environment_variables(), **({} if keys is None else signing(keys))}
        try:
            await environment.start(lambda address: self._variables(function, address, platform))
        except BaseException:
            await environment.stop()
            raise
        return environment

    async def _check_role(self, role: str, function_arn: str) -> None:
        """Raises InvalidParameterValue, in AWS's words."""
        if self._roles is not None:
            try:
                await self._roles.check(role, function_arn)
            except Forbidden as why:
                raise InvalidParameterValue(
                    f"The role defined for the function cannot be assumed by Lambda. ({why.message})"
                ) from None

    async def _credentials(self, function: Function) -> RoleCredentials | None:
        """Without a role that can be assumed, a function runs, and can sign nothing."""
        if self._roles is None:
            return None
        try:
            return await self._roles.credentials(function.configuration.role, self.registry.arn(function.name))
        except Forbidden as why:
            log.warning("the function %s runs without credentials: %s", function.name, why.message)
            return None

    def _variables(self, function: Function, runtime_api: str, platform: Mapping[str, str]) -> dict[str, str]:
        return variables(
            function,
            region=self._arns.region,
            runtime_api=runtime_api,
            platform=platform,
            now=self._clock.time(),
        )

    def _replaced(self, before: Function) -> None:
        self._pool.retire(before.name)
        self._tasks.start(self._tidy(before.code_digest), "tidy")

    async def _tidy(self, digest: str) -> None:
        await self._code.forget(digest, lambda one: self.registry.uses(one) or self._pool.uses(one))


async def _all(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


def _hold(roles: ExecutionRoles | None, keys: RoleCredentials | None) -> bool:
    return roles is None or keys is None or roles.hold(keys)


def _event(payload: bytes, limit: int) -> bytes:
    """The payload as an event: JSON, and an empty object where there is none."""
    if len(payload) > limit:
        raise RequestTooLarge(f"Request must be smaller than {limit} bytes for the InvokeFunction operation")
    if not payload:
        return b"{}"
    try:
        msgspec.json.decode(payload, type=msgspec.Raw)
        payload.isascii() or payload.decode()
    except failures.UNREADABLE as error:
        raise InvalidRequestContent(f"Could not parse request body into json: {error}") from error
    return payload


def _client_context(encoded: str) -> str:
    """The JSON text, in one line as a header needs it."""
    if len(encoded) > MAX_CLIENT_CONTEXT:
        raise RequestTooLarge(f"The client context must be smaller than {MAX_CLIENT_CONTEXT} bytes of base64")
    try:
        context = msgspec.json.decode(base64.b64decode(encoded, validate=True), type=dict[str, Any])
    except (ValueError, *failures.UNREADABLE) as error:  # ValueError: not base64
        raise InvalidRequestContent("Client context must be a valid Base64-encoded JSON object.") from error
    return msgspec.json.encode(context).decode()


def _warn_of_differences(function: Function) -> None:
    """What a function declares and this machine does not give it: said, and not held against it."""
    declared, architecture = function.configuration.runtime, function.architecture
    own = "python{}.{}".format(*platform.python_version_tuple())
    if declared != own:
        log.warning("%s declares %s and is run by this server's interpreter, %s", function.name, declared, own)
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if architecture not in (machine, "x86_64"):  # x86_64 is what AWS takes it for where nothing was declared
        log.warning("%s declares the architecture %s; this machine is %s", function.name, architecture, machine)
