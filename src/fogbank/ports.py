"""The small typed protocols through which the floors and the services of one floor meet.

Nothing here does anything: engines below implement the storage ports, services implement the others for one another,
and `services.py` introduces them.
"""

import enum
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from fogbank.errors import FogbankError
from fogbank.message import Message, Origin

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


class Broadcaster(Protocol):
    """The same for a service that tells much, of which little is heard. Implemented by `broker/`."""

    def has_receivers(self, topic: str) -> bool:
        """Whether anybody subscribes to the topic now: what nobody would get need not be put together."""
        ...

    async def publish_all(self, messages: Iterable[Message]) -> None:
        """Route all, in order; returns when they are as durable as asked. One that fails is logged, once; the others
        are routed. Raises StorageError where it is not known whether they are on disk."""
        ...


# --- registry and job events ------------------------------------------------------------------------------------


class EventType(enum.Enum):
    """The categories of events that UpdateEventConfigurations switches (API reference, EventConfigurations)."""

    THING = "THING"
    THING_GROUP = "THING_GROUP"
    THING_TYPE = "THING_TYPE"
    THING_GROUP_MEMBERSHIP = "THING_GROUP_MEMBERSHIP"
    THING_GROUP_HIERARCHY = "THING_GROUP_HIERARCHY"
    THING_TYPE_ASSOCIATION = "THING_TYPE_ASSOCIATION"
    JOB = "JOB"
    JOB_EXECUTION = "JOB_EXECUTION"
    POLICY = "POLICY"
    CERTIFICATE = "CERTIFICATE"
    CA_CERTIFICATE = "CA_CERTIFICATE"


class EventSink(Protocol):
    """Where services tell what happened, for those who subscribe to `$aws/events/...`. Implemented by `registry/`."""

    async def enabled(self, category: EventType) -> bool:
        """Whether events of this category are published: ask before putting a costly document together."""
        ...

    async def emit(self, category: EventType, topic: str, document: Mapping[str, Any]) -> None:
        """Publish `document` as JSON where its category is enabled, once what it tells of is durable. Never raises."""
        ...


class Answers(Protocol):
    """The way back to a client that asked something on a reserved topic: over the very connection it asked on.

    Nobody else gets an answer, rules included. Implemented by `broker/`.
    """

    def obstacle(self, asker: Origin, topic: str, *, unasked: bool = False) -> str | None:
        """Why an answer on `topic` would not reach whoever asked; None: it would.

        `unasked`: not even where the client does not subscribe to the topic.
        """
        ...

    def answer(self, asker: Origin, topic: str, payload: bytes, *, unasked: bool = False) -> str | None:
        """Send it, at QoS 0: what is not received must be asked again. What kept it from being sent; None: it was."""
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


# --- the world outside ------------------------------------------------------------------------------------------


class OutboundError(FogbankError):
    """A call out of the platform failed. `transient` says whether the same call may succeed a little later.

    `code` is the service's own word for it, or one of `Timeout`, `Connection`, `AnswerTooLarge`, `NoEndpoint`,
    `NoCredentials`, `BadRequest` where there was no answer; `status` is then 0.
    """

    def __init__(self, message: str, *, code: str, status: int = 0, transient: bool = False) -> None:
        super().__init__(message)
        self.code, self.status, self.transient = code, status, transient


class AwsServices(Protocol):
    """Services that speak AWS's APIs, wherever the operator has them. Implemented by `outbound/`, used by rules."""

    def obstacle(self, service: str) -> str | None:
        """Why `service` (botocore's name of it) cannot be called, naming the setting that is missing; None: it can."""
        ...

    def url(self, service: str) -> str | None:
        """The endpoint that the operator has named for `service`; None: AWS's own, or none."""
        ...

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation: parameters and answer as in botocore. Raises OutboundError."""
        ...


class ObjectUrls(Protocol):
    """URLs of objects in S3 that whoever has them may use for a while. Implemented by `outbound/`, used by jobs."""

    async def sign(self, method: str, bucket: str, key: str, *, version: str | None = None, expires: int = 3600) -> str:
        """A URL that is good for `method` (`GET`, `PUT`) for `expires` seconds. Raises OutboundError."""
        ...


class Signing(msgspec.Struct, frozen=True):
    """As whom a request is to be signed by Signature Version 4: the signing name of the service, and the region."""

    service: str
    region: str


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a URL of somebody else's choice."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    signing: Signing | None = None
    timeout: float = 10.0
    """Seconds for all of it, connecting included."""
    limit: int = 1024 * 1024
    """Bytes of the answer's body that are read at most; what is longer is an error."""


class HttpAnswer(msgspec.Struct, frozen=True):
    """What came back. Redirects are not followed."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class HttpTargets(Protocol):
    """The way out over HTTP. Implemented by `outbound/`, used by rules."""

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Any status is an answer. Raises OutboundError where none came."""
        ...


class KafkaRecord(msgspec.Struct, frozen=True):
    """One record for a topic of Kafka. Without `partition` the key decides."""

    topic: str
    value: bytes
    key: bytes | None = None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class KafkaTargets(Protocol):
    """The way out to Kafka. Implemented by `outbound/`, used by rules."""

    async def send(
        self, properties: Mapping[str, str], records: Sequence[KafkaRecord]
    ) -> "Sequence[OutboundError | None]":
        """Send records to the cluster that the client properties describe; of each, what it failed of, if it did."""
        ...


class RoleRights(Protocol):
    """What roles may do. Asked before an action of a rule does anything in a role's name."""

    async def check(self, role_arn: str, action: str, resource: str, *, source: str | None = None) -> None:
        """Raise Forbidden, with the reason, where the role may not do `action` (`sqs:SendMessage`) on that ARN.

        `source` is the ARN of the rule that acts, which the role's trust policy may ask for (`aws:SourceArn`).
        """
        ...


class RoleCredentials(msgspec.Struct, frozen=True):
    """Keys that sign with the rights of a role."""

    key_id: str
    secret: str
    token: str | None = None
    expires: float | None = None
    """Seconds since the epoch; None: not by themselves."""

    def __repr__(self) -> str:
        return f"RoleCredentials(key_id={self.key_id!r}, secret=..., expires={self.expires!r})"


class ExecutionRoles(Protocol):
    """The roles of functions. Implemented by `identity/`, used by `functions/`."""

    async def check(self, role_arn: str, function_arn: str) -> None:
        """Raise Forbidden, with the reason, where Lambda may not assume the role for that function."""
        ...

    async def credentials(self, role_arn: str, function_arn: str) -> RoleCredentials:
        """Keys of the role for a handler that is about to start. Raises Forbidden as `check`."""
        ...

    def hold(self, credentials: RoleCredentials) -> bool:
        """Whether keys that were given out may go on being used: a handler with others is started anew."""
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
    exclusive: bool = False
    """Whether it is attached as the one thing that the principal stands for (`EXCLUSIVE_THING`)."""
    properties: tuple[tuple[str, str], ...] = ()
    """User properties that its type has each of its messages bear (developer guide, thing-types-propagating-
    attributes)."""


class PolicyDocument(msgspec.Struct, frozen=True):
    """A named policy in its default version, as text."""

    name: str
    document: str
    limit: str | None = None
    """None: it gives rights. Else it only bounds what others give (`session policy`, `permissions boundary`): of the
    policies with the same word here, one must allow a request as well."""


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


class Newcomers(Protocol):
    """Registers devices that nobody has registered, at their first connection. Implemented by `registry/`."""

    async def meet(self, certificate: bytes) -> str | None:
        """A client has come with a DER certificate that is not active, and wants in: by CONNECT or a request.

        Why its certificate is none to register; None where it is registered, now or before, and its status decides.
        """
        ...


class Introduction(msgspec.Struct, frozen=True):
    """What a client says of itself in MQTT CONNECT."""

    client_id: str
    username: str | None = None
    password: bytes | None = None

    def __repr__(self) -> str:
        return f"Introduction(client_id={self.client_id!r}, ...)"


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is at the other end of an MQTT connection, and how long that holds."""

    identity: Identity
    principals: PrincipalStore
    """Knows the rights of `identity`."""
    ip: str | None = None
    port: int | None = None
    introduce: "Callable[[Introduction], Awaitable[Peer]] | None" = None
    """Where CONNECT itself decides who it is (custom authorizers): the peer as it then is. Raises ServiceError."""
    lifetime: float | None = None
    """Seconds after CONNECT at which the connection ends; None: no bound."""
    lifetime_reason: str = ""
    """The `disconnectReason` of that end: `WEBSOCKET_TTL_EXPIRATION`, `CUSTOMAUTH_TTL_EXPIRATION`."""
    refresh: float | None = None
    """Seconds after which `principals` is to be asked for the rights anew, again and again; None: it tells changes."""
    server_name: str | None = None
    """The host name that the client asked for in TLS: the policy variable `iot:DomainName`."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge knows of a connection before anything is said on it."""

    ip: str | None = None
    port: int | None = None
    server_name: str | None = None
    """The host name that the client asked for in TLS (SNI)."""
    alpn: str | None = None
    identity: Identity | None = None
    """Of the client certificate, where there is one."""
    certificate: bytes | None = None
    """That certificate, in DER."""


class HttpHead(msgspec.Struct, frozen=True, kw_only=True):
    """A request's head, as far as credentials may be in it. Header names are in lower case."""

    method: str
    path: str
    """As sent, percent-encoding and all."""
    query: str
    headers: Mapping[str, str]


class FrontDesk(Protocol):
    """Finds out who a client is, on every way in. Implemented by `identity/`, asked by the listeners."""

    async def mqtt(self, arrival: Arrival) -> Peer:
        """MQTT straight over TLS: by certificate, or by a custom authorizer once CONNECT has come. Never raises."""
        ...

    async def websocket(self, arrival: Arrival, request: HttpHead) -> Peer:
        """MQTT over WebSocket, before the upgrade: by SigV4 in the query or an authorizer. Raises ServiceError."""
        ...


# --- shadows ----------------------------------------------------------------------------------------------------


ShadowListener = Callable[[str, str | None], None]
"""Called with a thing and the name of its shadow (None: the classic one) that has changed; returns at once."""


class Presence(msgspec.Struct, frozen=True):
    """The terms of a client's connection, or of its last one. Told by the broker, kept by the fleet index."""

    since: float | None
    """When it was made, in seconds since the epoch; None: it is over."""
    keep_alive: int | None
    """Seconds; 0: none."""
    session_expiry: int
    """Seconds that the session outlives the connection."""
    clean_session: bool
    """Whether the session ends with the connection."""


class ShadowReader(Protocol):
    """Shadows as other services read them. Implemented by `shadows/`, used by the fleet index."""

    async def of_thing(self, thing: str) -> Mapping[str | None, Mapping[str, Any]]:
        """The shadows of a thing by name, None for the classic one, each as a get answers it: `state`, `metadata`,
        `version`. Deleted ones are not among them."""
        ...

    def watch(self, listener: ShadowListener) -> None:
        """Call `listener` for every shadow that is written or deleted from now on, once that is durable."""
        ...


# --- the fleet --------------------------------------------------------------------------------------------------


class FleetMember(msgspec.Struct, frozen=True):
    """A thing in a group."""

    thing: str
    since: float
    """When it joined, in seconds since the epoch."""
    cursor: str
    """Where in the group's list it stands, to go on after it."""


FleetListener = Callable[[frozenset[str]], None]
"""Called with the names of things that were made, changed or deleted, or joined or left groups; returns at once."""


class Fleet(Protocol):
    """The things of the registry and their groups, as jobs see them. Implemented by `registry/`, used by jobs."""

    async def exists(self, thing: str) -> bool: ...

    async def group_id(self, name: str) -> str | None:
        """The ID of a group; None where there is none of this name."""
        ...

    async def members(self, group: str, *, after: str = "", limit: int) -> list[FleetMember]:
        """Up to `limit` things in a group or in the groups below it, in an order that stays, from a cursor on."""
        ...

    async def groups_of(self, thing: str) -> Mapping[str, float]:
        """The groups that a thing is in, and those above them; since when, in seconds since the epoch."""
        ...

    def watch(self, listener: FleetListener) -> None:
        """Call `listener` with every change from now on, once it is durable."""
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


class Expect(msgspec.Struct, frozen=True):
    """Write nothing, but fail the batch where the document is not at this version; 0: it must not exist.

    For what a batch rests on without changing it. Concurrent batches may expect the same; two puts could not both.
    """

    kind: str
    key: str
    version: int


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

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        """Apply all or none, durably: on return it is on disk. Raises StaleVersion.

        Returns a version for each change: the new one, 0 for a delete, the one found for an expectation.
        Changes of concurrent callers share one fsync; they are applied in the order in which they were handed over.
        """
        ...


class ResourceTags(Protocol):
    """Tags of resources, kept beside them and written in one batch with them.

    Implemented by `registry/`, used by all who keep something that the API lets tag: see `registry.tags`.
    """

    def register(self, kind: str, find: Callable[[str], "Awaitable[Expect | None]"]) -> None:
        """Resources of `kind`, as ARNs have it (`authorizer`), are found by `find`, which is given what follows in the
        ARN: what fails a batch once the resource is gone, None where there is none (`Collection.presence`)."""
        ...

    def putting(self, arn: str, tags: Mapping[str, str]) -> Put | Delete:
        """The write that gives a resource these tags and no others, for the batch that makes the resource."""
        ...

    def deleting(self, arn: str) -> Delete:
        """The write that removes a resource's tags, for the batch that removes the resource."""
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


class Keep(msgspec.Struct, frozen=True):
    """Put `count` messages, which share one body, into an owner's backlog under a number of the owner's choice."""

    owner: str
    number: int
    body: bytes
    count: int = 1


class Discard(msgspec.Struct, frozen=True):
    """Remove what an owner kept under these numbers; what is not there is no error."""

    owner: str
    numbers: Sequence[int]


class DiscardAll(msgspec.Struct, frozen=True):
    """Remove an owner's whole backlog."""

    owner: str


class Backlog(msgspec.Struct, frozen=True):
    """How much an owner has waiting."""

    messages: int
    """The sum of the counts."""
    size: int
    """The sum of the bodies' bytes."""
    last: int
    """The highest number."""


class Backlogs(Protocol):
    """Messages that wait for sessions. Unlike a `Queue`'s, items bear numbers that their owner has chosen, so that one
    that was handed over can be discarded before it is on disk; and one commit takes documents along."""

    async def commit(self, *changes: Put | Delete | Expect | Keep | Discard | DiscardAll) -> None:
        """Apply all in their order, or none, durably: on return it is on disk. Raises StaleVersion."""
        ...

    async def read(self, owner: str, *, after: int = 0, limit: int | None = None) -> list[tuple[int, bytes]]:
        """Numbers and bodies in the order of numbers, from the first above `after`; they stay until discarded."""
        ...

    async def owners(self) -> dict[str, Backlog]:
        """All who have something waiting."""
        ...


class Spool(Protocol):
    """Work that messages have caused and that is owed once they are acknowledged: on disk until it is done.

    Implemented by `broker/`, whose commits decide when messages are acknowledged, and used by rules.
    """

    @property
    def left(self) -> Mapping[str, int]:
        """Who was owed something when the platform started, and the highest number of it."""
        ...

    def keep(self, owner: str, body: Callable[[], bytes]) -> int:
        """Keep work for the message that is being delivered: its acknowledgement waits until this is on disk as well.

        `body` is called when it is about to be written, and not at all where the work is done before. The number, at
        least 1; an owner's numbers grow and are given once.
        """
        ...

    def done(self, owner: str, number: int) -> None:
        """The work is done, or given up. Soon it is off the disk; a crash before that brings it back."""
        ...

    def drop(self, owner: str) -> None:
        """Nothing of what has been kept for an owner so far is owed any more."""
        ...

    async def read(self, owner: str, *, after: int = 0, limit: int | None = None) -> list[tuple[int, bytes]]:
        """What is on disk, in the order of its numbers, from the first above `after`."""
        ...

    async def settled(self) -> None:
        """Return when everything said so far is on disk, or has failed to get there."""
        ...


class Blobs(Protocol):
    """Immutable bytes by their SHA-256 digest (hex): function code, files."""

    async def put(self, data: bytes) -> str:
        """Store durably; the digest."""
        ...

    async def get(self, digest: str) -> bytes | None: ...

    async def delete(self, digest: str) -> None: ...


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What a device has brought about in the control plane by itself, with no call of an operation."""

    name: str
    """`JustInTimeRegistration`, say."""
    principal: str
    """The certificate ID, or whoever else the device came as."""
    source_ip: str | None = None
    details: Mapping[str, str]


Witness = Callable[[Deed], Awaitable[None]]
"""Writes a deed down for the audit log, on disk on return. Never raises: what is done is done."""


async def nobody_watches(deed: Deed) -> None:
    """A Witness where there is no audit log."""


class LineLog(Protocol):
    """A log of lines for people and their tools: who did what."""

    async def append(self, line: bytes) -> None:
        """Add a line, without its end; on return it is on disk. Raises StorageError."""
        ...
