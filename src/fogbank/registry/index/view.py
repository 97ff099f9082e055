"""What a query finds in an index, as the index was at one moment. Blocking: for the threads of the engine."""

from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.registry.index import documents as lay
from fogbank.registry.index.landmarks import Landmarks
from fogbank.registry.index.translation import Translation
from fogbank.search import Query
from fogbank.search.geography import distance
from fogbank.search.query import Near

if TYPE_CHECKING:
    import tantivy


_MOST_SORTED = 2000
"""Entries beyond a page that are sorted here, so that the engine need not do it."""


class View:
    """A query and the state of the index that it is asked of."""

    def __init__(
        self, index: "tantivy.Index", query: Query, decoder: "msgspec.msgpack.Decoder[Any]", landmarks: Landmarks
    ) -> None:
        import tantivy

        self._ascending = tantivy.Order.Asc
        self._decoder = decoder
        self._landmarks = landmarks
        self._searcher = index.searcher()
        # no reference back to here: a cycle would keep the files of this state until Python looks for cycles
        check = partial(_keys_near, self._searcher, decoder)
        self._translation = Translation(index, self._searcher, check)
        self._found = self._translation(query)

    def count(self) -> int:
        """How many entries there are."""
        return self._count(self._found)

    def names(self, limit: int, after: str) -> list[str]:
        """The names in their order, those behind `after`, at most `limit`."""
        return [lay.unordered(key) for key, _ in self._page(limit, after)]

    def entries(self, limit: int, after: str) -> list[Any]:
        """The entries, likewise."""
        return [self._decoder.decode(document[lay.ENTRY][0]) for _, document in self._page(limit, after)]

    def stamps(self, limit: int, after: str) -> list[tuple[str, str]]:
        """Names and stamps, likewise."""
        return [(lay.unordered(key), str(document.get_first(lay.STAMP))) for key, document in self._page(limit, after)]

    def aggregate(self, **aggregations: dict[str, Any]) -> dict[str, Any]:
        """Aggregations over all that is found, in the engine's language, each under its name."""
        return self._searcher.aggregate(self._found, aggregations)

    def aggregate_between(self, field: str, low: float, high: float, aggregation: dict[str, Any]) -> dict[str, Any]:
        """One of those that have a number from `low` to below `high` in a field."""
        found = self._translation.between(self._found, field, low, high)
        return dict(self._searcher.aggregate(found, {"it": aggregation})["it"])

    def _page(self, limit: int, after: str) -> "list[tuple[str, tantivy.Document]]":
        """Keys and documents, in the order of keys."""
        start = lay.ordered(after)
        found = self._translation.from_to(self._found, start, lay.AFTER_WORDS) if after else self._found
        most = limit + _MOST_SORTED
        first: Any = self._searcher.search(found, most, count=True)
        hits = first.hits if first.count <= most else self._first(found, start, limit, most, first.count)
        documents = (self._searcher.doc(address) for _, address in hits)
        return sorted(((str(one.get_first(lay.KEY)), one) for one in documents), key=itemgetter(0))[:limit]

    def _first(self, found: "tantivy.Query", start: str, limit: int, most: int, count: int) -> "list[tuple[Any, Any]]":
        """At least `limit` hits, and with them all others of lower keys, at most `most`. Or the engine sorts.

        `count` is how many there are behind `start`.
        """
        keys = self._landmarks.behind(self._searcher, start)
        place = int(2 * limit / count * len(keys)) + 1
        if place < len(keys):
            near = self._translation.from_to(found, start, keys[place])
            hits = self._searcher.search(near, most, count=False).hits
            if limit <= len(hits) < most:
                return hits
        # they are not spread as all names are: `ab*` finds neighbours
        return self._searcher.search(found, limit, count=False, order_by_field=lay.KEY, order=self._ascending).hits

    def _count(self, query: "tantivy.Query") -> int:
        found: Any = self._searcher.search(query, 1, count=True)
        return int(found.count)  # the stub has forgotten it


def _keys_near(
    searcher: "tantivy.Searcher", decoder: "msgspec.msgpack.Decoder[Any]", near: Near, around: "tantivy.Query"
) -> list[str]:
    hits = searcher.search(around, max(1, searcher.num_docs), count=False).hits
    entries = (decoder.decode(searcher.doc(address)[lay.ENTRY][0]) for _, address in hits)
    return [lay.ordered(entry.name) for entry in entries if _is_near(near, entry)]


def _is_near(near: Near, entry: Any) -> bool:
    field = entry.fields().get(near.field)
    points = () if field is None else field.points
    return any(distance(near.latitude, near.longitude, p.latitude, p.longitude) <= near.metres for p in points)
