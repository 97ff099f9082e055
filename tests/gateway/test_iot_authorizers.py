"""Authorizers as boto3 sees them, each operation over a socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.gateway import toy
from tests.gateway.served import Served, serving
from tests.gateway.toy import ARNS
from tests.identity.conftest import ANSWER, POLICY, Certificates, Functions, Signer

from fogbank.clock import SystemClock
from fogbank.gateway.iot_authorizers import IotAuthorizersApi
from fogbank.identity.authorizers import AuthorizerChange
from fogbank.identity.reception import Reception
from fogbank.registry.tags import Tags
from fogbank.storage.memory import MemoryDocuments
from fogbank.trace import Trace

FUNCTION = ARNS.function("judge")
UNSIGNED: dict[str, Any] = {"authorizerFunctionArn": FUNCTION, "signingDisabled": True}


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def reception(functions: Functions) -> Reception:
    clock = SystemClock()
    keys: Callable[[str], None] = {}.get  # type: ignore[assignment]
    documents = MemoryDocuments()
    tags = Tags(documents, ARNS)
    return Reception(documents, Certificates(), functions, keys, ARNS, clock, Trace(clock), tags=tags)


@pytest.fixture
async def iot(reception: Reception) -> AsyncIterator[Served]:
    async with serving([IotAuthorizersApi(reception.authorizers, reception.judge)]) as served:
        yield served


async def failure(iot: Served, operation: str, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        await iot.call(operation, **params)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


async def test_one_is_made_and_described_with_all_it_has(iot: Served, signer: Signer) -> None:
    given: dict[str, Any] = {
        "authorizerFunctionArn": FUNCTION,
        "tokenKeyName": "Token",
        "tokenSigningPublicKeys": {"first": signer.pem},
        "status": "INACTIVE",
        "signingDisabled": False,
        "enableCachingForHttp": True,
    }
    made = await iot.call("create_authorizer", authorizerName="a=b,@-", tags=[{"Key": "k", "Value": "v"}], **given)
    assert made == {"authorizerName": "a=b,@-", "authorizerArn": ARNS.iot("authorizer", "a=b,@-")}
    described = (await iot.call("describe_authorizer", authorizerName="a=b,@-"))["authorizerDescription"]
    created, modified = described.pop("creationDate"), described.pop("lastModifiedDate")
    assert described == made | given
    assert created == modified
    updated = await iot.call("update_authorizer", authorizerName="a=b,@-", status="ACTIVE", enableCachingForHttp=False)
    assert updated == made
    described = (await iot.call("describe_authorizer", authorizerName="a=b,@-"))["authorizerDescription"]
    assert (described["status"], described["enableCachingForHttp"]) == ("ACTIVE", False)
    assert described["lastModifiedDate"] > created


async def test_lists(iot: Served) -> None:
    assert await iot.call("list_authorizers") == {"authorizers": []}
    for name, status in (("b", "ACTIVE"), ("a", "INACTIVE"), ("c", "ACTIVE")):
        await iot.call("create_authorizer", authorizerName=name, status=status, **UNSIGNED)

    async def names(**params: Any) -> tuple[list[str], str | None]:
        answer = await iot.call("list_authorizers", **params)
        assert all(
            one["authorizerArn"] == ARNS.iot("authorizer", one["authorizerName"]) for one in answer["authorizers"]
        )
        return [one["authorizerName"] for one in answer["authorizers"]], answer.get("nextMarker")

    assert await names() == (["c", "b", "a"], None)
    assert await names(ascendingOrder=True) == (["a", "b", "c"], None)
    assert await names(status="ACTIVE", ascendingOrder=True) == (["b", "c"], None)
    first, marker = await names(pageSize=2)
    assert await names(pageSize=2, marker=marker) == (["a"], None)
    assert first == ["c", "b"]
    assert await failure(iot, "list_authorizers", marker="A") == ("InvalidRequestException", 400)


async def test_the_default_one(iot: Served) -> None:
    for operation in ("describe_default_authorizer", "clear_default_authorizer"):
        assert await failure(iot, operation) == ("ResourceNotFoundException", 404)
    for name in ("a", "b"):
        await iot.call("create_authorizer", authorizerName=name, **UNSIGNED)
    reference = {"authorizerName": "a", "authorizerArn": ARNS.iot("authorizer", "a")}
    assert await iot.call("set_default_authorizer", authorizerName="a") == reference
    assert await failure(iot, "set_default_authorizer", authorizerName="b") == ("ResourceAlreadyExistsException", 409)
    described = await iot.call("describe_default_authorizer")
    assert described == await iot.call("describe_authorizer", authorizerName="a")
    assert await iot.call("clear_default_authorizer") == {}
    assert await failure(iot, "describe_default_authorizer") == ("ResourceNotFoundException", 404)


async def test_errors_are_the_modelled_ones(iot: Served) -> None:
    await iot.call("create_authorizer", authorizerName="a", **UNSIGNED)
    cases: list[tuple[str, dict[str, Any], tuple[str, int]]] = [
        ("create_authorizer", {"authorizerName": "a", **UNSIGNED}, ("ResourceAlreadyExistsException", 409)),
        ("create_authorizer", {"authorizerName": "b c", **UNSIGNED}, ("InvalidRequestException", 400)),
        ("create_authorizer", {"authorizerName": "b", "authorizerFunctionArn": "f"}, ("InvalidRequestException", 400)),
        ("create_authorizer", {"authorizerName": "b", **UNSIGNED, "status": "x"}, ("InvalidRequestException", 400)),
        ("describe_authorizer", {"authorizerName": "b"}, ("ResourceNotFoundException", 404)),
        ("update_authorizer", {"authorizerName": "b"}, ("ResourceNotFoundException", 404)),
        ("set_default_authorizer", {"authorizerName": "b"}, ("ResourceNotFoundException", 404)),
        ("test_invoke_authorizer", {"authorizerName": "b"}, ("ResourceNotFoundException", 404)),
        ("delete_authorizer", {"authorizerName": "a"}, ("DeleteConflictException", 409)),
    ]
    for operation, params, expected in cases:
        assert await failure(iot, operation, **params) == expected
    await iot.call("update_authorizer", authorizerName="a", status="INACTIVE")
    assert await iot.call("delete_authorizer", authorizerName="a") == {}
    assert await failure(iot, "delete_authorizer", authorizerName="a") == ("ResourceNotFoundException", 404)


class TestTestInvoke:
    async def test_a_token(self, iot: Served, functions: Functions, signer: Signer) -> None:
        keys = {"k": signer.pem}
        await iot.call(
            "create_authorizer",
            authorizerName="a",
            authorizerFunctionArn=FUNCTION,
            tokenKeyName="Token",
            tokenSigningPublicKeys=keys,
        )
        answer = await iot.call(
            "test_invoke_authorizer", authorizerName="a", token="t", tokenSignature=signer.sign("t")
        )
        documents = [json.loads(one) for one in answer.pop("policyDocuments")]
        assert documents == [POLICY]
        assert answer == {key: value for key, value in ANSWER.items() if key != "policyDocuments"}
        [event] = functions.events
        assert event.pop("connectionMetadata")["id"]
        assert event == {"token": "t", "signatureVerified": True, "protocols": [], "protocolData": {}}
        for wrong in ({}, {"token": "t"}, {"token": "u", "tokenSignature": signer.sign("t")}):
            refused = await failure(iot, "test_invoke_authorizer", authorizerName="a", **wrong)
            assert refused == ("InvalidRequestException", 400)
        parameters = f"?Token=t&x-amz-customauthorizer-signature={signer.sign('t')}"
        headers = {"token": "t", "X-Amz-CustomAuthorizer-Signature": signer.sign("t")}
        for context in (
            {"mqttContext": {"username": f"u{parameters}"}},
            {"httpContext": {"queryString": parameters}},
            {"httpContext": {"headers": headers}},
        ):
            tested = await iot.call("test_invoke_authorizer", authorizerName="a", **context)
            assert tested["isAuthenticated"]

    async def test_a_connection(self, iot: Served, functions: Functions) -> None:
        await iot.call("create_authorizer", authorizerName="a", tokenKeyName="Token", **UNSIGNED)
        await iot.call(
            "test_invoke_authorizer",
            authorizerName="a",
            httpContext={"headers": {"token": "t"}, "queryString": "?a=b"},
            mqttContext={"username": "u", "password": b"p\xff", "clientId": "c"},
            tlsContext={"serverName": "name"},
        )
        [event] = functions.events
        assert (event["token"], event["signatureVerified"]) == ("t", False)
        assert event["protocols"] == ["tls", "http", "mqtt"]
        assert event["protocolData"] == {
            "tls": {"serverName": "name"},
            "http": {"headers": {"token": "t"}, "queryString": "?a=b"},
            "mqtt": {"username": "u", "password": "cP8=", "clientId": "c"},
        }

    async def test_no_and_nonsense(self, iot: Served, functions: Functions) -> None:
        await iot.call("create_authorizer", authorizerName="a", **UNSIGNED)
        functions.answer = {"isAuthenticated": False}
        assert await iot.call("test_invoke_authorizer", authorizerName="a") == {"isAuthenticated": False}
        functions.answer = {**ANSWER, "principalId": "not-good"}
        with pytest.raises(ClientError, match="principalId must be 1 to 128 letters and digits, not 'not-good'"):
            await iot.call("test_invoke_authorizer", authorizerName="a")
        refused = await failure(iot, "test_invoke_authorizer", authorizerName="a")
        assert refused == ("InvalidResponseException", 400)


class TestPublishing:
    """A custom authorizer in front of the data plane, from the socket to the API."""

    @pytest.fixture
    async def port(self, reception: Reception) -> AsyncIterator[int]:
        await reception.authorizers.create("a", FUNCTION, signing_disabled=True, token_key_name="Authorization")
        async with toy.serving(desk=reception.desk) as served:
            self.api = served.api
            yield served.port

    @staticmethod
    async def publish(port: int, *paths: str, authorizer: str = "a") -> list[tuple[int, str]]:
        """Status and message for requests on one connection."""

        def run() -> list[tuple[int, str]]:
            answers = []
            with closing(HTTPConnection("127.0.0.1", port)) as connection:
                for path in paths:
                    headers = {"X-Amz-CustomAuthorizer-Name": authorizer, "Authorization": "Bearer t"}
                    connection.request("POST", path, b"{}", headers)
                    response = connection.getresponse()
                    body = json.loads(response.read() or b"{}")
                    answers.append((response.status, body.get("message", "")))
            return answers

        return await asyncio.to_thread(run)

    async def test_a_device_of_its_making_publishes(self, port: int, functions: Functions) -> None:
        assert await self.publish(port, "/topics/b") == [(200, "")]
        [call] = self.api.calls
        assert (call.operation, call.params["topic"], call.caller.principal) == ("Publish", "b", "sensor7")
        assert call.caller.device is not None
        assert call.caller.principals is not None
        grant = await call.caller.principals.grant(call.caller.device, None)
        assert [one.name for one in grant.policies] == ["policyDocuments[0] of authorizer a"]
        [event] = functions.events
        assert event["token"] == "Bearer t"
        assert event["protocolData"]["http"]["headers"]["authorization"] == "Bearer t"

    async def test_who_is_refused_publishes_nothing(self, port: int, functions: Functions) -> None:
        functions.answer = {"isAuthenticated": False}
        [(status, message)] = await self.publish(port, "/topics/b")
        assert (status, message) == (403, "the custom authorizer a did not authenticate the client")
        [(status, message)] = await self.publish(port, "/topics/b", authorizer="b")
        assert (status, message) == (403, "there is no custom authorizer 'b'")
        functions.answer = ANSWER
        [(status, _)] = await self.publish(port, "/things/b/shadow")
        assert status == 403
        assert not self.api.calls

    async def test_a_connection_is_judged_once_where_that_is_asked_for(
        self, port: int, reception: Reception, functions: Functions
    ) -> None:
        for caching, expected in ((False, 3), (True, 4)):
            await reception.authorizers.update("a", AuthorizerChange(caching_for_http=caching))
            assert await self.publish(port, "/topics/b", "/topics/c", "/topics/b") == [(200, "")] * 3
            assert len(functions.events) == expected
        await self.publish(port, "/topics/b")
        assert len(functions.events) == 5
