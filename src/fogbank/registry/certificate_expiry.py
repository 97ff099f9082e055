"""Ends the live connections of certificates whose time is over. Who connects later is refused by `principals`.

Certificates that expire have a small document beside them whose keys ascend by when that is. Every few seconds those
are read that are due: one look into the store, and nothing for each connection. Whatever leaps the clock makes, it
reads no more than what lies between.
"""

from fogbank.clock import Clock
from fogbank.ports import Delete, Documents, Put
from fogbank.registry.authority import END
from fogbank.registry.changes import Changes
from fogbank.registry.creation_order import Entry
from fogbank.registry.records import Certificate
from fogbank.storage.collection import Collection, Stored

EVERY = 5.0
"""Seconds: how long after its end a certificate may still be connected."""
_BATCH = 500
_NEVER = END.timestamp()
"""When the certificates end that the instance issues: together, and beyond all that is connected today."""


class ExpiryOrder:
    """Certificates in the order of their ends."""

    def __init__(self, documents: Documents) -> None:
        self._entries = Collection(documents, "certificate-expiry", Entry)

    def entering(self, certificate: Certificate) -> list[Put]:
        """The writes that go with a new certificate."""
        return [self._entries.putting(key, Entry(certificate.id)) for key in _keys(certificate)]

    def leaving(self, certificate: Certificate) -> list[Delete]:
        """The writes that go with its removal."""
        return [self._entries.deleting(key) for key in _keys(certificate)]

    async def between(self, start: str, end: float) -> list[Stored[Entry]]:
        """Some of the next that end before `end`, after the key `start`."""
        found = await self._entries.scan(after=start, limit=_BATCH)
        return [one for one in found if one.key < expiry_key(end)]


class CertificateExpiry:
    """Watches the clock."""

    def __init__(self, order: ExpiryOrder, changes: Changes, clock: Clock) -> None:
        self._order = order
        self._changes = changes
        self._clock = clock

    async def watch(self) -> None:
        """Tell of certificates that expire from now on; for ever, so run it as a task."""
        done = expiry_key(self._clock.time())
        while True:
            await self._clock.sleep(EVERY)
            while found := await self._order.between(done, self._clock.time()):
                done = found[-1].key
                await self._changes.tell(frozenset(one.value.name for one in found))


def expiry_key(at: float, id_: str = "") -> str:
    """Ascends with `at`, seconds since the epoch."""
    return f"{max(int(at), 0):012}/{id_}"


def _keys(certificate: Certificate) -> list[str]:
    return [] if certificate.not_after >= _NEVER else [expiry_key(certificate.not_after, certificate.id)]
