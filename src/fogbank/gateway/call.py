"""What an API operation is given and how the thin API modules declare their operations.

An API module is a class whose methods bear the names of the botocore model's operations:

    class IotRegistryApi:
        @operation("iot", "CreateThing")
        async def create_thing(self, call: Call) -> Members:
            thing = await self._things.create(call.params["thingName"], ...)
            return {"thingName": thing.name, ...}

Parameters come parsed and validated by the model: member names as in the model, blobs as bytes, timestamps as
seconds since the epoch (float). Results go the same way; members that are None are left out.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol, TypeVar

import msgspec

from fogbank.ports import Identity, PrincipalStore

Members = dict[str, Any]


class Caller(msgspec.Struct, frozen=True):
    """Who asks: a user or session by its signature, or a device by its certificate or an authorizer."""

    principal: str
    """The access key ID of the root, the ID of a user or session, the certificate ID, or the principal ID that a custom
    authorizer gave."""
    arn: str
    source_ip: str | None = None
    device: Identity | None = None
    """Set where the caller is not the root, who may do everything: its policies decide, IoT's of a device, IAM's of a
    user or session."""
    principals: PrincipalStore | None = None
    """Who knows the rights of `device`; None: who knows those of certificates."""
    server_name: str | None = None
    """The host name that the caller asked for in TLS."""


class Call(msgspec.Struct, frozen=True):
    """One request for one operation."""

    service: str
    operation: str
    params: Members
    caller: Caller
    request_id: str


class AllowTo(Protocol):
    """Raises AccessDenied where a caller may not do what an operation does in its name."""

    async def __call__(self, caller: Caller, action: str, *resources: str) -> None: ...


async def anything(caller: Caller, action: str, *resources: str) -> None:
    """An AllowTo where there is nobody but the root."""


Handler = Callable[[Call], Awaitable[Members]]
F = TypeVar("F", bound=Callable[..., Awaitable[Members]])


def operation(service: str, name: str) -> Callable[[F], F]:
    """Mark a method as the implementation of an operation of botocore's `service` model."""

    def mark(method: F) -> F:
        method.__operation__ = (service, name)  # type: ignore[attr-defined]
        return method

    return mark


def operations(api: object) -> Iterator[tuple[tuple[str, str], Handler]]:
    """The (service, operation) pairs that `api` implements, each with its bound method."""
    for name in dir(type(api)):
        method = getattr(api, name)
        declared = getattr(method, "__operation__", None)
        if declared is not None:
            yield declared, method
