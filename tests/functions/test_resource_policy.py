import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import InvalidParameterValue
from fogbank.functions.resource_policy import Statement, allows, arn_like, check, document, policy
from fogbank.ports import ServiceCaller

RULE = "arn:aws:iot:us-east-1:123456789012:rule/hot"
CALLER = ServiceCaller("iot.amazonaws.com", RULE, "123456789012")
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


def statement(
    principal: str = "iot.amazonaws.com",
    source_arn: str | None = None,
    source_account: str | None = None,
    action: str = "lambda:InvokeFunction",
    event_source_token: str | None = None,
) -> Statement:
    return Statement(
        sid="s",
        action=action,
        principal=principal,
        source_arn=source_arn,
        source_account=source_account,
        event_source_token=event_source_token,
    )


@pytest.mark.parametrize(
    ("granted", "expected"),
    [
        (statement(), True),
        (statement(source_arn=RULE), True),
        (statement(source_arn=RULE, source_account="123456789012"), True),
        (statement(source_arn="arn:aws:iot:us-east-1:123456789012:rule/*"), True),
        (statement(source_arn="arn:aws:iot:*:*:rule/h?t"), True),
        (statement(source_account="123456789012"), True),
        (statement(principal="*"), True),
        (statement(action="lambda:*"), True),
        (statement(action="*"), True),
        (statement(principal="s3.amazonaws.com"), False),
        (statement(principal="123456789012"), False),
        (statement(action="lambda:GetFunction"), False),
        (statement(source_arn=RULE + "x"), False),
        (statement(source_arn="arn:aws:iot:us-east-1:123456789012:rule/h?"), False),
        (statement(source_arn="arn:aws:iot:eu-west-1:123456789012:rule/hot"), False),
        (statement(source_arn="arn:aws:iot:*"), False),  # a wildcard does not reach over a colon
        (statement(source_arn=RULE, source_account="210987654321"), False),
        (statement(source_account="210987654321"), False),
        (statement(event_source_token="skill"), False),
    ],
)
def test_permission_matrix(granted: Statement, expected: bool) -> None:
    assert allows((granted,), CALLER) is expected
    assert allows((statement(principal="sns.amazonaws.com"), granted), CALLER) is expected


def test_nobody_is_allowed_without_a_statement() -> None:
    assert not allows((), CALLER)


def test_document_is_in_the_policy_language() -> None:
    """facts: developer guide, "Granting function access to AWS services"."""
    assert document(statement(source_arn=RULE, source_account="123456789012"), FUNCTION) == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"Service": "iot.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
            "ArnLike": {"AWS:SourceArn": RULE},
        },
    }
    assert "Condition" not in document(statement(), FUNCTION)


@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        ("*", "*"),
        ("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("arn:aws:iam::123456789012:role/r", {"AWS": "arn:aws:iam::123456789012:role/r"}),
        ("iot.amazonaws.com", {"Service": "iot.amazonaws.com"}),
    ],
)
def test_principals(principal: str, shown: object) -> None:
    assert document(check(statement(principal)), FUNCTION)["Principal"] == shown


def test_policy_is_json_with_all_statements() -> None:
    shown = msgspec.json.decode(policy((statement(), statement("*")), FUNCTION))
    assert shown["Version"] == "2012-10-17"
    assert [one["Principal"] for one in shown["Statement"]] == [{"Service": "iot.amazonaws.com"}, "*"]


@pytest.mark.parametrize(
    "wrong",
    [
        statement(principal="nobody"),
        statement(principal="1234"),
        statement(action="iot:Publish"),
        statement(source_arn="rule/hot"),
        statement(source_account="12"),
        Statement(sid="a b", action="*", principal="*"),
        Statement(sid="x" * 101, action="*", principal="*"),
    ],
)
def test_refuses_members_without_a_valid_form(wrong: Statement) -> None:
    with pytest.raises(InvalidParameterValue):
        check(wrong)


PIECE = st.text("ab*?.[", max_size=6)


@given(st.lists(PIECE, min_size=6, max_size=6), st.lists(st.text("ab.[", max_size=6), min_size=6, max_size=6))
def test_arn_like_matches_piece_by_piece(pattern: list[str], arn: list[str]) -> None:
    def naive(wanted: str, given: str) -> bool:
        if not wanted:
            return not given
        if wanted[0] == "*":
            return naive(wanted[1:], given) or (bool(given) and naive(wanted, given[1:]))
        return bool(given) and wanted[0] in ("?", given[0]) and naive(wanted[1:], given[1:])

    expected = all(naive(*pair) for pair in zip(pattern, arn, strict=True))
    assert arn_like(":".join(pattern), ":".join(arn)) is expected


def test_arn_like_takes_the_rest_as_one_piece() -> None:
    assert arn_like("arn:aws:a:b:c:x*z", "arn:aws:a:b:c:x:y:z")
    assert not arn_like("arn:aws:a:b:c:x", "arn:aws:a:b:c:x:y")
    assert not arn_like("arn:aws:a:b:c:x.", "arn:aws:a:b:c:xy")
