"""Topic rule destinations: who may be sent messages, and how they say so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import pytest_asyncio
from tests.rules.actions.workbench import ARNS, ROLE, RecordingHttp, Workbench

from fogbank.errors import InvalidRequest, ResourceAlreadyExists, Unauthorized
from fogbank.ports import HttpAnswer, OutboundError
from fogbank.rules.destinations import Destinations, Status
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock

HOOK = {"httpUrlConfiguration": {"confirmationUrl": "https://h/hook"}}


class World:
    """Destinations over documents that outlive them."""

    def __init__(self) -> None:
        self.documents, self.http, self.clock = MemoryDocuments(), RecordingHttp(), FakeClock()
        self.destinations = self.restarted()

    def restarted(self) -> Destinations:
        return Destinations(self.documents, self.http, ARNS, self.clock, lambda: "http://api:4566")

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The confirmation requests."""
        return [msgspec.json.decode(request.body) for request in self.http.requests]


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.destinations.start()
    yield made
    await made.destinations.close()


async def test_the_confirmation_request(world: World) -> None:
    """Developer Guide, "Confirming topic rule destinations"."""
    made = await world.destinations.create(HOOK)
    await world.clock.advance(0)
    assert made.status is Status.IN_PROGRESS
    assert made.arn.startswith("arn:aws:iot:us-east-1:123456789012:ruledestination/http/")
    [request], [asked] = world.http.requests, world.asked
    token = asked["confirmationToken"]
    assert (request.method, request.url.partition("?")[0]) == ("POST", "https://h/hook/")
    assert parse_qs(urlsplit(request.url).query) == {"confirmationToken": [token]}
    assert dict(request.headers) == {
        "Content-Type": "application/json",
        "x-amz-rules-engine-message-type": "DestinationConfirmation",
        "x-amz-rules-engine-destination-arn": made.arn,
    }
    assert asked == {
        "arn": made.arn,
        "confirmationToken": token,
        "enableUrl": f"http://api:4566/confirmdestination/{token}",
        "messageType": "DestinationConfirmation",
    }


async def test_nothing_is_sent_before_the_owner_has_confirmed(world: World) -> None:
    made = await world.destinations.create(HOOK)
    await world.clock.advance(5)
    assert "IN_PROGRESS" in (world.destinations.refusal("https://h/hook") or "")
    with pytest.raises(InvalidRequest, match="never confirmed"):
        await world.destinations.update(made.arn, "ENABLED")
    confirmed = await world.destinations.confirm(world.asked[0]["confirmationToken"])
    assert (confirmed.arn, confirmed.status, confirmed.updated_at) == (made.arn, Status.ENABLED, made.created_at + 5)
    assert world.destinations.refusal("https://h/hook/x?y") is None
    await world.destinations.update(made.arn, "DISABLED")
    assert "DISABLED" in (world.destinations.refusal("https://h/hook") or "")
    await world.destinations.update(made.arn, "ENABLED")
    assert world.destinations.refusal("https://h/hook") is None
    await world.destinations.delete(made.arn)
    assert "no topic rule destination" in (world.destinations.refusal("https://h/hook") or "")


@pytest.mark.parametrize(
    "url",
    [
        "https://h/",
        "https://h/hoo",
        "http://h/hook",
        "https://h:444/hook",
        "https://h.evil/hook",
        "https://h@evil/hook",
        "https://evil/https://h/hook",
        "https://h/hook/../admin",
        "https://[/hook",
        "",
    ],
)
async def test_a_confirmation_holds_for_nothing_else(world: World, url: str) -> None:
    await world.destinations.create(HOOK)
    await world.clock.advance(0)
    await world.destinations.confirm(world.asked[0]["confirmationToken"])
    assert "no topic rule destination" in (world.destinations.refusal(url) or "")


async def test_a_bare_host_that_was_confirmed_is_no_prefix_of_others(world: World) -> None:
    await world.destinations.create({"httpUrlConfiguration": {"confirmationUrl": "https://h"}})
    await world.clock.advance(0)
    await world.destinations.confirm(world.asked[0]["confirmationToken"])
    assert world.destinations.refusal("https://h/any") is None
    assert world.destinations.refusal("https://h.evil/any") is not None


@pytest.mark.parametrize("token", ["", "guess", "é"])
async def test_a_token_must_be_the_one_that_was_sent(world: World, token: str) -> None:
    await world.destinations.create({"vpcConfiguration": {"subnetIds": ["s"], "vpcId": "v", "roleArn": ROLE}})
    await world.destinations.create(HOOK)
    with pytest.raises(Unauthorized):
        await world.destinations.confirm(token)


async def test_asking_again_makes_the_former_token_void(world: World) -> None:
    made = await world.destinations.create(HOOK)
    await world.clock.advance(0)
    await world.destinations.update(made.arn, "IN_PROGRESS")
    await world.clock.advance(0)
    first, second = (asked["confirmationToken"] for asked in world.asked)
    with pytest.raises(Unauthorized):
        await world.destinations.confirm(first)
    assert (await world.destinations.confirm(second)).status is Status.ENABLED


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (HttpAnswer(500, "Oops", {}, b""), "answered 500 Oops"),
        (OutboundError("h did not answer", code="Timeout", transient=True), "h did not answer"),
    ],
)
async def test_a_request_that_fails_is_an_error_of_the_destination(
    world: World, answer: HttpAnswer | OutboundError, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.http.answers = [answer]
    made = await world.destinations.create(HOOK)
    await world.clock.advance(0)
    found = world.destinations.get(made.arn)
    assert found.status is Status.ERROR
    assert reason in found.status_reason
    assert len(caplog.records) == 1


async def test_they_outlive_a_restart(world: World) -> None:
    made = await world.destinations.create(HOOK)
    await world.clock.advance(0)
    again = world.restarted()
    await again.start()
    assert again.get(made.arn) == made
    await again.confirm(world.asked[0]["confirmationToken"])
    third = world.restarted()
    await third.start()
    assert third.refusal("https://h/hook") is None


async def test_a_list_in_pages(world: World) -> None:
    made = [
        await world.destinations.create({"httpUrlConfiguration": {"confirmationUrl": f"https://h/{n}"}})
        for n in range(5)
    ]
    listed, token = [], None
    while True:
        page = world.destinations.list(limit=2, token=token)
        listed += [one.arn for one in page.destinations]
        if (token := page.next_token) is None:
            break
    assert listed == sorted(one.arn for one in made)


async def test_one_url_has_one_destination(world: World) -> None:
    await world.destinations.create(HOOK)
    with pytest.raises(ResourceAlreadyExists):
        await world.destinations.create(HOOK)
    other = {"httpUrlConfiguration": {"confirmationUrl": "https://h/other"}}
    made = await asyncio.gather(*(world.destinations.create(other) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(one, ResourceAlreadyExists) for one in made) == 2


async def test_a_rule_s_own_are_made_once(world: World) -> None:
    compiled = Workbench().compile(
        {"http": {"url": "https://h/hook/a"}},
        {"http": {"url": "https://h/hook/${x}", "confirmationUrl": "https://h/hook"}},
        {"republish": {"topic": "t", "roleArn": ROLE}},
    )
    for _ in range(2):
        await world.destinations.ensure(compiled.actions)
    urls = [one.confirmation_url for one in world.destinations.list().destinations]
    assert sorted(url or "" for url in urls) == ["https://h/hook", "https://h/hook/a"]


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({}, "given is: nothing"),
        ({"influxDBConfiguration": {}}, "influxDBConfiguration"),
        ({"httpUrlConfiguration": {"confirmationUrl": "h"}}, "not an http or https URL"),
        ({"httpUrlConfiguration": {"confirmationUrl": "https://h/" + "x" * 2000}}, "2000"),
        ({"vpcConfiguration": {"vpcId": "v"}}, "vpcConfiguration: .*subnetIds"),
    ],
)
async def test_what_is_refused(world: World, configuration: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        await world.destinations.create(configuration)


async def test_unknown_ones(world: World) -> None:
    for call in (lambda: world.destinations.update("arn", "ENABLED"), lambda: world.destinations.delete("arn")):
        with pytest.raises(Unauthorized, match="there is none"):
            await call()
    with pytest.raises(Unauthorized):
        world.destinations.get("arn")


async def test_a_token_is_not_told(world: World) -> None:
    made = await world.destinations.create(HOOK)
    assert made.token
    assert made.token not in repr(made)


async def test_what_is_deleted_while_it_is_confirmed_stays_deleted(world: World) -> None:
    made = await world.destinations.create(HOOK)
    await world.clock.advance(0)
    deleted, confirmed = await asyncio.gather(
        world.destinations.delete(made.arn),
        world.destinations.confirm(world.asked[0]["confirmationToken"]),
        return_exceptions=True,
    )
    assert deleted is None
    assert isinstance(confirmed, Unauthorized)
    again = world.restarted()
    await again.start()
    assert list(again.list().destinations) == []
