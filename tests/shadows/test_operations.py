from typing import Any, cast

import msgspec
import pytest

from fogbank.errors import Conflict, RequestEntityTooLarge, ResourceNotFound, ServiceError, Throttling
from fogbank.message import Message, Origin
from fogbank.settings import Limits
from fogbank.shadows.document import Shadow, updated
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.operations import TOMBSTONE_SECONDS, Outcome, Request, apply, is_forgotten
from fogbank.shadows.topics import Operation, ShadowId

LIMITS = ShadowLimits.of(Limits.AWS)
LAMP = ShadowId("lamp")
DEVICE = Origin("c", "lamp")
SHADOW = updated(Shadow(3, 1, deleted=True), {"desired": {"on": True}, "reported": {"on": True}}, 2)
TOMBSTONE = Shadow(4, 3, deleted=True)


def ask(
    operation: Operation,
    payload: bytes = b"",
    before: Shadow | None = SHADOW,
    origin: Origin | None = DEVICE,
    shadow: ShadowId = LAMP,
) -> Outcome:
    return apply(Request(shadow, operation, payload, origin), before, 10, LIMITS)


def told(outcome: Outcome) -> dict[str, Any]:
    """What there is to tell, by kind."""
    made = {kind: make() for kind, make in outcome.told}
    return {kind: msgspec.json.decode(document) for kind, document in made.items() if document is not None}


def refusal(outcome: Outcome, before: Shadow | None) -> ServiceError:
    """The error of a request that changed nothing, and was told so once."""
    assert outcome.after is before
    assert isinstance(outcome.answer, ServiceError)
    [(kind, document)] = told(outcome).items()
    assert kind == "rejected"
    assert (document["code"], document["message"]) == (outcome.answer.status, outcome.answer.message)
    return outcome.answer


def test_an_update_tells_everyone() -> None:
    outcome = ask(Operation.UPDATE, b'{"state": {"reported": {"on": false}}, "clientToken": "t"}')
    documents = told(outcome)
    assert list(documents) == ["accepted", "delta", "documents"]
    assert documents["accepted"] == msgspec.json.decode(cast(bytes, outcome.answer))
    assert [document["clientToken"] for document in documents.values()] == ["t"] * 3
    assert outcome.after == Shadow(5, 10, SHADOW.desired, outcome.after.reported if outcome.after else SHADOW.reported)


def test_without_a_delta_there_is_no_delta_message() -> None:
    assert list(told(ask(Operation.UPDATE, b'{"state": {}}'))) == ["accepted", "documents"]


def test_a_delta_is_told_whether_or_not_the_update_touched_it() -> None:
    before = updated(SHADOW, {"reported": None}, 5)
    outcome = ask(Operation.UPDATE, b'{"state": {"reported": {"other": 1}}}', before)
    assert told(outcome)["delta"]["state"] == {"on": True}


def test_through_the_api_changes_are_told_and_the_rest_is_not() -> None:
    assert list(told(ask(Operation.UPDATE, b'{"state": {}}', origin=None))) == ["accepted", "documents"]
    assert list(told(ask(Operation.DELETE, origin=None))) == ["accepted"]
    assert told(ask(Operation.GET, origin=None)) == {}
    refused = ask(Operation.UPDATE, b"", origin=None)
    assert isinstance(refused.answer, ServiceError)
    assert refused.told == ()


def test_get() -> None:
    outcome = ask(Operation.GET, b'{"clientToken": "t"}')
    [(kind, document)] = told(outcome).items()
    assert kind == "accepted"
    assert outcome.after is SHADOW
    assert (document["version"], document["clientToken"], document["timestamp"]) == (4, "t", 10)


def test_delete_leaves_a_tombstone() -> None:
    outcome = ask(Operation.DELETE, b'{"clientToken": "t", "version": 4}')
    assert outcome.after == Shadow(4, 10, deleted=True)
    assert told(outcome) == {"accepted": {"version": 4, "timestamp": 10, "clientToken": "t"}}


@pytest.mark.parametrize(
    "payload", [b"whatever", b'"text"', b'{"version": "3"}', b'{"version": true}', b"\xff", b"[" * 9999]
)
def test_a_delete_is_not_refused_for_what_else_is_in_it(payload: bytes) -> None:
    assert isinstance(ask(Operation.DELETE, payload).answer, bytes)


@pytest.mark.parametrize("version", [0, 3, 5])
def test_a_delete_of_another_version_is_a_conflict(version: int) -> None:
    outcome = ask(Operation.DELETE, b'{"clientToken": "t", "version": %d}' % version)
    assert isinstance(refusal(outcome, SHADOW), Conflict)
    assert told(outcome)["rejected"]["clientToken"] == "t"


@pytest.mark.parametrize("operation", [Operation.GET, Operation.DELETE])
@pytest.mark.parametrize("before", [None, TOMBSTONE])
def test_what_is_not_there(operation: Operation, before: Shadow | None) -> None:
    error = refusal(ask(operation, before=before), before)
    assert isinstance(error, ResourceNotFound)
    assert error.message == "No shadow exists with name: 'lamp'"
    named = ask(operation, before=before, shadow=ShadowId("lamp", "simShadow1"))
    assert refusal(named, before).message == "No shadow exists with name: 'simShadow1'"


@pytest.mark.parametrize(
    ("before", "version", "accepted"),
    [
        (SHADOW, 4, True),
        (SHADOW, 3, False),
        (SHADOW, 5, False),
        (SHADOW, 0, False),
        (None, 0, True),
        (None, 1, False),
        (TOMBSTONE, 4, True),
        (TOMBSTONE, 0, True),
        (TOMBSTONE, 3, False),
    ],
)
def test_versions(before: Shadow | None, version: int, accepted: bool) -> None:
    outcome = ask(Operation.UPDATE, b'{"state": {}, "clientToken": "t", "version": %d}' % version, before)
    if accepted:
        assert outcome.after is not None
        assert outcome.after.version == (1 if before is None else before.version + 1)
    else:
        assert isinstance(refusal(outcome, before), Conflict)
        assert told(outcome)["rejected"]["clientToken"] == "t"


def test_the_size_is_that_of_the_whole_document_without_metadata() -> None:
    frame = len(b'{"reported":{"a":""}}')
    full = ask(Operation.UPDATE, b'{"state": {"reported": {"a": "%s"}}}' % (b"x" * (8192 - frame)), None)
    assert full.after is not None
    assert len(msgspec.json.encode(full.after.state)) == 8192
    refused = ask(Operation.UPDATE, b'{"state": {"desired": {"a": 1}}}', full.after)
    assert isinstance(refusal(refused, full.after), RequestEntityTooLarge)
    smaller = ask(Operation.UPDATE, b'{"state": {"desired": {"a": 1}, "reported": null}}', full.after)
    assert isinstance(smaller.answer, bytes)


def test_one_refused_before_is_told_in_its_turn() -> None:
    request = Request(LAMP, Operation.GET, b'{"clientToken": "t"}', DEVICE, Throttling("Too Many Requests"))
    assert refusal(apply(request, SHADOW, 10, LIMITS), SHADOW).status == 429


def test_the_version_of_a_deleted_shadow_is_forgotten_after_48_hours() -> None:
    assert not is_forgotten(TOMBSTONE, TOMBSTONE.timestamp + TOMBSTONE_SECONDS - 1)
    assert is_forgotten(TOMBSTONE, TOMBSTONE.timestamp + TOMBSTONE_SECONDS)
    assert not is_forgotten(SHADOW, SHADOW.timestamp + TOMBSTONE_SECONDS)


@pytest.mark.parametrize(("origin", "hops"), [(DEVICE, 0), (Origin(hops=3), 3), (None, 0)])
def test_answers_are_as_many_hops_away_as_their_request(origin: Origin | None, hops: int) -> None:
    """Else a rule on a shadow's answers that writes to the shadow would never be seen to loop."""
    message = Request(LAMP, Operation.UPDATE, origin=origin).message("delta", b"{}")
    assert message == Message("$aws/things/lamp/shadow/update/delta", b"{}", qos=1, origin=Origin(hops=hops))
