"""What the index is to hold of a thing or a group: read from the registry, the shadows and the connections as they are.

An entry's stamp is a digest of all that it was made from, so that two are the same only if nothing has changed, the
configuration included.
"""

import hashlib
from collections.abc import Callable

import msgspec

from fogbank.ports import ShadowReader
from fogbank.registry.cache import Cache
from fogbank.registry.index import entry
from fogbank.registry.index.configuration import IndexingConfiguration
from fogbank.registry.index.connectivity import Connectivity
from fogbank.registry.index.entry import GroupEntry, ThingEntry
from fogbank.registry.records import Records, Thing, memberships_prefix

REMEMBERED = 16384
"""Things of which the registry's part is kept: those whose shadows are written all the time are read but once."""


class _Registered(msgspec.Struct, frozen=True, gc=False):
    """What the registry knows of a thing."""

    thing: Thing
    groups: tuple[str, ...]
    billing: str | None


class Source:
    """Makes entries."""

    def __init__(
        self,
        records: Records,
        shadows: ShadowReader,
        connectivity: Connectivity,
        configuration: Callable[[], IndexingConfiguration],
    ) -> None:
        """`configuration` says what is to be in entries."""
        self._records = records
        self._shadows = shadows
        self._connectivity = connectivity
        self._configuration = configuration
        self._registered: Cache[str, _Registered | None] = Cache(REMEMBERED, self._read_registered)

    def forget(self, thing: str) -> None:
        """The registry's part of a thing has changed."""
        self._registered.forget(thing)

    def rest(self) -> None:
        """Nothing changes for a while: let go of what is remembered."""
        self._registered.clear()

    async def thing(self, name: str) -> ThingEntry | None:
        """The entry of a thing; None where it is not registered."""
        registered = await self._registered.get(name)
        if registered is None:
            return None
        thing, indexing = registered.thing, self._configuration().things
        shadows = await self._shadows.of_thing(name) if indexing.shadows else {}
        made = ThingEntry(
            name=name,
            id=thing.id,
            stamp="",
            version=thing.version,
            type_name=thing.type_name,
            group_names=registered.groups,
            billing_group=registered.billing,
            attributes=thing.attributes,
            shadows={of: document for of, document in shadows.items() if indexing.holds_shadow(of)},
            connectivity=await self._connection(name) if indexing.connectivity else None,
            locations={place.name: place.order for place in indexing.geo_locations},
            custom_fields={field.name: field.type for field in indexing.custom_fields},
        )
        return msgspec.structs.replace(made, stamp=_digest(made, sorted(made.shadows.items(), key=_shadow_order)))

    async def group(self, name: str) -> GroupEntry | None:
        """The entry of a thing group; None where there is none."""
        stored = await self._records.thing_groups.get(name)
        if stored is None:
            return None
        group = stored.value
        made = GroupEntry(
            name=name,
            id=group.id,
            stamp="",
            version=group.version,
            description=group.description,
            attributes=group.attributes,
            parent_names=group.ancestors,
            custom_fields={field.name: field.type for field in self._configuration().groups.custom_fields},
        )
        return msgspec.structs.replace(made, stamp=_digest(made))

    async def _read_registered(self, name: str) -> _Registered | None:
        stored = await self._records.things.get(name)
        if stored is None:
            return None
        members = await self._records.memberships.scan(prefix=memberships_prefix(name))
        billing = await self._records.billing_memberships.get(name)
        return _Registered(
            stored.value,
            tuple(one.value.group for one in sorted(members, key=lambda one: one.value.created)),
            None if billing is None else billing.value.group,
        )

    async def _connection(self, name: str) -> entry.Connectivity:
        known = await self._connectivity.of(name)
        if known is None:
            return entry.Connectivity()
        return entry.Connectivity(
            connected=known.connected,
            timestamp=known.timestamp,
            version=known.version,
            disconnect_reason=known.reason,
            client_id=name,
            keep_alive=known.keep_alive,
            session_expiry=known.session_expiry,
            clean_session=known.clean_session,
        )


def _shadow_order(item: tuple[str | None, object]) -> str:
    return item[0] or ""


def _digest(made: ThingEntry | GroupEntry, *further: object) -> str:
    """Of everything in an entry; `further` is what JSON cannot have as it is."""
    plain = msgspec.structs.replace(made, shadows={}) if isinstance(made, ThingEntry) else made
    return hashlib.blake2b(msgspec.json.encode((plain, *further)), digest_size=12).hexdigest()
