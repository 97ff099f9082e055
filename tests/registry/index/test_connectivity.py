"""Connections of things (developer guide, managing-fleet-index, "Connectivity"; life-cycle-events)."""

import pytest
from tests.registry.index.fleet import Fleet, Site

from fogbank.message import Message
from fogbank.registry.index.configuration import ThingIndexing, ThingMode
from fogbank.registry.index.connectivity import KIND, UNSEEN, Connection

EVERYTHING = ThingIndexing(mode=ThingMode.REGISTRY_AND_SHADOW, connectivity=True, named_shadows=True)
WITHOUT = ThingIndexing(mode=ThingMode.REGISTRY)


async def known(fleet: Fleet, thing: str) -> Connection:
    found = await fleet.index.connectivity.of(thing)
    assert found is not None
    return found


async def test_things_come_and_go(fleet: Fleet, site: Site) -> None:
    await fleet.registry.things.create("attic")
    assert await fleet.found("connectivity.connected:false") == ["attic"]
    fleet.clients.connect("attic")
    assert await fleet.found("connectivity.connected:true") == ["attic"]
    await site.clock.advance(60)
    fleet.clients.disconnect("attic", "CONNECTION_LOST")
    assert await fleet.found("connectivity.connected:false") == ["attic"]
    assert await fleet.found("connectivity.disconnectReason:CONNECTION_LOST") == ["attic"]
    timestamp = int(site.clock.time() * 1000)
    assert await fleet.found(f"connectivity.timestamp:[{timestamp} TO {timestamp}]") == ["attic"]


async def test_the_terms_of_a_connection_are_known_while_it_stands_and_after(fleet: Fleet) -> None:
    await fleet.registry.things.create("attic")
    assert await fleet.found("connectivity.clientId:*") == []
    terms = "connectivity.clientId:attic connectivity.keepAliveDuration:30 connectivity.sessionExpiry:0"
    for do in (fleet.clients.connect, fleet.clients.disconnect):
        do("attic")
        assert await fleet.found(f"{terms} connectivity.cleanSession:true") == ["attic"]


async def test_a_thing_that_is_registered_after_its_device_came(fleet: Fleet) -> None:
    fleet.clients.connect("attic")
    await fleet.index.settled()
    await fleet.registry.things.create("attic")
    assert await fleet.found("connectivity.connected:true") == ["attic"]
    fleet.clients.disconnect("attic")
    assert await fleet.found("connectivity.connected:true") == []


async def test_strangers_are_not_remembered(fleet: Fleet, site: Site) -> None:
    for client_id in ("nobody", "", "a b", "a/b", "x" * 129):
        fleet.clients.connect(client_id)
    await fleet.index.settled()
    assert await site.documents.scan(KIND) == []
    await fleet.registry.things.create("attic")
    fleet.clients.connect("attic")
    await fleet.index.settled()
    assert [one.key for one in await site.documents.scan(KIND)] == ["attic"]
    fleet.clients.disconnect("attic")
    await fleet.registry.things.delete("attic")
    await fleet.index.settled()
    assert await site.documents.scan(KIND) == []


async def test_who_was_connected_when_the_server_died_is_not_any_more(site: Site) -> None:
    async with site.up() as fleet:
        for name in ("connected", "gone", "never"):
            await fleet.registry.things.create(name)
        fleet.clients.connect("connected")
        fleet.clients.connect("gone")
        fleet.clients.disconnect("gone")
        assert await fleet.found("connectivity.connected:true") == ["connected"]
    await site.clock.advance(60)
    async with site.up() as fleet:
        await fleet.complete()
        assert await fleet.found("connectivity.connected:true") == []
        assert await fleet.found("connectivity.connected:false") == ["connected", "gone", "never"]
        assert await fleet.found("connectivity.disconnectReason:CLIENT_INITIATED_DISCONNECT") == ["gone"]
        ended = await known(fleet, "connected")
        assert (ended.connected, ended.reason, ended.timestamp) == (False, UNSEEN, int(site.clock.time() * 1000))
    await site.clock.advance(60)
    async with site.up() as fleet:
        await fleet.complete()
        assert await fleet.found("*") == ["connected", "gone", "never"]
        assert (await known(fleet, "connected")).timestamp == ended.timestamp


async def test_what_happens_while_it_is_switched_off_is_not_known(fleet: Fleet) -> None:
    for name in ("stays", "goes", "comes"):
        await fleet.registry.things.create(name)
    fleet.clients.connect("stays")
    fleet.clients.connect("goes")
    assert await fleet.found("connectivity.connected:true") == ["goes", "stays"]
    await fleet.index.configure(things=WITHOUT)
    await fleet.complete()
    assert await fleet.found("connectivity.connected:*") == []
    fleet.clients.disconnect("goes")
    fleet.clients.connect("comes")
    await fleet.index.configure(things=EVERYTHING)
    await fleet.complete()
    assert await fleet.found("connectivity.connected:true") == ["comes", "stays"]


@pytest.mark.parametrize("payload", [b"", b"{}", b"nonsense", b'{"eventType": "connected"}'])
async def test_what_is_no_event_is_ignored(fleet: Fleet, payload: bytes) -> None:
    await fleet.registry.things.create("attic")
    fleet.index.connectivity.deliver(Message("$aws/events/presence/connected/attic", payload))
    assert await fleet.found("connectivity.connected:true") == []
