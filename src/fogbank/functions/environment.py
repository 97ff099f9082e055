"""One execution environment: a runtime's process, its endpoint and scratch directory, one event at a time."""

import asyncio
import platform
import shutil
import signal
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec

from fogbank.clock import Clock
from fogbank.errors import FogbankError
from fogbank.functions import failures, peers, processes
from fogbank.functions.executors.base import Executor, Launch, RunningProcess
from fogbank.functions.failures import Failure
from fogbank.functions.function import Function
from fogbank.functions.invocation import Invocation, Outcome, new_trace_id
from fogbank.functions.lifecycle import Event, IllegalTransition, State, move
from fogbank.functions.logs import FunctionLog, LogPipe, Tail, report
from fogbank.functions.names import LATEST
from fogbank.functions.runtime_api import ACCEPTED, MAX_RESPONSE, Address, Answer, Reply, RuntimeApi, refusal
from fogbank.tasks import Tasks

INIT_TIMEOUT = 10.0
"""Seconds; developer guide, "Lambda execution environment lifecycle"."""
MEMORY_INTERVAL = 0.1
"""Seconds between two looks at the memory of a busy environment."""

_MB = 1 << 20


class EnvironmentLost(FogbankError):
    """The environment ended before it was handed the event; another one may take it."""

    def __init__(self, name: str, exit_code: int) -> None:
        super().__init__(f"an environment of {name} ended with {exit_code} before it took the event")
        self.exit_code = exit_code


class _Current(msgspec.Struct):
    """The invocation at work."""

    invocation: Invocation
    attempt: str
    """Names this handing over, as a request id names the event: a late answer to an earlier attempt is told apart."""
    answer: "asyncio.Future[bytes | Failure]"
    started: float


class Environment:
    """Implements `runtime_api.Runtime` for its endpoint. Use: `start` once, `run` one after the other, `stop`."""

    def __init__(
        self,
        function: Function,
        code: Path,
        scratch: Path,
        executor: Executor,
        clock: Clock,
        log: FunctionLog,
        *,
        holds: Callable[[], bool] = lambda: True,
    ) -> None:
        """`holds`: whether what it is given to work with, its keys, is still good."""
        self.function = function
        self.last_used = clock.monotonic()
        self._code = code
        self._scratch = scratch / uuid.uuid4().hex
        self._executor = executor
        self._clock = clock
        self._log = log
        self._holds = holds
        self._tail = Tail()
        self._tasks = Tasks(f"function.{function.name}")
        self._api = RuntimeApi(self)
        self._state = State.STARTING
        self._changed = asyncio.Event()
        self._killed = False
        self._process: RunningProcess | None = None
        self._pipe: LogPipe | None = None
        self._pids: list[int] = []
        self._exit_code = -signal.SIGKILL
        self._memory_used = 0
        self._asking: Reply | None = None
        self._current: _Current | None = None
        self._stillborn: Callable[[str], Failure] | None = None
        """Set where the runtime never got ready: the failure, for a request id."""
        self._init_ms: float | None = None

    @property
    def usable(self) -> bool:
        """Whether it can take another event, now or in a moment."""
        return self._state in (State.IDLE, State.FINISHING) and not self._killed and self._holds()

    async def start(self, variables: Callable[[str], dict[str, str]]) -> None:
        """Start the runtime and wait until it is ready or has failed; `variables` is given the endpoint's address.

        That it fails is the function's matter: `run` then tells the caller.
        """
        begun = self._clock.monotonic()
        self._write(f"INIT_START Runtime Version: {_runtime_version(self.function)}")
        self._scratch.mkdir(mode=0o700, parents=True)
        self._pipe = LogPipe(self._write)
        self._process = await self._executor.start(self._launch(variables(await self._api.start()), self._pipe.writer))
        self._pipe.started()
        self._tasks.start(self._follow(self._process), "process")
        watch = self._tasks.start(self._watch_start(), "start")
        await self._until(lambda: self._state is not State.STARTING or self._stillborn is not None)
        watch.cancel()
        self._init_ms = (self._clock.monotonic() - begun) * 1000

    async def run(self, invocation: Invocation) -> Outcome:
        """Hand over the event and wait for what it comes to. Raises EnvironmentLost where it cannot be handed over."""
        if self._state is State.FINISHING:
            await self._until(lambda: self._state is not State.FINISHING)
        if self._stillborn is not None:
            return self._report_stillborn(invocation.request_id, self._stillborn(invocation.request_id))
        if self._asking is None or self._killed:
            raise EnvironmentLost(self.function.name, self._exit_code)
        current = self._hand_over(invocation, self._asking)
        watch = self._tasks.start(self._watch(current), "invocation")
        try:
            answer = await current.answer
        finally:
            watch.cancel()
            self._current = None
            self.last_used = self._clock.monotonic()
        return self._conclude(current, answer)

    async def stop(self) -> None:
        """End the process and all it started, and remove what it left."""
        self._kill()
        if self._process is None:
            self._ended()
        await self._until(lambda: self._state is State.DEAD)
        await self._tasks.close()
        await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)

    # --- what the runtime calls, by its endpoint ------------------------------------------------------------------

    def admits(self, peer: Address, own: Address) -> bool:
        """See `runtime_api.Runtime`."""
        return self._process is None or peers.belongs_to(peer, own, processes.tree(self._process.pid))

    def next(self, reply: Reply) -> None:
        """See `runtime_api.Runtime`."""
        try:
            self._move(Event.NEXT)
        except IllegalTransition as error:
            reply(refusal(403, "InvalidStateTransition", str(error)))
        else:
            self._asking = reply

    def hung_up(self, reply: Reply) -> None:
        """Nobody can be answered any more; a runtime that lost its connection is as good as ended."""
        if self._asking is reply:
            self._asking = None
            self._kill()

    def response(self, request_id: str, attempt: str | None, body: bytes | None) -> Answer:
        """See `runtime_api.Runtime`."""
        if body is None:
            too_large = failures.response_too_large(MAX_RESPONSE)
            self._write(too_large.line)
            taken = self._answer(request_id, attempt, too_large)
            return refusal(413, too_large.error_type, too_large.line) if taken is ACCEPTED else taken
        return self._answer(request_id, attempt, body)

    def error(self, request_id: str, attempt: str | None, body: bytes) -> Answer:
        """See `runtime_api.Runtime`."""
        return self._answer(request_id, attempt, failures.reported(body))

    def init_error(self, body: bytes) -> Answer:
        """See `runtime_api.Runtime`."""
        if self._state is not State.STARTING:
            return refusal(403, "InvalidStateTransition", f"the environment is {self._state.value}")
        self._fail_start(failures.reported(body))
        return ACCEPTED

    def _answer(self, request_id: str, attempt: str | None, answer: bytes | Failure) -> Answer:
        current = self._current
        if current is None or current.answer.done() or request_id != current.invocation.request_id:
            return refusal(400, "InvalidRequestID", f"{request_id} is not the request at work")
        if attempt not in (None, current.attempt):
            return refusal(400, "InvalidInvocationId", f"{attempt} is not the invocation at work")
        self._move(Event.ANSWER)
        current.answer.set_result(answer)
        return ACCEPTED

    # --- an invocation --------------------------------------------------------------------------------------------

    def _hand_over(self, invocation: Invocation, reply: Reply) -> _Current:
        now = self._clock.time()
        attempt = uuid.uuid4().hex
        answer: asyncio.Future[bytes | Failure] = asyncio.get_running_loop().create_future()
        self._current = current = _Current(invocation, attempt, answer, self._clock.monotonic())
        self._asking = None
        self._move(Event.DISPATCH)
        self._write(f"START RequestId: {invocation.request_id} Version: {LATEST}")
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Invocation-Id": attempt,
            "Lambda-Runtime-Deadline-Ms": str(int((now + self.function.configuration.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": new_trace_id(now),
        }
        if invocation.client_context is not None:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        reply(Answer(200, invocation.payload, headers))
        return current

    def _conclude(self, current: _Current, answer: bytes | Failure) -> Outcome:
        request_id = current.invocation.request_id
        duration_ms = (self._clock.monotonic() - current.started) * 1000
        if self._pipe is not None:
            self._pipe.drain()
        if self._over_memory() and isinstance(answer, bytes):  # used and given back between two looks
            answer = self._out_of_memory(request_id)
        failure = answer if isinstance(answer, Failure) else None
        tail = self._report(request_id, duration_ms, failure)
        payload = answer.document if isinstance(answer, Failure) else answer
        return Outcome(payload=payload, failure=failure, duration_ms=duration_ms, log_tail=tail)

    def _report_stillborn(self, request_id: str, failure: Failure) -> Outcome:
        duration_ms, self._init_ms = self._init_ms or 0.0, None
        self._write(f"START RequestId: {request_id} Version: {LATEST}")
        if failure.line:
            self._write(failure.line)
        tail = self._report(request_id, duration_ms, failure)
        return Outcome(payload=failure.document, failure=failure, duration_ms=duration_ms, log_tail=tail)

    def _report(self, request_id: str, duration_ms: float, failure: Failure | None) -> bytes:
        memory_size = self.function.configuration.memory_size
        self._write(f"END RequestId: {request_id}")
        line = report(
            request_id,
            duration_ms=duration_ms,
            init_ms=self._init_ms,
            memory_size=memory_size,
            memory_used=min(-(-self._memory_used // _MB), memory_size),
            status=failures.report_status(failure),
        )
        self._init_ms = None
        self._write(line)
        return self._tail.take()

    # --- bounds ---------------------------------------------------------------------------------------------------

    async def _watch(self, current: _Current) -> None:
        """End an invocation that takes too long or too much memory."""
        request_id, seconds = current.invocation.request_id, self.function.configuration.timeout
        in_time = await self._watch_memory(seconds)
        if current.answer.done():
            return
        if self._pipe is not None:
            self._pipe.drain()
        if in_time:
            failure = self._out_of_memory(request_id)
        else:
            failure = failures.timed_out(self._clock.time(), request_id, seconds)
            self._write(failure.line)
        current.answer.set_result(failure)
        self._kill()

    async def _watch_start(self) -> None:
        in_time = await self._watch_memory(INIT_TIMEOUT)
        if not in_time:
            self._write(f"INIT_REPORT Init Duration: {INIT_TIMEOUT * 1000:.2f} ms\tPhase: init\tStatus: timeout")
            self._stillborn = lambda request_id: failures.timed_out(self._clock.time(), request_id, INIT_TIMEOUT)
        else:
            self._stillborn = lambda request_id: failures.exited(request_id, -signal.SIGKILL)
        self._kill()
        self._notify()

    async def _watch_memory(self, seconds: float) -> bool:
        """Return True once too much memory is in use, False after `seconds`."""
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(MEMORY_INTERVAL, left))
            if self._process is not None:
                self._pids = processes.tree(self._process.pid)
                if self._over_memory():
                    return True
        return False

    def _over_memory(self) -> bool:
        """Look at the memory in use, and say whether it is too much."""
        limit = self.function.configuration.memory_size * _MB
        peaks = [processes.peak(pid) for pid in self._pids]
        if sum(peaks) > limit and self._process is not None:  # look again: a number may be another process's by now
            self._pids = processes.tree(self._process.pid)
            peaks = [processes.peak(pid) for pid in self._pids]
        self._memory_used = max(self._memory_used, sum(peaks))
        # The sum counts pages that processes share for each of them: only an exact look may end the function for it.
        return sum(peaks) > limit and (max(peaks) > limit or processes.proportional(self._pids) > limit)

    def _out_of_memory(self, request_id: str) -> Failure:
        self._kill()
        failure = failures.exited(request_id, -signal.SIGKILL)
        self._write(failure.line)
        return failure

    # --- the process ----------------------------------------------------------------------------------------------

    def _launch(self, variables: dict[str, str], output: int) -> Launch:
        configuration = self.function.configuration
        return Launch(
            handler=configuration.handler,
            code=self._code,
            scratch=self._scratch,
            variables=variables,
            memory=configuration.memory_size * _MB,
            storage=configuration.ephemeral_storage * _MB,
            output=output,
        )

    async def _follow(self, process: RunningProcess) -> None:
        self._exit_code = code = await process.wait()
        if self._pipe is not None:
            self._pipe.drain()
        if self._state is State.STARTING and self._stillborn is None:
            self._stillborn = lambda request_id: failures.exited(request_id, code)
        if self._current is not None and not self._current.answer.done():
            failure = failures.exited(self._current.invocation.request_id, code)
            self._write(failure.line)
            self._current.answer.set_result(failure)
        await process.finish()
        self._ended()

    def _kill(self) -> None:
        if self._process is not None and not self._killed:
            self._process.kill()
        self._killed = True

    def _ended(self) -> None:
        self._api.close()
        if self._pipe is not None:
            self._pipe.close()
        self._asking = None
        self._move(Event.END)

    def _fail_start(self, failure: Failure) -> None:
        self._stillborn = lambda _: failure
        self._notify()

    # --- state ----------------------------------------------------------------------------------------------------

    def _move(self, event: Event) -> None:
        before, self._state = self._state, move(self._state, event)
        if before is State.STARTING and self._process is not None:
            self._pids = processes.tree(self._process.pid)
            self._over_memory()
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            await self._changed.wait()

    def _write(self, text: str) -> None:
        self._log.write(text)
        self._tail.write(text)


def _runtime_version(function: Function) -> str:
    runs = f"python:{platform.python_version()}"
    declared = function.configuration.runtime
    major, minor, _ = platform.python_version_tuple()
    return runs if declared == f"python{major}.{minor}" else f"{runs} (declared: {declared})"
