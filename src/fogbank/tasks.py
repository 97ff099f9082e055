"""The one way to start a background task: owned, named, its failure logged, cancelled on shutdown."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


class Tasks:
    """Owns the background tasks of one service. `close()` cancels what still runs and waits for it."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `work` as a task named `owner.name`. An exception that leaves it is logged, once."""
        task = asyncio.create_task(work, name=f"{self._owner}.{name}")
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    async def drain(self) -> None:
        """Wait until nothing runs; what running tasks start in the meantime included."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Cancel everything and wait until it has ended."""
        for task in self._running:
            task.cancel()
        await self.drain()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background task %s failed", task.get_name(), exc_info=error)
