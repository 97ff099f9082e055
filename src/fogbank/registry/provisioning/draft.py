"""Several services' changes as one batch: they work on a draft of what is stored, and the draft is committed whole.

Provisioning a device is a dozen calls of the registry's services, and nothing may ever be half done. So they are made
on documents that keep what is written to themselves (`DraftDocuments`), by services that see it there and that know
every rule; and at the end all of it is written at once, resting on just those versions that were read. Where somebody
was quicker the store refuses the batch, the draft is thrown away, and all is looked at anew.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import msgspec

from fogbank.errors import FogbankError
from fogbank.ports import Delete, Documents, Expect, Put, Record, StaleVersion
from fogbank.registry.changes import Change, Changes, Happenings, Touched
from fogbank.registry.happenings import Happening
from fogbank.storage.group import check_version
from fogbank.tasks import Tasks

_NAMED = tuple(name for name, value in msgspec.structs.asdict(Change()).items() if isinstance(value, frozenset))
"""The fields of a change that are names of what it changes."""


class _Net(msgspec.Struct):
    """What a document comes to in a draft."""

    expect: int | None
    """The version that it must be stored at; None: any."""
    actual: int
    """The version it has in the draft; 0: it is not there."""
    change: Put | Delete | None = None

    @property
    def record(self) -> Record | None:
        """As it is read in the draft, where the draft has written it."""
        if not isinstance(self.change, Put):
            return None
        return Record(self.change.kind, self.change.key, self.actual, self.change.body)


class Outdated(FogbankError):
    """A draft rests on what is no longer stored. It must be thrown away: to look again within it is of no use, which is
    what services would do about a StaleVersion."""

    def __init__(self, stale: StaleVersion) -> None:
        super().__init__(str(stale))
        self.stale = stale


class DraftDocuments:
    """Documents as they would be after what was written here, none of which is stored. Port Documents."""

    def __init__(self, stored: Documents) -> None:
        self._stored = stored
        self._read: dict[tuple[str, str], Record | None] = {}
        """Stored documents as they were when they were first asked for: a draft rests on one state of each."""
        self._nets: dict[tuple[str, str], _Net] = {}

    @property
    def writes(self) -> list[Put | Delete | Expect]:
        """The one batch that makes the stored documents what they are here."""
        found: list[Put | Delete | Expect] = []
        for (kind, key), net in self._nets.items():
            if net.change is not None:
                found.append(msgspec.structs.replace(net.change, expect=net.expect))
            elif net.expect is not None:
                found.append(Expect(kind, key, net.expect))
        return found

    async def get(self, kind: str, key: str) -> Record | None:
        net = self._nets.get((kind, key))
        return await self._base(kind, key) if net is None or net.change is None else net.record

    async def scan(self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> list[Record]:
        drafted = self._drafted(kind)
        found = await self._stored.scan(kind, prefix=prefix, after=after, limit=_more(limit, drafted))
        here = (
            net.record
            for key, net in drafted.items()
            if net.record is not None and key.startswith(prefix) and key > after
        )
        return _merged(found, drafted, here, limit)

    async def find(
        self, kind: str, index: str, value: str, *, after: str = "", limit: int | None = None
    ) -> list[Record]:
        drafted = self._drafted(kind)
        found = await self._stored.find(kind, index, value, after=after, limit=_more(limit, drafted))
        here = (
            net.record
            for key, net in drafted.items()
            if isinstance(net.change, Put) and key > after and value in net.change.indexes.get(index, ())
        )
        return _merged(found, drafted, here, limit)

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        """Write to the draft, all or none. Raises StaleVersion."""
        staged: dict[tuple[str, str], _Net] = {}
        versions = []
        for change in changes:
            at = (change.kind, change.key)
            net = staged.get(at) or self._nets.get(at)
            if net is None:
                wanted = change.version if isinstance(change, Expect) else change.expect
                net = _Net(wanted, await self._version(at, wanted))
            check_version(change, net.actual)
            match change:
                case Put():
                    staged[at] = _Net(net.expect, net.actual + 1, change)
                case Delete():
                    staged[at] = _Net(net.expect, 0, change)
                case Expect():
                    staged[at] = net
            versions.append(staged[at].actual)
        self._nets |= staged
        return versions

    async def _base(self, kind: str, key: str) -> Record | None:
        at = (kind, key)
        if at not in self._read:
            self._read[at] = await self._stored.get(kind, key)
        return self._read[at]

    async def _version(self, at: tuple[str, str], wanted: int | None) -> int:
        """The version at which a document is stored; or that which somebody relies on without having read it here, and
        whether that is so is found out when the draft is written."""
        if wanted is not None and at not in self._read:
            return wanted
        record = await self._base(*at)
        return 0 if record is None else record.version

    def _drafted(self, kind: str) -> dict[str, _Net]:
        return {key: net for (of, key), net in self._nets.items() if of == kind and net.change is not None}


class DraftChanges(Changes):
    """Changes of a draft: they are kept until all of it is written, and told of then."""

    def __init__(self, documents: DraftDocuments, tasks: Tasks) -> None:
        super().__init__(documents, tasks)
        self._draft = documents
        self._told: list[Change] = []

    async def commit(self, *writes: Put | Delete | Expect, change: Change) -> None:
        """Raises Outdated."""
        try:
            await self._draft.commit(*writes)
        except StaleVersion as stale:
            raise Outdated(stale) from stale
        self._told.append(change)

    async def write(self, changes: Changes, along: Iterable[Put]) -> None:
        """Commit the draft by `changes`, in one batch with `along`, and tell of all that it changes.

        Raises StaleVersion.
        """
        writes = [*self._draft.writes, *along]
        if writes:
            await changes.commit(*writes, change=_all_of(tuple(self._told)))


def _all_of(changes: Sequence[Change]) -> Change:
    """What one batch changes that is the batches of `changes` in their order."""
    names = {field: frozenset[str]().union(*(getattr(one, field) for one in changes)) for field in _NAMED}
    touched = [one.touched for one in changes if one.touched is not None]
    happened = [one.happened for one in changes if one.happened is not None]
    return Change(
        **names,
        touched=_asking(touched) if touched else None,
        happened=_telling(happened) if happened else None,
    )


def _asking(touched: Sequence[Touched]) -> Touched:
    async def ask() -> frozenset[str]:
        return frozenset[str]().union(*[await one() for one in touched])

    return ask


def _telling(happened: Sequence[Happenings]) -> Callable[[], Iterable[Happening]]:
    return lambda: chain.from_iterable(one() for one in happened)


def _more(limit: int | None, drafted: dict[str, _Net]) -> int | None:
    """How many to read so that `limit` are left whatever the draft has taken away."""
    return None if limit is None else limit + len(drafted)


def _merged(
    found: list[Record], drafted: dict[str, _Net], here: Iterable[Record | None], limit: int | None
) -> list[Record]:
    if not drafted:
        return found
    kept = [one for one in found if one.key not in drafted]
    return sorted((*kept, *(one for one in here if one is not None)), key=lambda one: one.key)[:limit]
