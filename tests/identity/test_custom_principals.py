"""Rights that hold for a while."""

import asyncio

import pytest
from tests.identity.conftest import CERTIFICATE, Certificates

from fogbank.identity.authorizer_answer import Answer
from fogbank.identity.custom_principals import CustomPrincipals
from fogbank.identity.errors import NotAuthenticated
from fogbank.ports import Grant, Identity
from fogbank.tasks import Tasks
from fogbank.testing.clock import FakeClock

IDENTITY = Identity("sensor7", "arn", active=True)
CLIENT = "lamp"


class Authorizer:
    """What is asked anew: counts, and answers with a document that says how often it was asked."""

    def __init__(self) -> None:
        self.count = 0
        self.error: Exception | None = None
        self.refresh = 300
        self.slow = asyncio.Event()
        self.slow.set()

    async def __call__(self) -> tuple[str, Answer]:
        self.count += 1
        await self.slow.wait()
        if self.error is not None:
            raise self.error
        return "a", Answer(
            authenticated=True, principal=f"other{self.count}", documents=(f"{self.count}",), refresh=self.refresh
        )


@pytest.fixture
async def authorizer() -> Authorizer:
    return Authorizer()


def principals(authorizer: Authorizer, clock: FakeClock, certificates: Certificates | None = None) -> CustomPrincipals:
    first = Answer(authenticated=True, principal="sensor7", documents=("0",), refresh=300)
    identity = IDENTITY if certificates is None else CERTIFICATE
    return CustomPrincipals(
        authorizer,
        identity,
        first,
        "a",
        clock,
        Tasks("test"),
        asked=clock.monotonic(),
        certificates=certificates,
    )


async def documents(store: CustomPrincipals) -> list[str]:
    """What a broker does on each occasion: who is it now, and what may it do?"""
    identity = await store.recheck(IDENTITY)
    return [one.document for one in (await store.grant(identity, CLIENT)).policies]


async def test_it_is_asked_again_after_the_interval_and_not_before(authorizer: Authorizer, clock: FakeClock) -> None:
    store = principals(authorizer, clock)
    for _ in range(3):
        assert await documents(store) == ["0"]
    await clock.advance(298.9)
    assert await documents(store) == ["0"]
    assert authorizer.count == 0
    await clock.advance(1.1)
    assert await documents(store) == await documents(store) == ["1"]
    assert await store.recheck(IDENTITY) == IDENTITY, "a connection keeps its name"


async def test_who_asks_at_each_interval_gets_an_answer_each_time(authorizer: Authorizer, clock: FakeClock) -> None:
    store = principals(authorizer, clock)
    for count in range(1, 20):
        await clock.advance(300 if count % 2 else 299.5)  # timers are never exact
        assert await documents(store) == [str(count)]


async def test_the_new_interval_counts(authorizer: Authorizer, clock: FakeClock) -> None:
    store = principals(authorizer, clock)
    authorizer.refresh = 600
    await clock.advance(300)
    assert await documents(store) == ["1"]
    await clock.advance(300)
    assert await documents(store) == ["1"]
    await clock.advance(300)
    assert await documents(store) == ["2"]


async def test_one_question_serves_all_who_wait(authorizer: Authorizer, clock: FakeClock) -> None:
    store = principals(authorizer, clock)
    await clock.advance(300)
    authorizer.slow.clear()
    waiting = [asyncio.ensure_future(documents(store)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    authorizer.slow.set()
    assert await asyncio.gather(*waiting[1:]) == [["1"]] * 4
    assert authorizer.count == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotAuthenticated("the custom authorizer a said no"), "the custom authorizer a said no"),
        (RuntimeError("a defect"), "could not be asked for anew"),
    ],
)
async def test_a_refusal_is_final(authorizer: Authorizer, clock: FakeClock, error: Exception, reason: str) -> None:
    store = principals(authorizer, clock)
    authorizer.error = error
    await clock.advance(300)
    identity = await store.recheck(IDENTITY)
    assert (identity.id, identity.active) == ("sensor7", False)
    assert reason in identity.reason
    assert await store.grant(identity, CLIENT) == Grant()
    authorizer.error = None
    await clock.advance(300)
    assert not (await store.recheck(IDENTITY)).active
    assert authorizer.count == 1


class TestWithCertificate:
    async def test_its_own_policies_and_its_thing_count_too(
        self, authorizer: Authorizer, clock: FakeClock, certificates: Certificates
    ) -> None:
        store = principals(authorizer, clock, certificates)
        assert await store.recheck(CERTIFICATE) == CERTIFICATE
        grant = await store.grant(CERTIFICATE, CLIENT)
        assert [one.name for one in grant.policies] == ["own", "policyDocuments[0] of authorizer a"]
        assert grant.thing is not None
        assert grant.thing.name == "thing"

    async def test_its_end_is_the_end(
        self, authorizer: Authorizer, clock: FakeClock, certificates: Certificates
    ) -> None:
        store = principals(authorizer, clock, certificates)
        certificates.revoked = True
        await clock.advance(300)
        identity = await store.recheck(CERTIFICATE)
        assert (identity.active, identity.reason) == (False, "certificate is REVOKED")
        assert authorizer.count == 0
