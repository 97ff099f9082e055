import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import InvalidRequest, RequestEntityTooLarge
from fogbank.settings import Limits
from fogbank.shadows import answers
from fogbank.shadows.document import Shadow, updated
from fogbank.shadows.errors import UnsupportedDocumentEncoding
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.requests import UpdateRequest, client_token, parse_delete, parse_update

AWS = ShadowLimits.of(Limits.AWS)


def nested(levels: int, *, array: bool = False) -> bytes:
    """A request whose `desired` has so many levels, itself included."""
    opening, closing = ("[", "]") if array else ('{"a":', "}")
    inner = opening * (levels - 2) + ("[]" if array else "{}") + closing * (levels - 2)
    return f'{{"state":{{"desired":{{"a":{inner}}}}}}}'.encode()


def test_what_a_request_says() -> None:
    payload = b'{"state": {"desired": {"a": 1}, "reported": null}, "version": 3, "clientToken": "t"}'
    assert parse_update(payload, AWS) == UpdateRequest({"desired": {"a": 1}, "reported": None}, 3, "t")


def test_what_else_there_is_is_ignored() -> None:
    payload = b'{"state": {"delta": {"a": [null]}, "x": 1}, "metadata": 1, "timestamp": "x"}'
    assert parse_update(payload, AWS) == UpdateRequest({})


def test_a_state_of_null_clears_both_sections() -> None:
    assert parse_update(b'{"state": null}', AWS) == UpdateRequest({"desired": None, "reported": None}, clears=True)


def test_null_stands_for_nothing_said() -> None:
    assert parse_update(b'{"state": {}, "version": null, "clientToken": null}', AWS) == UpdateRequest({})


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        # developer guide, device-shadow-error-messages
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b'{"state": {"desired": {"a": NaN}}}', "Invalid JSON"),
        (b'{"state": {"desired": {"a": "\\ud800"}}}', "Invalid JSON"),
        (b"1", "Missing required node: state"),
        (b"[]", "Missing required node: state"),
        (b"{}", "Missing required node: state"),
        (b'{"desired": {}}', "Missing required node: state"),
        (b'{"state": []}', "State node must be an object"),
        (b'{"state": {"desired": 1}}', "Desired node must be an object"),
        (b'{"state": {"desired": []}}', "Desired node must be an object"),
        (b'{"state": {"reported": "x"}}', "Reported node must be an object"),
        (b'{"state": {}, "version": "1"}', "Invalid version"),
        (b'{"state": {}, "version": -1}', "Invalid version"),
        (b'{"state": {}, "version": 1.0}', "Invalid version"),
        (b'{"state": {}, "version": true}', "Invalid version"),
        (b'{"state": {}, "clientToken": 1}', "Invalid clientToken"),
        (b'{"state": {}, "clientToken": "' + b"x" * 65 + b'"}', "Invalid clientToken"),
        (b'{"state": {}, "clientToken": "' + "ä".encode() * 33 + b'"}', "Invalid clientToken"),
        (b'{"state": {"desired": {"a": [1, null]}}}', "State contains an invalid node"),
        (b'{"state": {"desired": {"a": [[null]]}}}', "State contains an invalid node"),
        (b'{"state": {"reported": {"a": [{"b": null}]}}}', "State contains an invalid node"),
        (nested(9), "JSON contains too many levels of nesting; maximum is 6"),
        (nested(9, array=True), "JSON contains too many levels of nesting; maximum is 6"),
        (b"[" * 100_000, "JSON contains too many levels of nesting; maximum is 6"),
    ],
)
def test_refused(payload: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_update(payload, AWS)
    assert raised.value.message == message


@pytest.mark.parametrize("array", [False, True])
def test_the_deepest_that_is_allowed(array: bool) -> None:
    parse_update(nested(8, array=array), AWS)


def test_a_token_of_64_bytes() -> None:
    assert parse_update(b'{"state": {}, "clientToken": "' + b"x" * 64 + b'"}', AWS).client_token == "x" * 64


def test_not_utf_8() -> None:
    with pytest.raises(UnsupportedDocumentEncoding, match="supported encoding is UTF-8"):
        parse_update('{"state": {}}'.encode("utf-16"), AWS)


def test_too_large_to_look_at() -> None:
    with pytest.raises(RequestEntityTooLarge, match="The payload exceeds the maximum size allowed"):
        parse_update(b" " * (AWS.request_bytes + 1), AWS)


members = st.sampled_from(["state", "desired", "version"])
json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner),
)


@given(st.binary(max_size=40) | json_values.map(msgspec.json.encode))
def test_whatever_comes_is_a_request_or_a_modelled_error(payload: bytes) -> None:
    client_token(payload)
    with contextlib.suppress(InvalidRequest, UnsupportedDocumentEncoding):
        assert set(parse_update(payload, AWS).changes) <= {"desired", "reported"}


@pytest.mark.parametrize(
    ("payload", "token"),
    [
        (b'{"clientToken": "t"}', "t"),
        (b'{"clientToken": "t", "state": 1}', "t"),
        (b"", None),
        (b"nonsense", None),
        (b"[]", None),
        (b'{"clientToken": 1}', None),
        (b'{"clientToken": "' + b"x" * 65 + b'"}', None),
        (b"[" * 100_000, None),
        (b"\xff", None),
        (b'{"clientToken": "\xff"}', None),
    ],
)
def test_the_token_of_any_payload(payload: bytes, token: str | None) -> None:
    assert client_token(payload) == token


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1.0", 1.0),
        ("true", True),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("-9223372036854775809", -9223372036854775809),
        ("1e308", 1e308),
        ('"\\u00e9\\ud83d\\ude00"', "\u00e9\U0001f600"),
        ('"\u00e9\U0001f600"', "\u00e9\U0001f600"),
        ('"\\u0000"', "\0"),
        ('{"": {"$": []}}', {"": {"$": []}}),
    ],
)
def test_values_stay_what_they_are(text: str, value: object) -> None:
    """From the request over the stored record to the answer."""
    update = parse_update(f'{{"state": {{"desired": {{"a": {text}}}}}}}'.encode(), AWS)
    stored = msgspec.json.decode(msgspec.json.encode(updated(None, update.changes, 1)), type=Shadow)
    found = msgspec.json.decode(answers.current(stored, 1, None))["state"]["desired"]["a"]
    assert (found, type(found)) == (value, type(value))


def test_of_a_member_that_is_there_twice_the_last_counts() -> None:
    payload = b'{"state": {"desired": {"a": 1, "a": 2}}, "version": 1, "version": 2}'
    assert parse_update(payload, AWS) == UpdateRequest({"desired": {"a": 2}}, 2)


@pytest.mark.parametrize("token", ["x" * 64, "\u00e9" * 32, ""])
def test_a_client_token_has_up_to_64_bytes(token: str) -> None:
    payload = msgspec.json.encode({"state": {}, "clientToken": token})
    assert parse_update(payload, AWS).client_token == token
    assert client_token(payload) == token
    assert parse_delete(payload).client_token == token


@pytest.mark.parametrize("token", ["x" * 65, "\u00e9" * 33])
def test_and_not_more(token: str) -> None:
    payload = msgspec.json.encode({"state": {}, "clientToken": token})
    with pytest.raises(InvalidRequest, match="Invalid clientToken"):
        parse_update(payload, AWS)
    assert client_token(payload) is None
    assert parse_delete(payload).client_token is None
