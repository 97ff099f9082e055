"""What a function may answer: developer guide, "Defining your Lambda function"."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.identity.conftest import ANSWER, POLICY

from fogbank.identity.authorizer_answer import (
    LONGEST,
    MAX_ANSWER,
    MAX_DOCUMENT,
    Answer,
    InvalidAnswer,
    read_answer,
)
from fogbank.policy import PolicySet


def read(answer: object, shortest: int = 300) -> Answer:
    return read_answer(msgspec.json.encode(answer), shortest)


def without(member: str) -> Mapping[str, Any]:
    return {key: value for key, value in ANSWER.items() if key != member}


def document_of(size: int) -> str:
    """A policy document of that many characters."""
    empty = msgspec.json.encode({**POLICY, "Id": ""}).decode()
    return msgspec.json.encode({**POLICY, "Id": "x" * (size - len(empty))}).decode()


def test_a_whole_answer() -> None:
    answer = read({**ANSWER, "context": "is of no interest"})
    assert (answer.authenticated, answer.principal) == (True, "sensor7")
    assert (answer.disconnect, answer.refresh) == (3600, 300)
    assert msgspec.json.decode(answer.documents[0]) == POLICY


def test_documents_may_be_text_or_objects_and_are_named_after_their_authorizer() -> None:
    text = msgspec.json.encode(POLICY).decode()
    policies = read({**ANSWER, "policyDocuments": [POLICY, text]}).policies("door")
    assert [one.name for one in policies] == [f"policyDocuments[{n}] of authorizer door" for n in (0, 1)]
    assert policies[0].document == policies[1].document
    decision = PolicySet.compile(policies).bind({}).decide("iot:Publish", "arn")
    assert decision.allowed
    assert "policyDocuments[0] of authorizer door" in decision.reason


def test_the_intervals_are_a_day_where_nothing_is_said() -> None:
    answer = read({"isAuthenticated": True, "principalId": "x", "policyDocuments": []})
    assert (answer.disconnect, answer.refresh, answer.documents) == (LONGEST, LONGEST, ())
    assert read({**ANSWER, "refreshAfterInSeconds": None}).refresh == LONGEST


def test_documents_may_be_missing() -> None:
    """ "The value is optional", custom-auth-509cert."""
    assert read(without("policyDocuments")).documents == ()


def test_no_is_an_answer_that_needs_nothing_else() -> None:
    assert read({"isAuthenticated": False}) == Answer(authenticated=False)
    assert read({"isAuthenticated": False, "principalId": "not good!"}) == Answer(authenticated=False)


WRONG_SECONDS: tuple[object, ...] = (299, 86_401, 0, -1, 300.5, "300", True, [])


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (None, "must be a JSON object, not None"),
        ([], r"must be a JSON object, not \[\]"),
        ("true", "must be a JSON object, not 'true'"),
        ({}, "isAuthenticated must be true or false, and is missing"),
        ({**ANSWER, "isAuthenticated": "true"}, "isAuthenticated must be true or false, not 'true'"),
        ({**ANSWER, "isAuthenticated": 1}, "isAuthenticated must be true or false, not 1"),
        (without("principalId"), "principalId must be 1 to 128 letters and digits, and is missing"),
        *(
            ({**ANSWER, "principalId": bad}, "principalId must be 1 to 128 letters and digits, not ")
            for bad in ("", "a-b", "a\n", "ä", "a" * 129, 7, None)
        ),
        ({**ANSWER, "policyDocuments": POLICY}, "policyDocuments must be a list"),
        ({**ANSWER, "policyDocuments": [POLICY] * 11}, "must be 10 documents at most, not 11"),
        ({**ANSWER, "policyDocuments": [POLICY, 7]}, r"policyDocuments\[1\] must be a policy document, .* not 7"),
        ({**ANSWER, "policyDocuments": ["{"]}, r"policyDocuments\[0\] is not a policy document: not JSON"),
        (
            {**ANSWER, "policyDocuments": [{"Statement": {"Effect": "Maybe"}}]},
            r"policyDocuments\[0\] is not a policy document: Statement\[1\]\.Effect",
        ),
        (
            {**ANSWER, "policyDocuments": [document_of(MAX_DOCUMENT + 1)]},
            r"policyDocuments\[0\] must have 2048 characters at most, not 2049",
        ),
        *(
            ({**ANSWER, member: wrong}, f"{member} must be a number of seconds from 300 to 86400, not ")
            for member in ("disconnectAfterInSeconds", "refreshAfterInSeconds")
            for wrong in WRONG_SECONDS
        ),
    ],
)
def test_whatever_breaks_a_rule_is_named_with_what_came(answer: object, what: str) -> None:
    with pytest.raises(InvalidAnswer, match=what):
        read(answer)


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[" * 5000, b'"' + b"x" * MAX_ANSWER + b'"'])
def test_what_is_no_answer_at_all(payload: bytes) -> None:
    with pytest.raises(InvalidAnswer, match=r"not JSON|bytes at most"):
        read_answer(payload)


def test_the_bounds_themselves_are_fine() -> None:
    answer = read(
        {
            "isAuthenticated": True,
            "principalId": "a" * 128,
            "policyDocuments": [document_of(MAX_DOCUMENT)] * 10,
            "disconnectAfterInSeconds": 86_400,
            "refreshAfterInSeconds": 300,
        }
    )
    assert len(answer.documents) == 10
    assert read({**ANSWER, "refreshAfterInSeconds": 1}, shortest=1).refresh == 1
    with pytest.raises(InvalidAnswer, match="from 1 to 86400, not True"):
        read({**ANSWER, "refreshAfterInSeconds": True}, shortest=1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(member=st.sampled_from(sorted(ANSWER)), value=JSON)
def test_no_value_of_a_member_makes_anything_but_an_answer_or_a_reason(member: str, value: Any) -> None:
    told = ""
    try:
        answer = read({**ANSWER, member: value})
    except InvalidAnswer as error:
        told = str(error)
    else:
        assert not answer.authenticated or answer.principal.isalnum()
        PolicySet.compile(answer.policies("a"))
    assert not told or (member in told and len(told) < 800)
