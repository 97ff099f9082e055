"""Who subscribes to what: exact filters in a dict, filters with wildcards in a trie by level.

Most subscriptions of a fleet are exact (a device's own topics), and a dict finds those at once however many there are;
the trie is walked only through levels that exist in some wildcard filter.
"""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

S = TypeVar("S")


class Options(msgspec.Struct, frozen=True):
    """How a subscriber wants the messages of one subscription. (MQTT 5.0, 3.8.3.1)"""

    qos: int = 0
    """The highest quality of service granted."""
    no_local: bool = False
    """Whether it is spared what it publishes itself."""
    retain_as_published: bool = False
    """Whether it sees the RETAIN flag of what is published now."""
    identifier: int = 0
    """The subscription identifier; 0: none."""

    @property
    def plain(self) -> bool:
        """Whether messages go out as they come in."""
        return not (self.no_local or self.retain_as_published or self.identifier)


DEFAULT = Options()


class _Level(Generic[S]):
    """A place in the trie: the subscribers whose filter ends here, and the levels that follow."""

    __slots__ = ("children", "entries")

    def __init__(self) -> None:
        self.children: dict[str, _Level[S]] = {}
        self.entries: dict[S, Options] = {}


class SubscriptionTree(Generic[S]):
    """Maps topic filters to subscribers, each with the options of its subscription."""

    def __init__(self, *, hash_matches_parent: bool = True) -> None:
        self._exact: dict[str, dict[S, Options]] = {}
        self._root: _Level[S] = _Level()
        self._hash_matches_parent = hash_matches_parent

    def add(self, filter_: str, subscriber: S, options: Options = DEFAULT) -> None:
        """Subscribe, or change the options of the same subscription. [MQTT-3.8.4-3]"""
        if not has_wildcard(filter_):
            self._exact.setdefault(filter_, {})[subscriber] = options
            return
        level = self._root
        for name in filter_.split("/"):
            level = level.children.setdefault(name, _Level())
        level.entries[subscriber] = options

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

    def match(self, topic: str) -> dict[S, list[Options]]:
        """All whose filters match `topic`, each with the options of every subscription that does.

        Wildcards in the first level do not match topics that begin with `$` [MQTT-4.7.2-1].
        """
        found = {subscriber: [options] for subscriber, options in self._exact.get(topic, _NOBODY).items()}
        if self._root.children:
            for entries in self._walk(topic.split("/"), skip_wildcards=topic.startswith("$")):
                for subscriber, options in entries.items():
                    found.setdefault(subscriber, []).append(options)
        return found

    def _walk(self, levels: list[str], *, skip_wildcards: bool) -> Iterator[dict[S, Options]]:
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


_NOBODY: dict[Any, Options] = {}


def has_wildcard(filter_: str) -> bool:
    """Whether a valid filter can match more than one topic."""
    return "+" in filter_ or "#" in filter_
