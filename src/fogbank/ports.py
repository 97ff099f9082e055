"""The small typed protocols through which the floors and the services of one floor meet.

Nothing here does anything: engines below implement the storage ports, services implement the others for one another,
and `app.py` introduces them.
"""

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from fogbank.errors import FogbankError
from fogbank.message import Message

# --- messages ---------------------------------------------------------------------------------------------------


class Subscriber(Protocol):
    """An in-process receiver of messages: a rule, the shadow service, jobs."""

    def deliver(self, message: Message) -> None:
        """Take the message and return at once; work goes to a bounded queue or an owned task. Never raises."""
        ...


class Subscriptions(Protocol):
    """Where in-process subscribers register, in the same trie as the clients' sessions."""

    def subscribe(self, filter_: str, subscriber: Subscriber) -> None: ...

    def unsubscribe(self, filter_: str, subscriber: Subscriber) -> None: ...


class Publisher(Protocol):
    """The way into the router for everything inside the platform; authorisation is the caller's part."""

    async def publish(self, message: Message) -> None:
        """Route the message to all who subscribe; returns when it is as durable as its quality of service asks."""
        ...


# --- functions --------------------------------------------------------------------------------------------------


class InvocationType(enum.Enum):
    """Lambda's three ways to invoke."""

    REQUEST_RESPONSE = "RequestResponse"
    EVENT = "Event"
    DRY_RUN = "DryRun"


class ServiceCaller(msgspec.Struct, frozen=True):
    """An AWS service that invokes a function on behalf of a resource; the function's resource policy must allow it."""

    principal: str
    """`iot.amazonaws.com`, ..."""
    source_arn: str
    source_account: str


class InvocationResult(msgspec.Struct, frozen=True):
    """What an invocation came to."""

    status: int
    """200 for RequestResponse (a function's own error too), 202 for Event, 204 for DryRun."""
    payload: bytes = b""
    executed_version: str = "$LATEST"
    function_error: str | None = None
    """`Unhandled` or `Handled` where the function failed; `payload` is then its error document."""
    log_tail: bytes | None = None
    """The last 4 KB of the invocation's log, where asked for."""


class Invoker(Protocol):
    """Runs functions. Implemented by `functions/`, used by the gateway, rules, authorizers and provisioning hooks."""

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
    ) -> InvocationResult:
        """Invoke by name, partial ARN or ARN. Event returns once the event is durably queued.

        `caller` is None for a request already authorised (signed by an access key of the account).
        Raises ResourceNotFound, InvalidRequestContent, RequestTooLarge, Forbidden (no permission for `caller`), ...
        """
        ...


# --- who is there -----------------------------------------------------------------------------------------------


class Identity(msgspec.Struct, frozen=True):
    """A device that has proven who it is, before any policy is asked.

    `id` is what AWS calls principalIdentifier: the certificate ID for mutual TLS. `attributes` are the policy
    variables that come with the credential itself (`iot:Certificate.Subject.CommonName`, ...).
    """

    id: str
    arn: str
    active: bool
    reason: str = ""
    """Where not active: why, for the log (`certificate is REVOKED`, `unknown certificate`, ...)."""
    attributes: Mapping[str, str | Sequence[str]] = {}


class ThingContext(msgspec.Struct, frozen=True):
    """The thing a connection stands for: what `${iot:Connection.Thing.*}` resolves to."""

    name: str
    attached: bool
    """Whether the thing is attached to the principal. Where not, only IsAttached resolves, to "false"."""
    type_name: str | None = None
    attributes: Mapping[str, str] = {}


class PolicyDocument(msgspec.Struct, frozen=True):
    """A named policy in its default version, as text."""

    name: str
    document: str


class Grant(msgspec.Struct, frozen=True):
    """What a principal holds on one connection: its policies and the thing it stands for."""

    policies: tuple[PolicyDocument, ...] = ()
    thing: ThingContext | None = None


PrincipalListener = Callable[[frozenset[str]], Awaitable[None]]
"""Called with the identity ids whose status, policies or thing changed."""


class PrincipalStore(Protocol):
    """Who may connect and with what rights. Implemented by `registry/`, used by the edges and the broker."""

    async def identify(self, certificate: bytes) -> Identity:
        """Judge the DER certificate a client proved possession of in the TLS handshake."""
        ...

    async def recheck(self, identity: Identity) -> Identity:
        """The identity as it stands now: revoked in the meantime, or gone."""
        ...

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        """The policies of the principal, and the thing named `client_id` or exclusively attached. None over HTTP."""
        ...

    def watch(self, listener: PrincipalListener) -> None:
        """Await `listener` on every later change, before the call that made the change is answered."""
        ...


# --- storage ----------------------------------------------------------------------------------------------------


class Record(msgspec.Struct, frozen=True):
    """A stored document. Versions start at 1 and grow by one with every put."""

    kind: str
    key: str
    version: int
    body: bytes


class Put(msgspec.Struct, frozen=True):
    """Write a document. `expect` is the version it must have now: 0: must not exist, None: does not matter.

    `indexes` maps index names to the values under which `find` shall find it; they replace the ones before.
    """

    kind: str
    key: str
    body: bytes
    expect: int | None = None
    indexes: Mapping[str, Sequence[str]] = {}


class Delete(msgspec.Struct, frozen=True):
    """Remove a document; removing what is not there is no error unless `expect` says it must be."""

    kind: str
    key: str
    expect: int | None = None


class StaleVersion(FogbankError):
    """A compare-and-set failed: the document is not at the expected version. Nothing of its batch was written."""

    def __init__(self, kind: str, key: str, expected: int, actual: int) -> None:
        super().__init__(f"{kind} {key!r} is at version {actual}, expected {expected}")
        self.kind, self.key, self.expected, self.actual = kind, key, expected, actual


class StorageError(FogbankError):
    """The store could not do what it was asked: closed, in use, disk full, file damaged. The text says which and where.

    A write that ends so was not acknowledged, but may have reached the disk: read again before you rely on either.
    """


class Documents(Protocol):
    """Versioned JSON records by (kind, key), with secondary indexes."""

    async def get(self, kind: str, key: str) -> Record | None: ...

    async def scan(self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> list[Record]:
        """Records in key order, from the first key greater than `after`."""
        ...

    async def find(
        self, kind: str, index: str, value: str, *, after: str = "", limit: int | None = None
    ) -> list[Record]:
        """Records put with `value` under `index`, in key order."""
        ...

    async def commit(self, *changes: Put | Delete) -> list[int]:
        """Apply all or none, durably: on return it is on disk. The new versions, 0 for a delete. Raises StaleVersion.

        Changes of concurrent callers share one fsync; they are applied in the order in which they were handed over.
        """
        ...


class Queue(Protocol):
    """Durable ordered queues by name: undelivered messages of a session, asynchronous invocations."""

    async def append(self, queue: str, *items: bytes) -> list[int]:
        """Durably add items at the end; their sequence numbers, which grow and are never used again."""
        ...

    async def read(self, queue: str, *, after: int = 0, limit: int | None = None) -> list[tuple[int, bytes]]:
        """Items in order, from the first one numbered above `after`; they stay until removed."""
        ...

    async def remove(self, queue: str, *sequence: int) -> None: ...

    async def drop(self, queue: str) -> None:
        """Remove the queue and all it holds."""
        ...

    async def names(self, prefix: str = "") -> list[str]:
        """The queues that hold something, in order."""
        ...


class Blobs(Protocol):
    """Immutable bytes by their SHA-256 digest (hex): function code, files."""

    async def put(self, data: bytes) -> str:
        """Store durably; the digest."""
        ...

    async def get(self, digest: str) -> bytes | None: ...

    async def delete(self, digest: str) -> None: ...
