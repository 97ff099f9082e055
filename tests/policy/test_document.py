import re
from typing import Any

import msgspec
import pytest

from fogbank.policy.document import Effect, MalformedPolicy, parse_document

ALLOW = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}


def policy(**changes: Any) -> str:
    """A policy of one statement; a member that is None is left out of it."""
    statement = {key: value for key, value in (ALLOW | changes).items() if value is not None}
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()


def test_a_statement_may_stand_alone_and_have_lists_or_strings() -> None:
    document = parse_document(
        '{"Version": "2012-10-17", "Id": "p", "Statement": {"Sid": "S", "Effect": "Deny",'
        ' "Action": ["iot:Publish", "iot:Connect"], "NotResource": "arn:x"}}'
    )
    [statement] = document.statements
    assert (document.id, statement.sid, statement.number, statement.effect) == ("p", "S", 1, Effect.DENY)
    assert statement.actions.match("iot:connect")
    assert not statement.actions.match("iot:receive")
    assert statement.not_resource
    assert [template.text for template in statement.resources] == ["arn:x"]


def test_without_a_version_it_is_the_one_that_knows_no_variables() -> None:
    document = parse_document(msgspec.json.encode({"Statement": ALLOW | {"Resource": "${iot:ClientId}"}}).decode())
    assert document.version == "2008-10-17"
    assert not document.statements[0].resources[0].variables


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "", "not JSON"),
        ("{", "", "not JSON"),
        ('{"Version": "2012-10-17",\n "Statement": [x]}', "", "line 2, column 16"),
        ("[" * 100_000, "", "nested too deeply"),
        ("[]", "the document", "must be a JSON object"),
        ("{}", "", "no Statement"),
        ('{"Statement": []}', "Statement", "at least one"),
        ('{"Statement": [1]}', "Statement[1]", "must be a JSON object"),
        ('{"Version": "2020-01-01", "Statement": []}', "Version", "2012-10-17"),
        ('{"Version": 1, "Statement": []}', "Version", "2012-10-17"),
        ('{"Statements": []}', "", "'Statements' is not an element"),
        (policy(Effect=None), "Statement[1]", "no Effect"),
        (policy(Effect="allow"), "Statement[1].Effect", "'Allow' or 'Deny', not 'allow'"),
        (policy(Action=None), "Statement[1]", "either Action or NotAction"),
        (policy(NotAction="iot:*"), "Statement[1]", "either Action or NotAction"),
        (policy(Resource=None), "Statement[1]", "either Resource or NotResource"),
        (policy(NotResource="*"), "Statement[1]", "either Resource or NotResource"),
        (policy(Action=[]), "Statement[1].Action", "empty"),
        (policy(Action=[1]), "Statement[1].Action", "list of strings, not 1"),
        (policy(Action="Publish"), "Statement[1].Action", "write 'iot:Publish'"),
        (policy(Resource={}), "Statement[1].Resource", "a string or a list"),
        (policy(Resource="${iot:ClientId"), "Statement[1].Resource", "not closed"),
        (policy(Principal="*"), "Statement[1]", "'Principal' is not an element"),
        (policy(Sid=1), "Statement[1].Sid", "must be a string"),
        (policy(Condition=[]), "Statement[1].Condition", "must be a JSON object"),
        (policy(Condition={"StringIs": {}}), "Statement[1].Condition", "no condition operator 'StringIs'"),
        (policy(Condition={"ForNone:StringLike": {}}), "Statement[1].Condition", "no qualifier 'ForNone'"),
        (policy(Condition={"ForAnyValue:Null": {"a": "true"}}), "Statement[1].Condition", "ForAnyValue:Null"),
        (policy(Condition={"NullIfExists": {"a": "true"}}), "Statement[1].Condition", "NullIfExists"),
        (policy(Condition={"Null": {"a": "maybe"}}), "Statement[1].Condition.Null.a", "true or false, not 'maybe'"),
        (policy(Condition={"Bool": "a"}), "Statement[1].Condition.Bool", "must be a JSON object"),
        (policy(Condition={"StringLike": {"a": None}}), "Statement[1].Condition.StringLike.a", "not None"),
        (policy(Condition={"NumericEquals": {"a": "x"}}), "Statement[1].Condition.NumericEquals.a", "not a number"),
        (policy(Condition={"DateLessThan": {"a": "x"}}), "Statement[1].Condition.DateLessThan.a", "ISO 8601"),
        (policy(Condition={"IpAddress": {"a": "x"}}), "Statement[1].Condition.IpAddress.a", "'x'"),
        (policy(Condition={"BinaryEquals": {"a": "="}}), "Statement[1].Condition.BinaryEquals.a", "base64"),
        (policy(Condition={"Bool": {"a": "x"}}), "Statement[1].Condition.Bool.a", "neither true nor false"),
    ],
)
def test_malformed(text: str, where: str, what: str) -> None:
    with pytest.raises(MalformedPolicy, match=re.escape(what)) as raised:
        parse_document(text)
    assert raised.value.where == where
    assert str(raised.value).startswith(where)
