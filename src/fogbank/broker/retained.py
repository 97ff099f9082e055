"""The retained messages: the last one of each topic whose publisher asked to keep it for later subscribers.

They are all in memory, because every SUBSCRIBE asks for them and cannot wait, and on disk, because they outlive the
process. `TopicMap` finds those that a filter matches.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterator
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Generic, TypeVar

import msgspec

from fogbank.clock import Clock, milliseconds
from fogbank.errors import FogbankError
from fogbank.message import NO_PROPERTIES, Message, MessageProperties
from fogbank.ports import Delete, Documents, Put, Record, StorageError
from fogbank.topics import matches

V = TypeVar("V")

KIND = "retained"
"""The kind of document they are stored as; the key is the topic."""

LOAD_PAGE = 1000
"""How many documents are read at a time when the broker starts."""

EXPIRE_AT_ONCE = 1000
"""How many messages are forgotten at a time: a few milliseconds of work, and one commit."""

STALE_EXPIRIES = 1000
"""How many expiries of messages that were replaced meanwhile may be about before they are swept out."""

FEW = 100
"""Up to so many topics are taken out of the sorted list one by one; with more, it is quicker to make it anew."""

DEEP = 32
"""Filters of more levels are matched topic by topic: nobody needs them, and nobody shall make us recurse with them."""

AFTER_SLASH = "0"
"""The character after `/`: the topics that begin with `a/` are those between `a/` and `a0`."""

AFTER_DOLLAR = "%"
"""The character after `$`, likewise."""


class RetainedFull(FogbankError):
    """There is no room for a retained message: to be answered with quota exceeded. Nothing was changed."""


class RetainedMessage(msgspec.Struct, frozen=True):
    """A message that is kept, with what GetRetainedMessage tells besides."""

    message: Message
    """`retain` is set; who published it is not kept."""
    modified_at: int
    """Milliseconds since the epoch."""
    size: int
    """The bytes that it takes on disk: those of its topic and of its document."""


class Retained:
    """At most `max_messages`, of at most `max_bytes` in all. Expired ones count until `expire` forgets them."""

    def __init__(self, clock: Clock, *, max_messages: int, max_bytes: int, hash_matches_parent: bool = True) -> None:
        self.size = 0
        """The sum of the messages' sizes."""
        self._clock = clock
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages: TopicMap[RetainedMessage] = TopicMap(hash_matches_parent=hash_matches_parent)
        self._expiries: list[tuple[float, str]] = []
        """A heap of times and topics; messages may have been replaced since."""

    def __len__(self) -> int:
        return len(self._messages)

    async def load(self, documents: Documents) -> None:
        """Read what is stored, all of it, even where that is more than what now fits. Raises StorageError."""
        after = ""
        while records := await documents.scan(KIND, after=after, limit=LOAD_PAGE):
            for record in records:
                self._keep(_decode(record))
            after = records[-1].key

    def change(self, message: Message) -> Put | Delete:
        """Keep a message, or with an empty payload forget its topic's. [MQTT-3.3.1-5]

        It holds at once. What is returned must be handed over to storage before the next change is asked for, and be
        committed before the message is acknowledged. Raises RetainedFull, but never for a message that is no larger
        than the one it replaces.
        """
        if not message.payload:  # [MQTT-3.3.1-10] [MQTT-3.3.1-11]
            self._forget([message.topic])
            return Delete(KIND, message.topic)  # even if it was not here: an earlier deletion may still be on its way
        kept = Message(
            message.topic,
            message.payload,
            message.qos,
            retain=True,
            properties=message.properties,
            expires_at=message.expires_at,
        )
        modified_at = milliseconds(self._clock)
        body = _encode(kept, modified_at)
        retained = RetainedMessage(kept, modified_at, _size(kept.topic, body))
        self._check_room(retained)
        self._keep(retained)
        return Put(KIND, kept.topic, body)

    def get(self, topic: str) -> RetainedMessage | None:
        """What is kept for a topic."""
        retained = self._messages.get(topic)
        return None if retained is None or _expired(retained, self._clock.time()) else retained

    def match(self, filter_: str) -> list[Message]:
        """What a new subscription to a valid filter is to be sent. [MQTT-3.3.1-6] (MQTT 5.0: [MQTT-3.3.1-9])"""
        now = self._clock.time()
        return [one.message for one in self._messages.match(filter_) if not _expired(one, now)]

    def page(self, after: str, limit: int) -> list[RetainedMessage]:
        """Up to `limit` in topic order, from the first topic greater than `after`."""
        now = self._clock.time()
        return list(islice((one for one in self._messages.after(after) if not _expired(one, now)), limit))

    def expire(self, limit: int = EXPIRE_AT_ONCE) -> list[Delete]:
        """Forget what has expired (MQTT 5.0, 3.3.2.3.3), up to `limit` messages: where so many were, ask again.

        What is returned must be handed over to storage before the next change is asked for.
        """
        now = self._clock.time()
        expired: dict[str, None] = {}
        while self._expiries and self._expiries[0][0] <= now and len(expired) < limit:
            _, topic = heappop(self._expiries)
            retained = self._messages.get(topic)
            if retained is not None and _expired(retained, now):
                expired[topic] = None
        self._forget(expired)
        return [Delete(KIND, topic) for topic in expired]

    def _check_room(self, new: RetainedMessage) -> None:
        old = self._messages.get(new.message.topic)
        if old is None and len(self._messages) >= self._max_messages:
            raise RetainedFull(
                f"no room to retain a message for {new.message.topic!r}: there are {len(self._messages)},"
                f" and {self._max_messages} are allowed; clear some by empty retained messages"
            )
        growth = new.size - (old.size if old else 0)
        if growth > 0 and self.size + growth > self._max_bytes:
            raise RetainedFull(
                f"no room to retain {new.size} bytes for {new.message.topic!r}: {self.size} bytes are taken,"
                f" and {self._max_bytes} are allowed; clear some by empty retained messages"
            )

    def _keep(self, retained: RetainedMessage) -> None:
        topic, expires_at = retained.message.topic, retained.message.expires_at
        old = self._messages.get(topic)
        self.size += retained.size - (old.size if old else 0)
        self._messages.put(topic, retained)
        if expires_at is not None:
            heappush(self._expiries, (expires_at, topic))
            if len(self._expiries) > 2 * len(self._messages) + STALE_EXPIRIES:
                self._sweep_expiries()

    def _sweep_expiries(self) -> None:
        self._expiries = [
            (one.message.expires_at, one.message.topic)
            for one in self._messages.after("")
            if one.message.expires_at is not None
        ]
        heapify(self._expiries)

    def _forget(self, topics: Collection[str]) -> None:
        self.size -= sum(one.size for one in self._messages.remove(topics))


class TopicMap(Generic[V]):
    """Values by topic, found by topic filters too.

    A dict answers what has no wildcard. For the rest the topics are in a sorted list, where those below a level lie
    side by side: a filter leaps by binary search from one existing level to the next, as through a trie. But the list
    costs one pointer per topic, and it has an order to page in. To insert one moves those behind it: microseconds.
    """

    def __init__(self, *, hash_matches_parent: bool = True) -> None:
        """`hash_matches_parent`: whether `sport/#` matches `sport`, as MQTT says (4.7.1.2) and AWS does not."""
        self._hash_matches_parent = hash_matches_parent
        self._values: dict[str, V] = {}
        self._topics: list[str] = []
        """The keys of `_values`, sorted."""

    def __len__(self) -> int:
        return len(self._topics)

    def get(self, topic: str) -> V | None:
        return self._values.get(topic)

    def put(self, topic: str, value: V) -> None:
        """Set the value of a topic. Not while `after` is being iterated; nor is `remove`."""
        if topic not in self._values:
            insort(self._topics, topic)
        self._values[topic] = value

    def remove(self, topics: Collection[str]) -> list[V]:
        """The values that were there."""
        present = [topic for topic in topics if topic in self._values]
        removed = [self._values.pop(topic) for topic in present]
        if len(present) <= FEW:
            for topic in present:
                del self._topics[bisect_left(self._topics, topic)]
        else:
            self._topics = [topic for topic in self._topics if topic in self._values]
        return removed

    def after(self, topic: str) -> Iterator[V]:
        """Values in topic order, from the first topic greater than `topic`."""
        for at in range(bisect_right(self._topics, topic), len(self._topics)):
            yield self._values[self._topics[at]]

    def match(self, filter_: str) -> list[V]:
        """The values of all topics that a valid filter matches, each once."""
        if "+" not in filter_ and "#" not in filter_:
            return [self._values[filter_]] if filter_ in self._values else []
        levels = filter_.split("/")
        found: list[str] = []
        if len(levels) > DEEP:
            found = self._match_each(filter_)
        else:
            self._match("", levels, 0, found)
        return [self._values[topic] for topic in found]

    def _match(self, prefix: str, levels: list[str], start: int, found: list[str]) -> None:
        """Find the topics that begin with `prefix`, whole levels, and go on as `levels` say; none is before `start`."""
        for depth, level in enumerate(levels):
            if level == "#":
                self._match_all(prefix, start, found)
                return
            if level == "+":
                self._match_any(prefix, levels[depth + 1 :], start, found)
                return
            topic = prefix + level
            if self._may_end(levels[depth + 1 :]) and topic in self._values:
                found.append(topic)
            prefix = topic + "/"

    def _match_any(self, prefix: str, rest: list[str], start: int, found: list[str]) -> None:
        """Find the topics that begin with `prefix`, have any level next, and go on as `rest` says."""
        topics, at = self._topics, bisect_left(self._topics, prefix, start)
        may_end = self._may_end(rest)
        while at < len(topics) and topics[at].startswith(prefix):
            topic = topics[at]
            end = topic.find("/", len(prefix))
            if not prefix and topic[:1] == "$":  # [MQTT-4.7.2-1]
                at = bisect_left(topics, AFTER_DOLLAR, at)
            elif end < 0:
                if may_end:
                    found.append(topic)
                at += 1
            else:
                if rest:
                    self._match(topic[: end + 1], rest, at, found)
                at = self._leap(topic[:end] + AFTER_SLASH, at + 1)

    def _match_all(self, prefix: str, start: int, found: list[str]) -> None:
        """Find the topics that begin with `prefix`."""
        topics = self._topics
        if prefix:
            first = bisect_left(topics, prefix, start)
            found += topics[first : self._leap(prefix[:-1] + AFTER_SLASH, first)]
        else:  # [MQTT-4.7.2-1]
            found += topics[: bisect_left(topics, "$")]
            found += topics[bisect_left(topics, AFTER_DOLLAR) :]

    def _leap(self, topic: str, start: int) -> int:
        """Where the topics from `topic` on begin, which mostly is not far from `start`."""
        topics, step = self._topics, 1
        while start < len(topics) and topics[start] < topic:
            start, step = start + step, 2 * step
        return bisect_left(topics, topic, start - step // 2, min(start, len(topics)))

    def _may_end(self, rest: list[str]) -> bool:
        """Whether a topic may end where the filter goes on with `rest`."""
        return not rest or (rest == ["#"] and self._hash_matches_parent)

    def _match_each(self, filter_: str) -> list[str]:
        found = [topic for topic in self._topics if matches(filter_, topic)]
        if self._hash_matches_parent or not filter_.endswith("/#"):
            return found
        return [topic for topic in found if topic.count("/") >= filter_.count("/")]


class StoredMessage(msgspec.Struct, frozen=True, array_like=True):
    """The document, in MessagePack: payloads are bytes. The order of the fields is the format; new ones go last."""

    payload: bytes
    qos: int
    modified_at: int
    expires_at: float | None = None
    properties: MessageProperties | None = None


_DECODER = msgspec.msgpack.Decoder(StoredMessage)


def _encode(message: Message, modified_at: int) -> bytes:
    properties = None if message.properties == NO_PROPERTIES else message.properties
    return msgspec.msgpack.encode(
        StoredMessage(message.payload, message.qos, modified_at, message.expires_at, properties)
    )


def _decode(record: Record) -> RetainedMessage:
    try:
        stored = _DECODER.decode(record.body)
    except msgspec.DecodeError as error:
        raise StorageError(f"the retained message of {record.key!r} cannot be read: {error}") from error
    message = Message(
        record.key,
        stored.payload,
        stored.qos,
        retain=True,
        properties=stored.properties or NO_PROPERTIES,
        expires_at=stored.expires_at,
    )
    return RetainedMessage(message, stored.modified_at, _size(record.key, record.body))


def _expired(retained: RetainedMessage, now: float) -> bool:
    expires_at = retained.message.expires_at
    return expires_at is not None and expires_at <= now


def _size(topic: str, body: bytes) -> int:
    return len(topic.encode()) + len(body)
