"""Warm environments: each event goes to an idle one of its function's deployment, or to a new one.

The number of environments is bounded. Where the bound is reached, the longest idle one of any function makes room;
where none is idle, the event is throttled, as on AWS.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from fogbank.clock import Clock
from fogbank.errors import ServiceUnavailable
from fogbank.functions import failures
from fogbank.functions.environment import EnvironmentLost
from fogbank.functions.errors import TooManyRequests
from fogbank.functions.function import Function
from fogbank.functions.invocation import Invocation, Outcome
from fogbank.tasks import Tasks

CONCURRENCY = 64
"""Environments at once, by default: each is a process of some 30 MB and more."""
IDLE_SECONDS = 300.0
"""How long an idle environment is kept."""
ATTEMPTS = 3
"""Environments that an event is offered to, where each ends before it takes it."""

log = logging.getLogger(__name__)


class Runs(Protocol):
    """What the pool needs of an environment."""

    function: Function
    last_used: float

    @property
    def usable(self) -> bool: ...

    async def run(self, invocation: Invocation) -> Outcome: ...

    async def stop(self) -> None: ...


class Pool:
    """All environments of the platform. `make` starts one; `current` says whether a function's deployment still is."""

    def __init__(
        self,
        make: Callable[[Function], Awaitable[Runs]],
        current: Callable[[Function], bool],
        clock: Clock,
        *,
        gone: Callable[[str], Awaitable[None]],
        concurrency: int = CONCURRENCY,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._make = make
        self._current = current
        self._clock = clock
        self._gone = gone
        self._concurrency = concurrency
        self._idle_seconds = idle_seconds
        self._idle: list[Runs] = []
        """The one used last at the end: it is taken first, so that what is not needed grows old and goes."""
        self._starting: list[Function] = []
        self._live: set[Runs] = set()
        self._tasks = Tasks("functions.pool")
        self._reaper: asyncio.Task[None] | None = None
        self._closed = False

    def __len__(self) -> int:
        """Environments there are, those that start included and those that are being stopped not."""
        return len(self._live) + len(self._starting)

    async def start(self) -> None:
        """Begin to stop what stays idle for too long."""
        self._reaper = self._tasks.start(self._reap(), "reap")

    def refuse(self) -> None:
        """Take no more events."""
        self._closed = True

    async def close(self) -> None:
        """End all environments; whoever waits for an answer is told that its runtime ended."""
        self.refuse()
        if self._reaper is not None:
            self._reaper.cancel()
        for environment in list(self._live):
            self._discard(environment)
        await self._tasks.drain()

    async def run(self, function: Function, invocation: Invocation) -> Outcome:
        """Run the event in an environment of its own. Raises TooManyRequests, ServiceUnavailable."""
        exit_code = 0
        for _ in range(ATTEMPTS):
            if self._closed:
                raise ServiceUnavailable("the platform is shutting down")
            environment = self._take(function) or await self._start(function)
            try:
                return await environment.run(invocation)
            except EnvironmentLost as lost:
                log.info("%s", lost)
                exit_code = lost.exit_code
            finally:
                self._give_back(environment)
        failure = failures.exited(invocation.request_id, exit_code)
        return Outcome(payload=failure.document, failure=failure)

    def retire(self, name: str) -> None:
        """Stop a function's idle environments that are not current any more; busy ones follow when they are done."""
        stale = [one for one in self._idle if one.function.name == name and not self._current(one.function)]
        for environment in stale:
            self._discard(environment)

    def uses(self, digest: str) -> bool:
        """Whether an environment runs the code with this digest."""
        functions = [*(one.function for one in self._live), *self._starting]
        return any(function.code_digest == digest for function in functions)

    def _take(self, function: Function) -> Runs | None:
        for place in range(len(self._idle) - 1, -1, -1):
            environment = self._idle[place]
            if environment.function.deployment == function.deployment:
                del self._idle[place]
                if environment.usable:
                    return environment
                self._discard(environment)
        return None

    async def _start(self, function: Function) -> Runs:
        if len(self) >= self._concurrency:
            if not self._idle:
                raise TooManyRequests("Rate Exceeded.", Reason="ConcurrentInvocationLimitExceeded")
            self._discard(self._idle[0])
        self._starting.append(function)
        try:
            environment = await self._make(function)
        finally:
            self._starting.remove(function)
        self._live.add(environment)
        return environment

    def _give_back(self, environment: Runs) -> None:
        if environment not in self._live:
            return
        if environment.usable and not self._closed and self._current(environment.function):
            self._idle.append(environment)
        else:
            self._discard(environment)

    def _discard(self, environment: Runs) -> None:
        self._live.discard(environment)
        if environment in self._idle:
            self._idle.remove(environment)
        self._tasks.start(self._stop(environment), "stop")

    async def _stop(self, environment: Runs) -> None:
        await environment.stop()
        await self._gone(environment.function.code_digest)

    async def _reap(self) -> None:
        while True:
            await self._clock.sleep(self._idle_seconds / 4)
            oldest = self._clock.monotonic() - self._idle_seconds
            for environment in [one for one in self._idle if one.last_used <= oldest or not one.usable]:
                self._discard(environment)
