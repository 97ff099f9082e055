"""The element `Principal`: what it may hold, and whom it names."""

from typing import Any

import pytest

from fogbank.policy.principals import Asker, parse_principals

USER = "arn:aws:iam::123456789012:user/ops/bob"
ROLE = "arn:aws:iam::123456789012:role/r"
SESSION = "arn:aws:sts::123456789012:assumed-role/r/s"
ROOT = "arn:aws:iam::123456789012:root"
BOB = Asker("AWS", (USER,), "123456789012")
WORKER = Asker("AWS", (SESSION, ROLE), "123456789012")
IOT = Asker("Service", ("iot.amazonaws.com",))


@pytest.mark.parametrize(
    ("principal", "asker", "by_name", "at_all"),
    [
        ("*", BOB, True, True),
        ("*", IOT, True, True),
        ({"AWS": "*"}, WORKER, True, True),
        ({"AWS": USER}, BOB, True, True),
        ({"AWS": [ROLE, USER]}, BOB, True, True),
        ({"AWS": USER}, WORKER, False, False),
        ({"AWS": ROLE}, WORKER, True, True),
        ({"AWS": SESSION}, WORKER, True, True),
        ({"AWS": SESSION + "x"}, WORKER, False, False),
        ({"AWS": "123456789012"}, BOB, False, True),
        ({"AWS": ROOT}, BOB, False, True),
        ({"AWS": "210987654321"}, BOB, False, False),
        ({"AWS": ROOT}, IOT, False, False),
        ({"Service": "iot.amazonaws.com"}, IOT, True, True),
        ({"Service": ["lambda.amazonaws.com", "iot.amazonaws.com"]}, IOT, True, True),
        ({"Service": "lambda.amazonaws.com"}, IOT, False, False),
        ({"Service": "iot.amazonaws.com"}, BOB, False, False),
        ({"Federated": "cognito-identity.amazonaws.com"}, BOB, False, False),
    ],
)
def test_whom_it_names(principal: Any, asker: Asker, by_name: bool, at_all: bool) -> None:
    """IAM user guide, reference_policies_elements_principal."""
    named = parse_principals(principal, negated=False)
    assert (named.name(asker), named.match(asker)) == (by_name, at_all)


@pytest.mark.parametrize(
    ("principal", "asker", "matches"),
    [
        ({"AWS": USER}, BOB, False),
        ({"AWS": USER}, WORKER, True),
        ({"AWS": ROOT}, BOB, False),
        ("*", BOB, False),
        ({"Service": "iot.amazonaws.com"}, IOT, False),
        ({"Service": "lambda.amazonaws.com"}, IOT, True),
    ],
)
def test_not_principal_names_all_others(principal: Any, asker: Asker, matches: bool) -> None:
    assert parse_principals(principal, negated=True).match(asker) is matches


@pytest.mark.parametrize(
    "principal",
    [
        None,
        {},
        [],
        7,
        "arn:aws:iam::123456789012:root",
        {"Human": "bob"},
        {"AWS": []},
        {"AWS": [7]},
        {"AWS": "bob"},
        {"AWS": "arn:aws:iam::123456789012:user/*" + " "},
        {"AWS": "arn:aws:iam::1:root"},
        {"Service": "iot"[:0]},
        {"Service": "*"},
    ],
)
def test_what_is_no_principal(principal: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_principals(principal, negated=False)
