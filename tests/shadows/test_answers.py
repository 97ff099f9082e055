"""The worked sequence of the developer guide's simulation page (a lamp called simShadow1), and the single documents."""

from typing import Any

import msgspec

from fogbank.errors import Conflict, ServiceError
from fogbank.shadows import answers
from fogbank.shadows.document import Shadow, updated
from fogbank.shadows.requests import UpdateRequest

GREY = [128, 128, 128]
YELLOW = [255, 255, 0]
TOKEN = "426bfd96-e720-46d3-95cd-014e3ef12bb6"


def stamps(now: int) -> list[dict[str, int]]:
    return [{"timestamp": now}] * 3


def read(document: bytes | None) -> Any:
    assert document is not None
    return msgspec.json.decode(document)


REPORTED = Shadow(2, 1, deleted=True)
FIRST = updated(REPORTED, {"reported": {"ID": "SmartLamp21", "ColorRGB": GREY}}, 1591140517)
DESIRED = UpdateRequest({"desired": {"ColorRGB": YELLOW}}, client_token=TOKEN)
SECOND = updated(FIRST, DESIRED.changes, 1591141596)


def test_get() -> None:
    assert read(answers.current(FIRST, 1591140518, None)) == {
        "state": {"reported": {"ID": "SmartLamp21", "ColorRGB": GREY}},
        "metadata": {"reported": {"ID": {"timestamp": 1591140517}, "ColorRGB": stamps(1591140517)}},
        "version": 3,
        "timestamp": 1591140518,
    }


def test_get_with_a_delta_and_a_token() -> None:
    document = read(answers.current(SECOND, 1591141597, "t"))
    assert document["state"]["delta"] == {"ColorRGB": YELLOW}
    assert document["clientToken"] == "t"
    assert "delta" not in SECOND.state


def test_accepted() -> None:
    assert read(answers.accepted(DESIRED, SECOND)) == {
        "state": {"desired": {"ColorRGB": YELLOW}},
        "metadata": {"desired": {"ColorRGB": stamps(1591141596)}},
        "version": 4,
        "timestamp": 1591141596,
        "clientToken": TOKEN,
    }


def test_accepted_echoes_nulls_and_has_no_metadata_for_them() -> None:
    request = UpdateRequest({"desired": None, "reported": {"ID": None, "on": True, "empty": {}}})
    after = updated(SECOND, request.changes, 7)
    assert read(answers.accepted(request, after)) == {
        "state": {"desired": None, "reported": {"ID": None, "on": True, "empty": {}}},
        "metadata": {"reported": {"on": {"timestamp": 7}, "empty": {}}},
        "version": 5,
        "timestamp": 7,
    }
    assert after.state == {"reported": {"ColorRGB": GREY, "on": True, "empty": {}}}


def test_accepted_of_a_state_of_null() -> None:
    """moto, tests/test_iotdata: test_update_empty_state, which is run against AWS."""
    request = UpdateRequest({"desired": None, "reported": None}, clears=True)
    after = updated(SECOND, request.changes, 7)
    assert read(answers.accepted(request, after)) == {
        "state": None,
        "metadata": {"timestamp": 7},
        "version": 5,
        "timestamp": 7,
    }
    assert (after.state, after.metadata) == ({}, {})


def test_delta() -> None:
    assert read(answers.delta(SECOND, TOKEN)) == {
        "version": 4,
        "timestamp": 1591141596,
        "state": {"ColorRGB": YELLOW},
        "metadata": {"ColorRGB": stamps(1591141596)},
        "clientToken": TOKEN,
    }


def test_documents_of_the_last_step() -> None:
    third = updated(SECOND, {"reported": {"ColorRGB": YELLOW}}, 1591142747)
    assert answers.delta(third, None) is None
    document = read(answers.documents(SECOND, third, None))
    assert document["timestamp"] == 1591142747
    assert document["previous"]["version"] == 4
    assert document["previous"]["state"]["reported"]["ColorRGB"] == GREY
    assert document["current"] == {
        "state": {"desired": {"ColorRGB": YELLOW}, "reported": {"ID": "SmartLamp21", "ColorRGB": YELLOW}},
        "metadata": {
            "desired": {"ColorRGB": stamps(1591141596)},
            "reported": {"ID": {"timestamp": 1591140517}, "ColorRGB": stamps(1591142747)},
        },
        "version": 5,
    }


def test_documents_of_the_first_step_have_nothing_before() -> None:
    assert read(answers.documents(None, FIRST, "t")).keys() == {"current", "timestamp", "clientToken"}
    assert "previous" not in read(answers.documents(REPORTED, FIRST, None))


def test_deleted_and_rejected() -> None:
    assert read(answers.deleted(SECOND, 9, None)) == {"version": 4, "timestamp": 9}
    assert read(answers.deleted(SECOND, 9, "t"))["clientToken"] == "t"
    error: ServiceError = Conflict("Version conflict")
    assert read(answers.rejected(error, 9, TOKEN)) == {
        "code": 409,
        "message": "Version conflict",
        "timestamp": 9,
        "clientToken": TOKEN,
    }
