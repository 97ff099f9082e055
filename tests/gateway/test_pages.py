"""Pages on a socket: who may see which, and how their paths are told from those of operations."""

from typing import Any

import pytest
from tests.gateway import account
from tests.gateway.toy import ARNS, send, serving

from fogbank.awswire.http import Request, Response
from fogbank.awswire.sigv4 import sign
from fogbank.clock import SystemClock
from fogbank.errors import InvalidRequest
from fogbank.gateway.pages import Audience, Page, Visit, json_response
from fogbank.ports import Identity

DEVICE = Identity("c", ARNS.iot("cert", "c"), active=True)
HOST = {"host": "x"}


async def echo(visit: Visit) -> Response:
    caller = None if visit.caller is None else visit.caller.arn
    return json_response({"names": dict(visit.names), "caller": caller, "bytes": len(visit.request.body)})


def page(path: str = "/_fogbank/echo", **about: Any) -> Page:
    known: dict[str, Any] = {"method": "GET", "path": path, "answer": echo, "audience": Audience.ANYONE}
    return Page(**(known | about))


async def test_anyone_sees_what_is_for_anyone() -> None:
    async with serving(pages=[page("/_fogbank/{kind}/of/{name}")]) as toy:
        answer = await send(toy.port, Request("GET", "/_fogbank/a/of/b%2Fc%20d", headers=HOST))
    assert (answer.status, answer.json["names"]) == (200, {"kind": "a", "name": "b/c d"})


@pytest.mark.parametrize("path", ["/_fogbank/echo/", "/_fogbank/echo/x", "/_fogbank/ech", "/_fogbank/e.ho"])
async def test_a_path_is_meant_as_it_is_written(path: str) -> None:
    async with serving(pages=[page()]) as toy:
        answer = await send(toy.port, Request("GET", path, headers=HOST))
    assert answer.status == 404
    assert b"Fogbank has nothing for you at GET" in answer.body


async def test_the_method_counts() -> None:
    async with serving(pages=[page()]) as toy:
        assert (await send(toy.port, Request("POST", "/_fogbank/echo", headers=HOST))).status == 404


@pytest.mark.parametrize("caller", [None, DEVICE], ids=["nobody", "a device"])
async def test_a_page_for_keys(caller: Identity | None) -> None:
    async with serving(caller, pages=[page(audience=Audience.KEYS)]) as toy:
        assert (await send(toy.port, Request("GET", "/_fogbank/echo", headers=HOST))).status in (403, 404)
        answer = await send(toy.port, toy.signed("GET", "/_fogbank/echo", service="fogbank"))
    assert (answer.status, answer.json["caller"]) == (200, f"arn:aws:iam::{ARNS.account}:root")


async def test_a_page_for_devices() -> None:
    async with serving(DEVICE, pages=[page(audience=Audience.DEVICES)]) as toy:
        answer = await send(toy.port, Request("GET", "/_fogbank/echo", headers=HOST))
        assert (answer.status, answer.json["caller"]) == (200, DEVICE.arn)
        assert (await send(toy.port, toy.signed("GET", "/_fogbank/echo"))).status == 403


async def test_an_action_opens_a_page_to_users() -> None:
    pages = [
        page("/_fogbank/open", audience=Audience.KEYS, action="iot:UpdateCertificate"),
        page("/_fogbank/closed", audience=Audience.KEYS),
    ]
    async with account.serving(pages=pages) as there:
        clerk = await there.user("clerk", account.allow("iot:UpdateCertificate"))
        guest = await there.user("guest", account.allow("iot:DescribeCertificate"))

        async def status(path: str, keys: account.Keys) -> int:
            request = Request("GET", path, "", {"host": f"127.0.0.1:{there.port}"})
            headers = sign(request, keys[0], keys[1], region="us-east-1", service="iot", now=SystemClock().time())
            return (await send(there.port, Request("GET", path, "", headers))).status

        assert [await status("/_fogbank/open", one) for one in (clerk, guest)] == [200, 403]
        assert [await status("/_fogbank/closed", one) for one in (clerk, guest)] == [404, 404]


async def test_the_body_has_the_bound_of_the_page() -> None:
    async with serving(pages=[page(method="POST", audience=Audience.KEYS, limit=10)]) as toy:
        fits = await send(toy.port, toy.signed("POST", "/_fogbank/echo", body=b"0123456789"))
        assert (fits.status, fits.json["bytes"]) == (200, 10)
        assert (await send(toy.port, toy.signed("POST", "/_fogbank/echo", body=b"0123456789a"))).status == 413


async def test_errors_are_answered_as_everywhere() -> None:
    async def refuse(visit: Visit) -> Response:
        raise InvalidRequest("not like that")

    async with serving(pages=[page(answer=refuse)]) as toy:
        answer = await send(toy.port, Request("GET", "/_fogbank/echo", headers=HOST))
    assert (answer.status, answer.json["message"]) == (400, "not like that")


# --- pages beside operations ------------------------------------------------------------------------------------------


async def test_a_page_elsewhere_is_for_whoever_does_not_sign() -> None:
    async with serving(pages=[page("/confirmdestination/{token}")]) as toy:
        answer = await send(toy.port, Request("GET", "/confirmdestination/a%2Bb", headers=HOST))
        assert (answer.status, answer.json["names"]) == (200, {"token": "a+b"})
        signed = await send(toy.port, toy.signed("GET", "/confirmdestination/a%2Bb"))
        assert "names" not in signed.json


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/confirmdestination/a"), ("GET", "/destinations"), ("GET", "/confirmdestination")],
)
async def test_nothing_else_goes_without_a_signature(method: str, path: str) -> None:
    async with serving(pages=[page("/confirmdestination/{token}")]) as toy:
        assert (await send(toy.port, Request(method, path, headers=HOST))).status == 403
