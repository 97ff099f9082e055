"""Rules as they are defined: names and payloads."""

from typing import Any

import pytest

from fogbank.errors import InvalidRequest
from fogbank.rules.definition import check_name, read_payload

ACTION: dict[str, Any] = {"lambda": {"functionArn": "arn"}}


@pytest.mark.parametrize("name", ["a", "A_1", "_", "9", "x" * 128])
def test_names_that_the_model_allows(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "with-hyphen", "with.dot", "x" * 129, "\u00fc", "a\n", "a b"])
def test_names_that_the_model_does_not_allow(name: str) -> None:
    with pytest.raises(InvalidRequest, match="rule name"):
        check_name(name)


def test_what_is_left_out_has_the_defaults_of_the_api() -> None:
    payload = read_payload({"sql": "SELECT", "actions": [ACTION]})
    assert (payload.aws_iot_sql_version, payload.rule_disabled) == ("2015-10-08", False)
    assert (payload.description, payload.error_action) == (None, None)


@pytest.mark.parametrize("count", [0, 1, 10])
def test_up_to_ten_actions(count: int) -> None:
    assert read_payload({"sql": "SELECT", "actions": [ACTION] * count}).actions == (ACTION,) * count


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"actions": []}, "sql"),
        ({"sql": "SELECT"}, "actions"),
        ({"sql": 1, "actions": []}, "sql"),
        ({"sql": "SELECT", "actions": [], "colour": "red"}, "colour"),
        ({"sql": "SELECT", "actions": ["lambda"]}, r"actions\[0\]"),
        ({"sql": "SELECT", "actions": [], "ruleDisabled": "yes"}, "ruleDisabled"),
        ({"sql": "SELECT", "actions": [ACTION] * 11}, "at most 10 actions"),
    ],
)
def test_payloads_that_are_refused(payload: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        read_payload(payload)
