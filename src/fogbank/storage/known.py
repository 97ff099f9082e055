"""What the last commits wrote: a group that changes the same documents again need not ask the file what they are at.

Each statement makes the thread that commits wait for the interpreter's lock twice, which costs more than the statement.
Nobody else writes to the file, so what was committed last still holds; where it is not known, SQLite is asked.
"""

from collections.abc import Iterable

from fogbank.storage.group import Address, Group

MOST = 8192
"""Documents remembered; with one more it starts anew. They take about 200 bytes each."""


class KnownDocuments:
    """Versions of documents, and whether they have index entries."""

    def __init__(self) -> None:
        self._known: dict[Address, tuple[int, bool]] = {}

    def versions(self, wanted: Iterable[Address]) -> dict[Address, int]:
        """Of those that are known; 0: there is none."""
        known = self._known
        return {address: known[address][0] for address in wanted if address in known}

    def may_be_indexed(self, address: Address) -> bool:
        """Whether there may be entries to be removed before new ones are written."""
        found = self._known.get(address)
        return found is None or found[1]

    def learn(self, group: Group) -> None:
        """A group was committed."""
        if len(self._known) + len(group.documents) > MOST:
            self._known.clear()
        for address, (version, put) in group.documents.items():
            self._known[address] = (version, put is not None and bool(put.indexes))

    def forget(self) -> None:
        """A commit has failed, and may have reached the disk."""
        self._known.clear()
