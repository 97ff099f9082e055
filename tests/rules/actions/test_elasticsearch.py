"""The actions `elasticsearch` and `openSearch`, against a small server."""

from typing import Any

import pytest
from tests.outbound.server import Server
from tests.rules.actions.workbench import ROLE, Workbench, reaching

from fogbank.errors import InvalidRequest
from fogbank.ports import HttpAnswer, Signing
from fogbank.testing import FakeClock

KINDS = ["elasticsearch", "openSearch"]
DOMAIN = "https://search-logs-abcdefghijklmnopqrstuvwxyz.eu-west-1.es.amazonaws.com"


def index(kind: str, endpoint: str, **more: Any) -> dict[str, Any]:
    members = {"roleArn": ROLE, "endpoint": endpoint, "index": "${topic(1)}", "type": "_doc", "id": "${id}"}
    return {kind: {**members, **more}}


@pytest.mark.parametrize("kind", KINDS)
async def test_the_document_that_is_indexed(server: Server, kind: str) -> None:
    server.answer(201, b'{"result":"created"}')
    outbound = reaching(server.url)
    bench = Workbench(outbound)
    bench.rule(index(kind, server.url), sql="SELECT a FROM '#'")
    assert await bench.send({"a": 1, "id": "x/../y?z"}) == []
    await outbound.close()
    [received] = server.received
    assert (received.method, received.url) == ("PUT", "/t/_doc/x%2F..%2Fy%3Fz")
    assert (received.body, received.headers["content-type"]) == (b'{"a":1}', "application/json")
    assert "authorization" not in received.headers


async def test_domains_of_aws_need_a_word_of_the_operator(recorded: Workbench) -> None:
    recorded.aws.missing = "there is no endpoint for opensearch: set AWS_ENDPOINT_URL_OPENSEARCH"
    recorded.rule(index("openSearch", DOMAIN))
    [failed] = await recorded.send({"id": 1})
    assert "AWS_ENDPOINT_URL_OPENSEARCH" in failed
    assert recorded.http.requests == []


@pytest.mark.parametrize(("endpoint", "reached"), [(None, DOMAIN), ("http://localhost:9200", "http://localhost:9200")])
async def test_domains_of_aws_are_signed_for(recorded: Workbench, endpoint: str | None, reached: str) -> None:
    recorded.aws.endpoint = endpoint
    recorded.rule(index("openSearch", DOMAIN))
    assert await recorded.send({"id": 1}) == []
    [request] = recorded.http.requests
    assert (request.url, request.signing) == (f"{reached}/t/_doc/1", Signing("es", "eu-west-1"))


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (409, 1), (302, 1), (429, 3), (503, 3)])
async def test_what_is_not_indexed(recorded: Workbench, clock: FakeClock, status: int, tries: int) -> None:
    recorded.http.answers = [HttpAnswer(status, "Because", {}, b'{"error":"e"}')]
    recorded.rule(index("openSearch", "http://localhost:9200"))
    recorded.publish({"id": 1})
    await clock.advance(10)
    assert len(recorded.http.requests) == tries
    assert recorded.failures == [f'Failed to index document. The error received was {status} Because: {{"error":"e"}}']


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_that_are_refused(recorded: Workbench, kind: str) -> None:
    with pytest.raises(InvalidRequest, match="'localhost' is not the URL"):
        recorded.compile(index(kind, "localhost"))
    with pytest.raises(InvalidRequest, match=f'"{kind}"'):
        recorded.compile(index(kind, "http://x", id=None))
