"""Some of the names in an index, in their order: they tell how far one has to look for the next so many.

The engine can sort what it finds by name, but pays for each name of each of its segments with a look into a compressed
dictionary: 20 ms for a page. It counts what lies between two names in a fraction of one. So a page is looked for
between landmarks, and sorted here. Landmarks may be out of date, or be names that are gone: that costs time, and
nothing else.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fogbank.registry.index import documents as lay

if TYPE_CHECKING:
    import tantivy

_COUNT = 512
_FEW = 2048
"""Entries of an index that needs none."""


class Landmarks:
    """Those of one index, taken anew where it has grown or shrunk by a quarter."""

    def __init__(self) -> None:
        self._keys: Sequence[str] = ()
        self._entries = 0

    def behind(self, searcher: "tantivy.Searcher", after: str) -> Sequence[str]:
        """Keys behind `after`, each about as far from the one before; and one that is behind all that there are."""
        entries = searcher.num_docs
        if 4 * abs(entries - self._entries) > entries:
            self._keys, self._entries = _sample(searcher) if entries > _FEW else (), entries
        keys = self._keys  # another thread may take them anew
        return [*keys[bisect_right(keys, after) :], lay.AFTER_WORDS]


def _sample(searcher: "tantivy.Searcher") -> Sequence[str]:
    import tantivy

    hits = searcher.search(tantivy.Query.all_query(), searcher.num_docs, count=False).hits
    some = hits[:: max(1, len(hits) // _COUNT)]
    return sorted(str(searcher.doc(address).get_first(lay.KEY)) for _, address in some)
