"""Where authorizer, token and signature are found."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.identity.credentials import Credentials, is_signed, of_head, of_username
from fogbank.ports import HttpHead


def head(query: str = "", **headers: str) -> HttpHead:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpHead(method="GET", path="/mqtt", query=query, headers=named)


def three(found: Credentials) -> tuple[str | None, str | None, str | None]:
    return found.authorizer, found.signature, found.token("MyToken")


@pytest.mark.parametrize(
    "found",
    [
        of_head(head(x_amz_customauthorizer_name="a", x_amz_customauthorizer_signature="c+/=", mytoken="t")),
        of_head(head("x-amz-customauthorizer-name=a&x-amz-customauthorizer-signature=c%2B%2F%3D&MyToken=t")),
        of_head(head("X-Amz-CustomAuthorizer-Name=a&X-Amz-CustomAuthorizer-Signature=c+/=&mytoken=t")),
        of_username("user?x-amz-customauthorizer-name=a&x-amz-customauthorizer-signature=c%2B%2F%3D&MyToken=t"),
        of_username("?MyToken=t&x-amz-customauthorizer-name=a&x-amz-customauthorizer-signature=c+%2F%3D&SDK=Python"),
        of_username("?MyToken=t&x-amz-customauthorizer-name=a&x-amz-customauthorizer-signature=c%20/="),
    ],
)
def test_the_three_wherever_they_come(found: Credentials) -> None:
    assert three(found) == ("a", "c+/=", "t")


@pytest.mark.parametrize("username", [None, "", "user", "user?", "user?&&=x&", "x-amz-customauthorizer-name=a"])
def test_a_user_name_may_have_none(username: str | None) -> None:
    assert three(of_username(username)) == (None, None, None)


def test_empty_values_are_none() -> None:
    found = of_username("?x-amz-customauthorizer-name=&x-amz-customauthorizer-signature&MyToken=")
    assert three(found) == (None, None, None)


def test_without_a_key_name_there_is_no_token() -> None:
    assert of_username("?token=t").token(None) is None


def test_headers_go_before_parameters_and_the_request_before_the_user_name() -> None:
    request = of_head(head("mytoken=query&x-amz-customauthorizer-name=q", mytoken="header"))
    found = request.over(of_username("?mytoken=user&x-amz-customauthorizer-signature=s"))
    assert three(found) == ("q", "s", "header")


def test_values_stay_out_of_logs() -> None:
    assert "secret" not in repr(of_username("?token=secret"))


@given(token=st.text(min_size=1))
def test_an_encoded_token_arrives_as_it_was(token: str) -> None:
    assert of_username(f"u?t={quote(token, safe='')}").token("t") == token


@given(username=st.text())
def test_no_user_name_is_too_odd(username: str) -> None:
    of_username(username)


@pytest.mark.parametrize(
    ("request_head", "signed"),
    [
        (head(), False),
        (head(authorization="Bearer x"), False),
        (head(authorization="AWS4-HMAC-SHA256 Credential=x"), True),
        (head("X-Amz-Algorithm=AWS4-HMAC-SHA256"), True),
        (head("a=b&X-Amz-Signature=abc"), True),
        (head("x-amz-customauthorizer-signature=abc"), False),
    ],
)
def test_signed_by_an_access_key(request_head: HttpHead, signed: bool) -> None:
    assert is_signed(request_head) is signed
