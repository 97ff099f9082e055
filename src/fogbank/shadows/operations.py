"""What a request makes of a shadow: the next version, the answer, and the messages that tell of it. Pure."""

from collections.abc import Callable

import msgspec

from fogbank.errors import Conflict, RequestEntityTooLarge, ResourceNotFound, ServiceError
from fogbank.message import PLATFORM, Message, Origin
from fogbank.shadows import answers, errors
from fogbank.shadows.document import Shadow, updated
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.requests import client_token, parse_delete, parse_update
from fogbank.shadows.topics import Operation, ShadowId
from fogbank.shadows.undocumented import ANSWER_QOS

TOMBSTONE_SECONDS = 48 * 3600
"""How long the version of a deleted shadow is remembered (developer guide, using-device-shadows)."""

Telling = tuple[str, Callable[[], bytes | None]]
"""The last level of a topic (`accepted`, `delta`, ...) and what makes the document for it, None where there is nothing
to tell. It need not be made where nobody subscribes."""


class Request(msgspec.Struct, frozen=True):
    """Something asked of a shadow, by a message or through the API."""

    shadow: ShadowId
    operation: Operation
    payload: bytes = b""
    origin: Origin | None = None
    """Who published it. None: asked through the API; then a get and a refusal are answered there alone."""
    refusal: ServiceError | None = None
    """Already refused, and in line only to be told so in its turn."""

    def message(self, kind: str, document: bytes) -> Message:
        """What tells of this request, from the platform, but as many hops away from a device as the request was: rules
        may loop through a shadow."""
        origin = PLATFORM if self.origin is None or not self.origin.hops else Origin(hops=self.origin.hops)
        return Message(self.topic(kind), document, ANSWER_QOS, origin=origin)

    def topic(self, kind: str) -> str:
        """Where a document of this kind is told."""
        return self.shadow.topic(self.operation, kind)


class Outcome(msgspec.Struct, frozen=True):
    """What a request came to. `after` is the shadow now: the very one before, where nothing changed."""

    after: Shadow | None
    answer: bytes | ServiceError
    told: tuple[Telling, ...] = ()
    """In this order."""


def apply(request: Request, before: Shadow | None, now: int, limits: ShadowLimits) -> Outcome:
    """Work out what `request` makes of the shadow `before` (None: there is none and never was)."""
    try:
        if request.refusal is not None:
            raise request.refusal
        match request.operation:
            case Operation.GET:
                return _get(request, before, now)
            case Operation.UPDATE:
                return _update(request, before, now, limits)
            case Operation.DELETE:
                return _delete(request, before, now)
    except ServiceError as error:
        return refused(request, before, error, now)


def refused(request: Request, before: Shadow | None, error: ServiceError, now: int) -> Outcome:
    """The outcome of a request that is not carried out."""
    if request.origin is None:
        return Outcome(before, error)
    return Outcome(before, error, (("rejected", lambda: answers.rejected(error, now, client_token(request.payload))),))


def is_forgotten(shadow: Shadow, now: int) -> bool:
    """Whether it was deleted so long ago that its version no longer counts."""
    return shadow.deleted and now - shadow.timestamp >= TOMBSTONE_SECONDS


def _get(request: Request, before: Shadow | None, now: int) -> Outcome:
    shadow = _existing(request, before)
    answer = answers.current(shadow, now, client_token(request.payload))
    return Outcome(before, answer, () if request.origin is None else (("accepted", lambda: answer),))


def _update(request: Request, before: Shadow | None, now: int, limits: ShadowLimits) -> Outcome:
    update = parse_update(request.payload, limits)
    version = 0 if before is None else before.version
    absent = before is None or before.deleted
    if update.version is not None and update.version != version and not (absent and update.version == 0):
        raise Conflict(errors.VERSION_CONFLICT)
    after = updated(before, update.changes, now)
    if len(msgspec.json.encode(after.state)) > limits.document_bytes:
        raise RequestEntityTooLarge(errors.TOO_LARGE)
    token = update.client_token
    answer = answers.accepted(update, after)
    told: tuple[Telling, ...] = (
        ("accepted", lambda: answer),
        ("delta", lambda: answers.delta(after, token)),
        ("documents", lambda: answers.documents(before, after, token)),
    )
    return Outcome(after, answer, told)


def _delete(request: Request, before: Shadow | None, now: int) -> Outcome:
    shadow = _existing(request, before)
    delete = parse_delete(request.payload)
    if delete.version is not None and delete.version != shadow.version:
        raise Conflict(errors.VERSION_CONFLICT)
    answer = answers.deleted(shadow, now, delete.client_token)
    return Outcome(Shadow(shadow.version, now, deleted=True), answer, (("accepted", lambda: answer),))


def _existing(request: Request, shadow: Shadow | None) -> Shadow:
    if shadow is None or shadow.deleted:
        raise ResourceNotFound(errors.NO_SHADOW.format(name=request.shadow.label))
    return shadow
