"""Whatever is asked, the gateway itself never fails: every operation there is, with any parameters at all."""

import asyncio
import re
from typing import Any
from urllib.parse import quote

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.awswire.specimens import load, operations
from tests.gateway.toy import ARNS, KEY, REGION

from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import sign
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.exchange import AsgiMessage
from fogbank.gateway.pipeline import Gateway
from fogbank.testing import FakeClock

SIGNING_NAMES = {"iot": "iot", "iot-data": "iotdata", "iot-jobs-data": "iot-jobs-data", "lambda": "lambda"}
STREAMS = {"InvokeWithResponseStream"}

texts = st.text(st.characters(codec="utf-8"), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


def everything() -> object:
    """An API that implements every operation, by an empty result."""

    methods: dict[str, Any] = {}
    for service, name in operations():

        async def method(self: object, call: Call) -> Members:
            return {}

        methods[f"{service}:{name}"] = operation(service, name)(method)
    return type("Everything", (), methods)()


CLOCK = FakeClock()
GATEWAY = Gateway([everything()], arns=ARNS, clock=CLOCK, access_keys={KEY.id: KEY}.get)


async def ask(request: Request) -> tuple[int, bytes]:
    """Status and body of the gateway's answer."""
    sent: list[AsgiMessage] = []

    async def receive() -> AsgiMessage:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": request.method,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in request.headers.items()],
    }
    await GATEWAY(scope, receive, send)
    start, body = sent
    return start["status"], body["body"]


def body_for(draw: st.DrawFn, service: str, name: str) -> bytes:
    """JSON with some members that the operation knows, or any bytes."""
    model = load(service)
    ref = model.operations[name].input
    assert ref is not None
    known = st.sampled_from(sorted(model.shapes[ref.shape].members) or ["x"])
    structured = st.dictionaries(known | texts, documents, max_size=4).map(msgspec.json.encode)
    return draw(structured | st.binary(max_size=40))


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, Request]:
    """A signed request for any operation."""
    service, name = draw(st.sampled_from(operations()))
    http = load(service).operations[name].http
    path, _, fixed = http.request_uri.partition("?")
    path = re.sub(r"\{\w+\+?\}", lambda _: quote(draw(texts.filter(bool)), safe=""), path)
    fields = draw(
        st.lists(st.tuples(st.sampled_from(["maxResults", "MaxItems", "qos", "name", "x"]), texts), max_size=3)
    )
    query = "&".join([*([fixed] if fixed else []), *(f"{quote(key)}={quote(value)}" for key, value in fields)])
    headers = {"host": "x"} | draw(
        st.dictionaries(
            st.sampled_from(["x-amzn-principal", "x-amz-mqtt5-user-properties", "x-amz-invocation-type"]),
            st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20),
        )
    )
    request = Request(http.method, path, query, headers, body_for(draw, service, name))
    signed = sign(request, KEY.id, KEY.secret, region=REGION, service=SIGNING_NAMES[service], now=CLOCK.time())
    return name, msgspec.structs.replace(request, headers=signed)


@settings(max_examples=600, deadline=None)
@given(requests())
def test_any_request_for_any_operation_is_answered_properly(case: tuple[str, Request]) -> None:
    name, request = case
    status, body = asyncio.run(ask(request))
    if name in STREAMS and status == 501:
        return
    assert status < 300 or status in (400, 404), (status, body)
    if status >= 400:
        assert msgspec.json.decode(body).keys() & {"message", "Message"}
