"""Which registry and job events are published (developer guide, registry-events; UpdateEventConfigurations).

One document for the account, asked with every change of the registry: so it is kept in memory once it was read.
"""

from collections.abc import Mapping

import msgspec

from fogbank.clock import Clock
from fogbank.errors import InvalidRequest
from fogbank.ports import Documents, EventType, Put
from fogbank.registry.cache import Cache
from fogbank.registry.changes import settle
from fogbank.storage.collection import Collection, Stored

DEFAULTS: Mapping[EventType, bool] = {category: category is EventType.CA_CERTIFICATE for category in EventType}
"""What is published where nobody has said anything: nothing, except that a device with a certificate of a registered
CA has come. Just-in-time registration works at AWS without any configuration. UNVERIFIED what AWS reports here."""

_KEY = "account"


class EventConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """What the account has configured. Categories it has said nothing of are as in `DEFAULTS`."""

    enabled: Mapping[EventType, bool] = {}
    created: float | None = None
    """Seconds since the epoch; None, as below, where nobody has configured anything."""
    modified: float | None = None

    def of(self, category: EventType) -> bool:
        return self.enabled.get(category, DEFAULTS[category])


class EventConfigurations:
    """The account's switches, by category."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock
        self._stored = Collection(documents, "event-configuration", EventConfiguration)
        self._cache: Cache[str, Stored[EventConfiguration]] = Cache(1, self._read)

    async def describe(self) -> EventConfiguration:
        return (await self._cache.get(_KEY)).value

    async def enabled(self, category: EventType) -> bool:
        """Whether events of this category are published now."""
        return (await self.describe()).of(category)

    async def update(self, enabled: Mapping[str, bool]) -> None:
        """Switch the categories that are named; the others stay. Raises InvalidRequest for a category unknown."""
        switched = {_category(name): on for name, on in enabled.items()}

        async def attempt() -> None:
            stored = await self._cache.get(_KEY)
            now = self._clock.time()
            value = EventConfiguration(
                enabled={**stored.value.enabled, **switched},
                created=now if stored.value.created is None else stored.value.created,
                modified=now,
            )
            await self._commit(self._stored.putting(_KEY, value, expect=stored.version))

        await settle(attempt)

    async def _commit(self, write: Put) -> None:
        try:
            await self._documents.commit(write)
        finally:  # refused: somebody was quicker; failed: whether it was written is unknown
            self._cache.forget(_KEY)

    async def _read(self, key: str) -> Stored[EventConfiguration]:
        return await self._stored.get(key) or Stored(key, 0, EventConfiguration())


def _category(name: str) -> EventType:
    try:
        return EventType(name)
    except ValueError:
        known = ", ".join(category.value for category in EventType)
        raise InvalidRequest(f"There is no event type {name[:64]!r}; there are {known}") from None
