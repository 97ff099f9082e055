"""Retained messages: what is kept, for whom, how long, and what the disk is told of it."""

import asyncio
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fogbank.broker.retained import DEEP, FEW, STALE_EXPIRIES, Retained, RetainedFull, RetainedMessage, TopicMap
from fogbank.message import Message, MessageProperties, Origin
from fogbank.ports import Delete, Put, StorageError
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock
from fogbank.topics import matches

ROOM = 10**9

LEVELS = st.sampled_from(["", "!", "a", "b", "ab", "a-", "é", "$", "$a", "%", "0"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(st.one_of(LEVELS, st.just("+"), st.just("+")), max_size=4),
    st.sampled_from([[], ["#"]]),
).filter(bool)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def retained(clock: FakeClock, *, max_messages: int = ROOM, max_bytes: int = ROOM) -> Retained:
    return Retained(clock, max_messages=max_messages, max_bytes=max_bytes)


def message(topic: str, payload: bytes = b"x", *, expires_at: float | None = None) -> Message:
    return Message(topic, payload, 1, retain=True, expires_at=expires_at)


def matches_naively(filter_: list[str], topic: list[str], *, hash_matches_parent: bool) -> bool:
    """By MQTT 3.1.1, 4.7.1, level by level."""
    if not filter_:
        return not topic
    if filter_[0] == "#":
        return bool(topic) or hash_matches_parent
    if not topic or filter_[0] not in ("+", topic[0]):
        return False
    return matches_naively(filter_[1:], topic[1:], hash_matches_parent=hash_matches_parent)


def expected(filter_: str, topics: set[str], *, hash_matches_parent: bool) -> list[str]:
    hidden = filter_[0] in "+#"  # [MQTT-4.7.2-1]
    return sorted(
        topic
        for topic in topics
        if not (hidden and topic.startswith("$"))
        and matches_naively(filter_.split("/"), topic.split("/"), hash_matches_parent=hash_matches_parent)
    )


class TestTopicMap:
    @settings(max_examples=500)
    @given(st.sets(TOPICS, max_size=30), st.lists(FILTERS, max_size=5), st.booleans(), st.integers(0, 4))
    def test_filters_find_what_mqtt_says(
        self, topics: set[str], filters: list[str], hash_matches_parent: bool, removed: int
    ) -> None:
        found: TopicMap[str] = TopicMap(hash_matches_parent=hash_matches_parent)
        for topic in topics:
            found.put(topic, topic)
        gone = sorted(topics)[:removed]
        assert found.remove(gone) == gone
        topics = topics - set(gone)
        for filter_ in [*filters, *topics]:
            assert sorted(found.match(filter_)) == expected(filter_, topics, hash_matches_parent=hash_matches_parent)
            if hash_matches_parent:
                assert sorted(found.match(filter_)) == sorted(topic for topic in topics if matches(filter_, topic))

    @pytest.mark.parametrize(
        ("filter_", "topics"),
        [
            ("sport/#", ["sport", "sport/", "sport/tennis", "sport/tennis/player1"]),  # 4.7.1.2
            ("sport/tennis/#", ["sport/tennis", "sport/tennis/player1"]),
            ("sport/+", ["sport/", "sport/tennis"]),  # 4.7.1.3
            ("+/+", ["/finance", "sport/", "sport/tennis"]),
            ("/+", ["/finance"]),
            ("+", ["sport"]),
            ("#", ["/finance", "sport", "sport/", "sport/tennis", "sport/tennis/player1"]),
            ("$SYS/#", ["$SYS/monitor"]),  # 4.7.2
            ("+/monitor", []),
            ("$SYS/monitor", ["$SYS/monitor"]),
            ("sport", ["sport"]),
            ("never", []),
        ],
    )
    def test_the_examples_of_the_standard(self, filter_: str, topics: list[str]) -> None:
        found: TopicMap[str] = TopicMap()
        for topic in ("sport/tennis/player1", "sport/tennis", "sport/", "sport", "/finance", "$SYS/monitor"):
            found.put(topic, topic)
        assert sorted(found.match(filter_)) == topics

    @pytest.mark.parametrize("hash_matches_parent", [True, False])
    @pytest.mark.parametrize("levels", [DEEP - 1, DEEP, DEEP + 1, 30_000])
    def test_a_filter_of_any_depth(self, levels: int, hash_matches_parent: bool) -> None:
        deepest = "/" * (levels - 1)
        found: TopicMap[str] = TopicMap(hash_matches_parent=hash_matches_parent)
        for topic in (deepest, deepest[:-1], deepest + "/", "other"):
            found.put(topic, topic)
        pluses = "/".join(["+"] * levels)
        assert list(found.match(pluses)) == [deepest]
        assert list(found.match(pluses + "/#")) == [deepest, deepest + "/"][not hash_matches_parent :]
        assert (
            list(found.match(pluses[:-2] + "/#")) == [deepest[:-1], deepest, deepest + "/"][not hash_matches_parent :]
        )

    @pytest.mark.parametrize("count", [FEW, FEW + 1])
    def test_few_or_many_are_removed(self, count: int) -> None:
        found: TopicMap[int] = TopicMap()
        for number in range(2 * FEW):
            found.put(f"{number:03}", number)
        assert found.remove([f"{number:03}" for number in [*range(count), 999]]) == list(range(count))
        assert list(found.after("")) == list(range(count, 2 * FEW))
        assert len(found) == 2 * FEW - count


async def test_the_last_message_of_a_topic_is_kept(clock: FakeClock) -> None:
    kept = retained(clock)
    kept.change(message("a", b"1"))
    await clock.advance(2)
    properties = MessageProperties(content_type="text/plain", user_properties=(("k", "v"), ("k", "w")))
    put = kept.change(Message("a", b"2", 0, True, Origin("cert"), True, properties, clock.time() + 60))
    assert isinstance(put, Put)
    assert (put.kind, put.key, put.expect) == ("retained", "a", None)
    as_kept = Message("a", b"2", 0, retain=True, properties=properties, expires_at=clock.time() + 60)
    assert kept.match("a") == kept.match("+") == [as_kept]
    assert kept.get("a") == RetainedMessage(as_kept, int(clock.time() * 1000), 1 + len(put.body))
    assert len(kept) == 1
    assert kept.size == 1 + len(put.body)


def test_an_empty_payload_forgets(clock: FakeClock) -> None:
    kept = retained(clock)
    kept.change(message("a"))
    for _ in range(2):  # the second comes while the first may not be on disk yet: it may not be acknowledged sooner
        assert kept.change(message("a", b"")) == Delete("retained", "a")
        assert (kept.get("a"), kept.match("#"), len(kept), kept.size) == (None, [], 0, 0)


def test_a_message_counts_for_the_bytes_on_disk(clock: FakeClock) -> None:
    kept = retained(clock)
    put = kept.change(message("é", b"x" * 50))
    assert isinstance(put, Put)
    assert kept.size == 2 + len(put.body)


def test_pages_are_in_topic_order(clock: FakeClock) -> None:
    kept = retained(clock)
    for topic in ("b", "a/b", "a", "a-", "$aws", "é"):
        kept.change(message(topic))
    kept.change(message("a/a", expires_at=clock.time()))

    def page(after: str, limit: int) -> list[str]:
        return [one.message.topic for one in kept.page(after, limit)]

    assert page("", 10) == ["$aws", "a", "a-", "a/b", "b", "é"]
    assert page("", 2) == ["$aws", "a"]
    assert page("a", 2) == ["a-", "a/b"]
    assert page("a.", 1) == ["a/b"]
    assert page("é", 1) == page("", 0) == []


class TestBounds:
    def test_of_the_number_of_messages(self, clock: FakeClock) -> None:
        kept = retained(clock, max_messages=2)
        kept.change(message("a"))
        kept.change(message("b"))
        with pytest.raises(RetainedFull, match="'c': there are 2, and 2 are allowed"):
            kept.change(message("c"))
        assert kept.match("#") == [message("a"), message("b")]
        kept.change(message("b", b"replaced by a longer one"))
        kept.change(message("a", b""))
        kept.change(message("c"))
        assert [one.topic for one in kept.match("#")] == ["b", "c"]

    def test_of_the_bytes_in_all(self, clock: FakeClock) -> None:
        kept = retained(clock, max_bytes=1000)
        kept.change(message("a", b"x" * 400))
        kept.change(message("b", b"x" * 400))
        before = kept.size
        for topic, size in (("c", 200), ("a", 600)):
            with pytest.raises(RetainedFull, match=rf"'{topic}': {before} bytes are taken, and 1000 are allowed"):
                kept.change(message(topic, b"x" * size))
        assert kept.size == before
        assert kept.match("#") == [message("a", b"x" * 400), message("b", b"x" * 400)]
        kept.change(message("a", b"x" * 300))
        kept.change(message("c", b"x" * 200))
        assert kept.size <= 1000

    async def test_lowered_below_what_is_stored_it_can_only_shrink(self, clock: FakeClock) -> None:
        documents, before = MemoryDocuments(), retained(clock)
        for topic in "abc":
            await documents.commit(before.change(message(topic, b"x" * 100)))
        kept = retained(clock, max_messages=1, max_bytes=100)
        await kept.load(documents)
        assert len(kept) == 3
        kept.change(message("a", b"y" * 100))
        kept.change(message("b", b"y" * 99))
        kept.change(message("c", b""))
        for topic, size in (("a", 101), ("d", 1)):
            with pytest.raises(RetainedFull):
                kept.change(message(topic, b"x" * size))

    def test_replacing_again_and_again_leaves_nothing_behind(self, clock: FakeClock) -> None:
        kept = retained(clock)
        for number in range(5 * STALE_EXPIRIES):
            kept.change(message("a", expires_at=clock.time() + number))
        assert len(kept._expiries) <= STALE_EXPIRIES + 2
        assert kept.size == kept.page("", 1)[0].size

    async def test_what_is_swept_out_are_only_expiries_of_messages_replaced(self, clock: FakeClock) -> None:
        kept = retained(clock)
        for number in range(2 * 10 + STALE_EXPIRIES + 1):
            kept.change(message("abcdefghij"[number % 10], expires_at=clock.time() + 10 - number % 10))
        assert len(kept._expiries) == 10
        for topic in reversed("abcdefghij"):
            await clock.advance(1)
            assert kept.expire() == [Delete("retained", topic)]


class TestExpiry:
    """(MQTT 5.0, 3.3.2.3.3)"""

    async def test_what_has_expired_is_not_returned_and_then_forgotten(self, clock: FakeClock) -> None:
        kept = retained(clock)
        kept.change(message("a", expires_at=clock.time() + 10))
        kept.change(message("b", expires_at=clock.time() + 20))
        kept.change(message("c"))
        await clock.advance(9)
        assert len(kept.match("#")) == 3
        assert kept.expire() == []
        await clock.advance(1)
        assert [one.topic for one in kept.match("#")] == ["b", "c"]
        assert kept.get("a") is None
        assert kept.match("a") == []
        assert [one.message.topic for one in kept.page("", 10)] == ["b", "c"]
        assert len(kept) == 3
        assert kept.expire() == [Delete("retained", "a")]
        assert len(kept) == 2
        assert kept.expire() == []

    async def test_so_many_at_a_time(self, clock: FakeClock) -> None:
        kept = retained(clock)
        for topic in "abcde":
            kept.change(message(topic, expires_at=clock.time()))
        assert [len(kept.expire(limit)) for limit in (2, 0, 2, 2, 2)] == [2, 0, 2, 1, 0]
        assert len(kept) == 0

    async def test_a_message_that_was_replaced_expires_no_more(self, clock: FakeClock) -> None:
        kept = retained(clock)
        for topic, later in (("a", None), ("b", clock.time() + 20), ("c", clock.time() + 10)):
            kept.change(message(topic, expires_at=clock.time() + 10))
            kept.change(message(topic, b"new", expires_at=later))
        kept.change(message("d", expires_at=clock.time() + 10))
        kept.change(message("d", b""))
        await clock.advance(10)
        assert kept.expire() == [Delete("retained", "c")]
        await clock.advance(10)
        assert kept.expire() == [Delete("retained", "b")]
        assert kept.match("#") == [message("a", b"new")]


class TestLoading:
    async def test_what_was_committed_is_there_again(self, clock: FakeClock) -> None:
        documents, before = MemoryDocuments(), retained(clock)
        for number in range(2500):
            await documents.commit(before.change(message(f"{number % 7}/{number}", b"\0\xff")))
        properties = MessageProperties(payload_format=1, correlation_data=b"\xff", response_topic="r")
        await documents.commit(before.change(Message("p", b"p", 2, properties=properties, expires_at=clock.time() + 1)))
        await documents.commit(before.change(message("3/3", b"")))
        after = retained(clock)
        await after.load(documents)
        assert len(after) == 2500
        assert after.page("", ROOM) == before.page("", ROOM)
        assert after.size == before.size
        await clock.advance(1)
        assert after.expire() == before.expire() == [Delete("retained", "p")]

    async def test_a_document_that_cannot_be_read_is_named(self, clock: FakeClock) -> None:
        documents = MemoryDocuments()
        await documents.commit(Put("retained", "a/b", msgspec.msgpack.encode(["text", 1, 2])))
        with pytest.raises(StorageError, match=r"the retained message of 'a/b' cannot be read: .*bytes"):
            await retained(clock).load(documents)

    async def test_a_document_with_fields_of_a_later_version_is_read(self, clock: FakeClock) -> None:
        documents, kept = MemoryDocuments(), retained(clock)
        await documents.commit(Put("retained", "a", msgspec.msgpack.encode([b"x", 1, 2, None, None, "later"])))
        await kept.load(documents)
        assert kept.match("a") == [message("a")]


class Model(RuleBasedStateMachine):
    """Against a plain dict; the disk is told what it is told, and read again."""

    max_messages = 4

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.documents = MemoryDocuments()
        self.kept = self.empty()
        self.model: dict[str, Message] = {}

    def empty(self) -> Retained:
        return Retained(self.clock, max_messages=self.max_messages, max_bytes=400, hash_matches_parent=False)

    def living(self) -> Iterator[Message]:
        now = self.clock.time()
        return (self.model[t] for t in sorted(self.model) if (self.model[t].expires_at or now + 1) > now)

    @rule(topic=TOPICS, payload=st.binary(max_size=120), lifetime=st.one_of(st.none(), st.integers(0, 5)))
    def publish(self, topic: str, payload: bytes, lifetime: int | None) -> None:
        new = message(topic, payload, expires_at=None if lifetime is None else self.clock.time() + lifetime)
        try:
            change = self.kept.change(new)
        except RetainedFull:
            size = sum(len(one.topic.encode()) + len(one.payload) for one in self.model.values())
            old = self.model.get(topic)
            grows = len(payload) > (len(old.payload) if old else 0) or (new.expires_at and old and not old.expires_at)
            assert payload
            assert grows
            assert (old is None and len(self.model) == self.max_messages) or size + len(payload) > 200
            return
        asyncio.run(self.documents.commit(change))
        if payload:
            assert topic in self.model or len(self.model) < self.max_messages
            self.model[topic] = new
        else:
            self.model.pop(topic, None)

    @rule(seconds=st.integers(1, 3))
    def time_goes_by(self, seconds: int) -> None:
        asyncio.run(self.clock.advance(seconds))

    @rule()
    def expire(self) -> None:
        living = {one.topic for one in self.living()}
        deletes = self.kept.expire()
        assert sorted(one.key for one in deletes) == sorted(set(self.model) - living)
        asyncio.run(self.documents.commit(*deletes))
        self.model = {topic: self.model[topic] for topic in living}

    @rule()
    def restart(self) -> None:
        size, self.kept = self.kept.size, self.empty()
        asyncio.run(self.kept.load(self.documents))
        assert self.kept.size == size

    @rule(filter_=FILTERS)
    def match(self, filter_: str) -> None:
        living = {one.topic: one for one in self.living()}
        found = sorted(self.kept.match(filter_), key=lambda one: one.topic)
        assert found == [living[topic] for topic in expected(filter_, set(living), hash_matches_parent=False)]

    @rule(after=TOPICS, limit=st.integers(0, 3))
    def page(self, after: str, limit: int) -> None:
        found = [one.message for one in self.kept.page(after, limit)]
        assert found == [one for one in self.living() if one.topic > after][:limit]

    @invariant()
    def the_same_is_kept(self) -> None:
        living = {one.topic: one for one in self.living()}
        assert len(self.kept) == len(self.model)
        assert self.kept.size <= 400
        for topic in self.model:
            found = self.kept.get(topic)
            assert (found and found.message) == living.get(topic)


TestAgainstModel = Model.TestCase
TestAgainstModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
