"""Waiting for something, but not for ever."""

import asyncio
from typing import Any

from fogbank.clock import Clock
from fogbank.tasks import Tasks


async def wait_for(first: asyncio.Future[Any], seconds: float, clock: Clock, tasks: Tasks) -> None:
    """Return when `first` is done, or given up after `seconds` of this clock's time."""
    patience = tasks.start(clock.sleep(seconds), "patience")
    try:
        await asyncio.wait((first, patience), return_when=asyncio.FIRST_COMPLETED)
    finally:
        first.cancel()
        patience.cancel()
