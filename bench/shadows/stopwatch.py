"""The measured span: what was accepted in it, how long each took, and the CPU time on both sides."""

import asyncio
import time

from bench.rules.readings import cpu_seconds
from bench.shadows.exchange import Outcome, Task

DRAINING = 20.0
"""Seconds until what is under way at the end must have been answered."""


class Stopwatch:
    """Runs once. Clients ask `running` before they send anything more, and enter what they were answered."""

    def __init__(self, task: Task) -> None:
        self.running = True
        self.complaints: list[str] = []
        self._task = task
        self._measuring = False
        self._delays: list[float] = []

    def enter(self, delay: float) -> None:
        """An update was accepted, so many seconds after it had been sent."""
        if self._measuring:
            self._delays.append(delay)

    async def run(self) -> tuple[float, float, float]:
        """Warm up and measure; the seconds that the measured span took, and the CPU time of the server and of us."""
        task = self._task
        await asyncio.sleep(task.warm_up)
        start, server, own = time.monotonic(), cpu_seconds(task.pid), time.process_time()
        self._measuring = True
        await asyncio.sleep(task.seconds)
        self._measuring = self.running = False
        return time.monotonic() - start, cpu_seconds(task.pid) - server, time.process_time() - own

    def outcome(self, spans: tuple[float, float, float]) -> Outcome:
        """When all is over."""
        delays = sorted(self._delays) or [0.0]
        seconds, server, own = spans
        return Outcome(
            updates=len(self._delays),
            seconds=seconds,
            server_cpu=server,
            client_cpu=own,
            p50=delays[len(delays) // 2],
            p99=delays[len(delays) * 99 // 100],
            complaints=self.complaints,
        )
