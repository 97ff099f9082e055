"""What goes out: the documents that answer requests and tell of changes. Pure.

Every function returns the JSON, in the shapes of the developer guide's page device-shadow-document. Timestamps at the
root are when the answer was made, in seconds since the epoch.
"""

import msgspec

from fogbank.errors import ServiceError
from fogbank.shadows.document import EMPTY, Shadow, State, merge, select
from fogbank.shadows.requests import UpdateRequest


def current(shadow: Shadow, now: int, token: str | None) -> bytes:
    """The answer to a get: the whole shadow, and the delta where there is one."""
    return _encode(view(shadow) | {"timestamp": now}, token)


def view(shadow: Shadow) -> State:
    """What a get shows of a shadow: its sections and the delta where there is one, metadata, version."""
    state = shadow.state
    if delta := shadow.delta:
        state["delta"] = delta
    return {"state": state, "metadata": shadow.metadata, "version": shadow.version}


def accepted(request: UpdateRequest, after: Shadow) -> bytes:
    """The answer to an update: what the request brought, nulls included, and the metadata of what it wrote."""
    now = after.timestamp
    written = {name: merge(EMPTY, change, now).metadata for name, change in request.changes.items()}
    answer = {
        "state": None if request.clears else dict(request.changes),
        "metadata": {"timestamp": now} if request.clears else {name: each for name, each in written.items() if each},
        "version": after.version,
        "timestamp": now,
    }
    return _encode(answer, request.client_token)


def delta(after: Shadow, token: str | None) -> bytes | None:
    """What is desired and not reported, whether or not the update touched it; None where that is nothing."""
    different = after.delta
    if not different:
        return None
    answer = {
        "version": after.version,
        "timestamp": after.timestamp,
        "state": different,
        "metadata": select(after.desired.metadata, different),
    }
    return _encode(answer, token)


def documents(before: Shadow | None, after: Shadow, token: str | None) -> bytes:
    """The shadow before and after an update; without `previous` where there was none."""
    answer: State = {} if before is None or before.deleted else {"previous": _snapshot(before)}
    return _encode(answer | {"current": _snapshot(after), "timestamp": after.timestamp}, token)


def deleted(shadow: Shadow, now: int, token: str | None) -> bytes:
    """The answer to a delete, with the version that was deleted."""
    return _encode({"version": shadow.version, "timestamp": now}, token)


def rejected(error: ServiceError, now: int, token: str | None) -> bytes:
    """An error as shadows tell it over MQTT (developer guide, device-shadow-error-messages)."""
    return _encode({"code": error.status, "message": error.message, "timestamp": now}, token)


def _snapshot(shadow: Shadow) -> State:
    return {"state": shadow.state, "metadata": shadow.metadata, "version": shadow.version}


def _encode(answer: State, token: str | None) -> bytes:
    if token is not None:
        answer["clientToken"] = token
    return msgspec.json.encode(answer)
