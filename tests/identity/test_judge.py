"""Asking: the token first, the function then, and whatever goes wrong lets nobody in and is told."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.identity.conftest import ANSWER, ARNS, FUNCTION, Functions, Signer

from fogbank.errors import Forbidden, InvalidRequest, ResourceNotFound, ServiceError
from fogbank.identity import judge
from fogbank.identity.authorizer_answer import Answer
from fogbank.identity.authorizer_event import Mqtt, ProtocolData, Tls
from fogbank.identity.credentials import SIGNATURE, Credentials
from fogbank.identity.errors import BadAnswer, BadToken, InvalidResponse, NoAnswer, NotAuthenticated, Rejected
from fogbank.identity.reception import Reception
from fogbank.identity.records import Authorizer
from fogbank.ports import ServiceCaller
from fogbank.testing.clock import FakeClock
from fogbank.trace import TraceEvent

DATA = ProtocolData(tls=Tls("name"), mqtt=Mqtt(client_id="lamp"))
UNSIGNED = Authorizer(name="a", function_arn=FUNCTION, created=0, modified=0, signing_disabled=True)


@pytest.fixture
def signing(signer: Signer) -> Authorizer:
    keys = {"k": signer.pem}
    return msgspec.structs.replace(UNSIGNED, signing_disabled=False, token_key_name="Token", public_keys=keys)


async def ask(
    reception: Reception,
    authorizer: Authorizer,
    fields: Mapping[str, str] | None = None,
    data: ProtocolData = DATA,
) -> Answer:
    return await reception.judge.ask(authorizer, Credentials(fields or {}), data, "id")


async def test_the_function_is_asked_as_the_service_and_says_who_it_is(
    reception: Reception, functions: Functions, events: list[TraceEvent]
) -> None:
    answer = await ask(reception, UNSIGNED)
    assert answer.principal == "sensor7"
    assert functions.asked == [
        (FUNCTION, ServiceCaller("iot.amazonaws.com", ARNS.iot("authorizer", "a"), ARNS.account))
    ]
    assert functions.events == [
        {
            "signatureVerified": False,
            "protocols": ["tls", "mqtt"],
            "protocolData": {"tls": {"serverName": "name"}, "mqtt": {"clientId": "lamp"}},
            "connectionMetadata": {"id": "id"},
        }
    ]
    [event] = events
    assert (event.kind, event.status, event.name) == ("authorizer", "success", "a")
    assert (event.client_id, event.principal) == ("lamp", "sensor7")


class TestTokens:
    async def test_a_signed_one(
        self, reception: Reception, functions: Functions, signing: Authorizer, signer: Signer
    ) -> None:
        fields = {"token": "t", SIGNATURE: signer.sign("t")}
        assert (await ask(reception, signing, fields)).authenticated
        [event] = functions.events
        assert (event["token"], event["signatureVerified"]) == ("t", True)

    async def test_an_unsigned_one_where_none_is_asked_for(self, reception: Reception, functions: Functions) -> None:
        authorizer = msgspec.structs.replace(UNSIGNED, token_key_name="Token")
        await ask(reception, authorizer, {"token": "t"})
        await ask(reception, authorizer)
        first, second = functions.events
        assert (first["token"], first["signatureVerified"]) == ("t", False)
        assert "token" not in second

    @pytest.mark.parametrize(
        ("fields", "what"),
        [
            ({}, "under the name Token, and the client sent none"),
            ({SIGNATURE: "AAAA"}, "under the name Token, and the client sent none"),
            ({"token": "t"}, "sent no x-amz-customauthorizer-signature"),
            ({"token": "t", SIGNATURE: "AAAA"}, "the signature is not that of the token"),
        ],
    )
    async def test_a_bad_one_never_reaches_the_function(
        self,
        reception: Reception,
        functions: Functions,
        signing: Authorizer,
        events: list[TraceEvent],
        fields: dict[str, str],
        what: str,
    ) -> None:
        with pytest.raises(BadToken, match=what):
            await ask(reception, signing, fields)
        with pytest.raises(BadToken, match=what):
            reception.judge.check_token(signing, Credentials(fields))
        assert not functions.events
        assert [(one.kind, one.status) for one in events] == [("authorizer", "denied")] * 2
        assert what in events[0].reason


class Fault(NamedTuple):
    """What a function does wrong, and what is told of it."""

    answer: Any
    error: type[Rejected]
    detail: str
    function_error: str | None = None
    data: ProtocolData = DATA


FAULTS = {
    "no": Fault({"isAuthenticated": False}, NotAuthenticated, "did not authenticate the client"),
    "shape": Fault({"isAuthenticated": "yes"}, BadAnswer, "isAuthenticated must be true or false, not 'yes'"),
    "failed": Fault({"errorMessage": "x"}, NoAnswer, 'its function failed: {"errorMessage":"x"}', "Unhandled"),
    "missing": Fault(ResourceNotFound("gone"), NoAnswer, f"its function {FUNCTION} could not be invoked: gone"),
    "forbidden": Fault(Forbidden("no permission"), NoAnswer, "could not be invoked: no permission"),
    "certificate": Fault(
        ANSWER,
        BadAnswer,
        "principalId must be the event's protocolData.tls.principalId, cccc, not sensor7",
        data=ProtocolData(tls=Tls("name", "PEM", "cccc")),
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_whatever_goes_wrong_lets_nobody_in_and_is_told(
    reception: Reception,
    functions: Functions,
    events: list[TraceEvent],
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    functions.answer, functions.function_error = fault.answer, fault.function_error
    status = "denied" if fault.error is NotAuthenticated else "failure"
    caplog.set_level(logging.INFO)
    with pytest.raises(fault.error) as refused:
        await ask(reception, UNSIGNED, data=fault.data)
    assert isinstance(refused.value, Forbidden)
    assert fault.detail in refused.value.detail
    [event] = events
    assert (event.kind, event.status, event.name) == ("authorizer", status, "a")
    assert fault.detail in event.reason
    if status == "failure":
        assert refused.value.message == "the custom authorizer a failed", "how, is nothing for the client"
        [record] = caplog.records
        assert fault.detail in record.getMessage()
    else:
        assert refused.value.message == refused.value.detail
        assert not caplog.records, "who sends the client away says why"


async def test_five_seconds_are_enough(reception: Reception, functions: Functions, clock: FakeClock) -> None:
    functions.hangs = True
    asking = asyncio.ensure_future(ask(reception, UNSIGNED))
    await clock.advance(4.9)
    assert not asking.done()
    await clock.advance(0.2)
    with pytest.raises(NoAnswer) as refused:
        await asking
    assert "did not answer within 5 seconds" in refused.value.detail
    await clock.advance(0)
    assert functions.given_up == 1


async def test_a_client_that_goes_away_asks_no_more(reception: Reception, functions: Functions) -> None:
    functions.hangs = True
    asking = asyncio.ensure_future(ask(reception, UNSIGNED))
    for _ in range(5):
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(reception.close(), 1)
    assert functions.given_up == 1


async def test_questions_are_bounded(
    reception: Reception, functions: Functions, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "MOST", 3)
    functions.hangs = True
    asking = [asyncio.ensure_future(ask(reception, UNSIGNED)) for _ in range(4)]
    await clock.advance(1)
    assert [one.done() for one in asking] == [False, False, False, True]
    with pytest.raises(NoAnswer) as refused:
        await asking[3]
    assert "3 questions are under way already" in refused.value.detail
    await clock.advance(5)
    assert all(one.done() and one.exception() is not None for one in asking)
    functions.hangs = False
    assert (await ask(reception, UNSIGNED)).authenticated


class TestTest:
    """TestInvokeAuthorizer."""

    async def test_it_says_what_the_function_says(self, reception: Reception, functions: Functions) -> None:
        test = reception.judge.test
        assert (await test(UNSIGNED, Credentials(), ProtocolData(), "id")).principal == "sensor7"
        functions.answer = {"isAuthenticated": False}
        assert await test(UNSIGNED, Credentials(), ProtocolData(), "id") == Answer(authenticated=False)

    async def test_it_says_why_not(
        self, reception: Reception, functions: Functions, signing: Authorizer, events: list[TraceEvent]
    ) -> None:
        cases: list[tuple[Authorizer, Any, type[ServiceError], str]] = [
            (signing, ANSWER, InvalidRequest, "the client sent none"),
            (UNSIGNED, {}, InvalidResponse, "isAuthenticated must be true or false, and is missing"),
            (UNSIGNED, ResourceNotFound("gone"), InvalidResponse, "could not be invoked: gone"),
        ]
        for authorizer, functions.answer, error, what in cases:
            with pytest.raises(error, match=what):
                await reception.judge.test(authorizer, Credentials(), ProtocolData(), "id")
        assert not events
