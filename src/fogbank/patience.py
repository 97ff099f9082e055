"""Waiting for something, but not for ever."""

import asyncio
from typing import Any

from fogbank.clock import Clock
from fogbank.errors import FogbankError
from fogbank.ports import InvocationResult, Invoker, ServiceCaller
from fogbank.tasks import Tasks


async def wait_for(first: asyncio.Future[Any], seconds: float, clock: Clock, tasks: Tasks) -> None:
    """Return when `first` is done, or given up after `seconds` of this clock's time."""
    patience = tasks.start(clock.sleep(seconds), "patience")
    try:
        await asyncio.wait((first, patience), return_when=asyncio.FIRST_COMPLETED)
    finally:
        first.cancel()  # where it is not done
        patience.cancel()


async def invoke_within(
    seconds: float,
    invoker: Invoker,
    function: str,
    payload: bytes,
    caller: ServiceCaller,
    clock: Clock,
    tasks: Tasks,
) -> InvocationResult | None:
    """What a function answers; None where it takes longer than that, and goes on. Raises as `Invoker.invoke`."""
    asking = tasks.start(_invoked(invoker, function, payload, caller), function)
    await wait_for(asking, seconds, clock, tasks)
    if not asking.done() or asking.cancelled():
        return None
    result: InvocationResult | FogbankError = asking.result()
    if isinstance(result, FogbankError):
        raise result
    return result


async def _invoked(
    invoker: Invoker, function: str, payload: bytes, caller: ServiceCaller
) -> InvocationResult | FogbankError:
    """An error is a result here, so that it is told once, by who asked, and not as a task that failed."""
    try:
        return await invoker.invoke(function, payload, caller=caller)
    except FogbankError as error:
        return error
