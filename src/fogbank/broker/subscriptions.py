"""Who subscribes to what: exact filters in a dict, filters with wildcards in a trie by level.

Most subscriptions of a fleet are exact (a device's own topics), and a dict finds those at once however many there are;
the trie is walked only through levels that exist in some wildcard filter.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

S = TypeVar("S")


class _Level(Generic[S]):
    """A place in the trie: the subscribers whose filter ends here, and the levels that follow."""

    __slots__ = ("children", "entries")

    def __init__(self) -> None:
        self.children: dict[str, _Level[S]] = {}
        self.entries: dict[S, int] = {}


class SubscriptionTree(Generic[S]):
    """Maps topic filters to subscribers, each with the quality of service granted."""

    def __init__(self, *, hash_matches_parent: bool = True) -> None:
        self._exact: dict[str, dict[S, int]] = {}
        self._root: _Level[S] = _Level()
        self._hash_matches_parent = hash_matches_parent

    def add(self, filter_: str, subscriber: S, qos: int = 0) -> None:
        """Subscribe, or change the quality of service of the same subscription. [MQTT-3.8.4-3]"""
        if not has_wildcard(filter_):
            self._exact.setdefault(filter_, {})[subscriber] = qos
            return
        level = self._root
        for name in filter_.split("/"):
            level = level.children.setdefault(name, _Level())
        level.entries[subscriber] = qos

    def remove(self, filter_: str, subscriber: S) -> None:
        """Give a subscription up; one that is not there is no error."""
        if not has_wildcard(filter_):
            if (entries := self._exact.get(filter_)) is not None:
                entries.pop(subscriber, None)
                if not entries:
                    del self._exact[filter_]
            return
        path = [self._root]
        names = filter_.split("/")
        for name in names:
            child = path[-1].children.get(name)
            if child is None:
                return
            path.append(child)
        path[-1].entries.pop(subscriber, None)
        for name, child, parent in zip(reversed(names), reversed(path), path[-2::-1], strict=False):
            if child.entries or child.children:
                return
            del parent.children[name]

    def match(self, topic: str) -> dict[S, int]:
        """All whose filters match `topic`, each once, at the highest quality of service of its filters.

        Overlapping subscriptions of one client make one delivery [MQTT-3.3.5-1]; wildcards in the first level do not
        match topics that begin with `$` [MQTT-4.7.2-1].
        """
        found: dict[S, int] = dict(self._exact.get(topic, ()))
        if self._root.children:
            for entries in self._walk(topic.split("/"), skip_wildcards=topic.startswith("$")):
                for subscriber, qos in entries.items():
                    if found.get(subscriber, -1) < qos:
                        found[subscriber] = qos
        return found

    def _walk(self, levels: list[str], *, skip_wildcards: bool) -> Iterator[dict[S, int]]:
        places = [self._root]
        for name in levels:
            following = []
            for place in places:
                if not skip_wildcards:
                    if (everything := place.children.get("#")) is not None:
                        yield everything.entries
                    if (single := place.children.get("+")) is not None:
                        following.append(single)
                if (child := place.children.get(name)) is not None:
                    following.append(child)
            places = following
            skip_wildcards = False
            if not places:
                return
        for place in places:
            yield place.entries
            if self._hash_matches_parent and (everything := place.children.get("#")) is not None:
                yield everything.entries


def has_wildcard(filter_: str) -> bool:
    """Whether a valid filter can match more than one topic."""
    return "+" in filter_ or "#" in filter_
