import asyncio

import pytest
from tests.registry.conftest import SlowDocuments

from fogbank.errors import InvalidRequest
from fogbank.ports import Delete, EventType
from fogbank.registry.event_configurations import EventConfigurations
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock


async def _enabled(configurations: EventConfigurations) -> set[EventType]:
    return {category for category in EventType if await configurations.enabled(category)}


async def test_nothing_is_published_but_that_devices_of_a_registered_ca_came(
    documents: MemoryDocuments, clock: FakeClock
) -> None:
    """Developer guide, registry-events: "not available by default"; auto-registration by JITR needs no switch."""
    configurations = EventConfigurations(documents, clock)
    assert await _enabled(configurations) == {EventType.CA_CERTIFICATE}
    assert (await configurations.describe()).created is None


async def test_what_is_named_is_switched_and_the_others_stay(documents: MemoryDocuments, clock: FakeClock) -> None:
    configurations = EventConfigurations(documents, clock)
    began = clock.time()
    await configurations.update({"THING": True, "JOB": True})
    await clock.advance(60)
    await configurations.update({"THING": False, "CA_CERTIFICATE": False, "POLICY": True})
    assert await _enabled(configurations) == {EventType.JOB, EventType.POLICY}
    found = await configurations.describe()
    assert (found.created, found.modified) == (began, began + 60)
    assert await _enabled(EventConfigurations(documents, clock)) == {EventType.JOB, EventType.POLICY}


async def test_what_is_unknown_is_refused_and_nothing_switched(documents: MemoryDocuments, clock: FakeClock) -> None:
    configurations = EventConfigurations(documents, clock)
    with pytest.raises(InvalidRequest, match="'THINGS'; there are THING, THING_GROUP"):
        await configurations.update({"JOB": True, "THINGS": True})
    assert await _enabled(configurations) == {EventType.CA_CERTIFICATE}


async def test_concurrent_switches_are_all_thrown(slow_documents: SlowDocuments, clock: FakeClock) -> None:
    configurations = EventConfigurations(slow_documents, clock)
    readers = [configurations.enabled(category) for category in EventType]
    await asyncio.gather(*(configurations.update({category.value: True}) for category in EventType), *readers)
    assert await _enabled(configurations) == set(EventType)


async def test_asking_costs_no_storage(documents: MemoryDocuments, clock: FakeClock) -> None:
    configurations = EventConfigurations(documents, clock)
    await configurations.update({"THING": True})
    assert await configurations.enabled(EventType.THING)
    await documents.commit(Delete("event-configuration", "account"))  # behind its back
    assert await configurations.enabled(EventType.THING)
