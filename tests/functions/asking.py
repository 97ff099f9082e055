"""How tests ask the function `f`, and look at what it wrote."""

from typing import Any

import msgspec

from fogbank.functions.service import FunctionService
from fogbank.ports import InvocationResult


async def invoke(service: FunctionService, **event: Any) -> InvocationResult:
    return await service.invoke("f", msgspec.json.encode(event), log_tail=True)


async def answer(service: FunctionService, **event: Any) -> Any:
    result = await invoke(service, **event)
    assert result.function_error is None, result.payload
    return msgspec.json.decode(result.payload)


async def failure(service: FunctionService, **event: Any) -> dict[str, Any]:
    result = await invoke(service, **event)
    assert (result.status, result.function_error) == (200, "Unhandled")
    document: dict[str, Any] = msgspec.json.decode(result.payload)
    return document


def logged(service: FunctionService, text: str) -> bool:
    return any(text in line.text for line in service.logs("f"))
