import asyncio
import datetime
from collections.abc import AsyncIterator

import pytest
from tests.registry import pki

from fogbank.registry.registry import Registry
from fogbank.testing.clock import FakeClock


@pytest.fixture
async def heard(registry: Registry, clock: FakeClock) -> AsyncIterator[list[tuple[float, str]]]:
    """The certificates that were told of, one by one, and after how many seconds; the clock is watched."""
    start = clock.time()
    found: list[tuple[float, str]] = []

    async def listen(ids: frozenset[str]) -> None:
        found.extend((clock.monotonic() - start, one) for one in sorted(ids))

    registry.principals.watch(listen)
    registry.start()
    await asyncio.sleep(0)
    yield found
    await registry.close()


async def register(registry: Registry, clock: FakeClock, seconds: float) -> str:
    end = datetime.datetime.fromtimestamp(clock.time() + seconds, datetime.UTC)
    made = await registry.certificate_registration.register_without_ca(pki.pem(pki.Authority().issue(end=end)))
    return made.id


async def test_who_holds_a_certificate_hears_of_its_end(
    registry: Registry, clock: FakeClock, heard: list[tuple[float, str]]
) -> None:
    first = await register(registry, clock, 7)
    second = await register(registry, clock, 42)
    await register(registry, clock, 1_000_000)
    heard.clear()
    await clock.advance(100)
    assert heard == [(10, first), (45, second)]
    await clock.advance(100)
    assert len(heard) == 2


async def test_a_leap_of_the_clock_is_one_look(
    registry: Registry,
    clock: FakeClock,
    heard: list[tuple[float, str]],
    csr: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = await register(registry, clock, 7)
    until = datetime.datetime.fromtimestamp(clock.time() + 300, datetime.UTC)
    claim, _ = await registry.certificates.create_with_keys(until=until, listed=False)
    await registry.certificates.create_from_request(csr)
    heard.clear()
    leap = clock.time() + 20 * 365 * 86_400
    monkeypatch.setattr(clock, "time", lambda: leap)
    await clock.advance(5)
    assert heard == [(5, one) for one in sorted((ends, claim.id))]


async def test_what_is_deleted_is_not_told_of(
    registry: Registry, clock: FakeClock, heard: list[tuple[float, str]]
) -> None:
    gone = await register(registry, clock, 7)
    await registry.certificates.delete(gone)
    heard.clear()
    await clock.advance(60)
    assert heard == []
