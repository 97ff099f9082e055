"""The embedded engine against the one in memory: whatever is done to both, both answer the same."""

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fogbank.ports import Delete, Discard, DiscardAll, Expect, Keep, Put, StaleVersion
from fogbank.storage import memory_store, open_store

KINDS = st.sampled_from(["thing", "policy"])
KEYS = st.text(alphabet="a\0é\ud7ff\ue000\U0010ffff%", max_size=3)
NAMES = st.sampled_from(["room", "type"])
QUEUES = st.sampled_from(["q", "q/1", "q/2"])
EXPECT = st.one_of(st.none(), st.integers(0, 3))
PUTS = st.builds(
    Put, KINDS, KEYS, st.binary(max_size=5), EXPECT, st.dictionaries(NAMES, st.lists(KEYS, max_size=2), max_size=2)
)
DOCUMENT_CHANGES = st.one_of(
    PUTS, PUTS, st.builds(Delete, KINDS, KEYS, EXPECT), st.builds(Expect, KINDS, KEYS, st.integers(0, 2))
)
BATCHES = st.lists(DOCUMENT_CHANGES, max_size=5)
OWNERS = st.sampled_from(["c", "c\0", "é"])
SPANS = st.builds(lambda first, length: range(first, first + length), st.integers(0, 100), st.integers(0, 90))
NUMBERS = st.one_of(st.integers(1, 9), st.integers(1, 150))
KEEPS = st.builds(Keep, OWNERS, NUMBERS, st.binary(max_size=4), st.integers(1, 3))
DISCARDS = st.builds(Discard, OWNERS, st.one_of(st.lists(NUMBERS, max_size=5), SPANS))
BACKLOG_CHANGES = st.one_of(KEEPS, KEEPS, KEEPS, DISCARDS, st.builds(DiscardAll, OWNERS), DOCUMENT_CHANGES)
RUNS = st.builds(
    lambda owner, span, body: [Keep(owner, number, body) for number in span], OWNERS, SPANS, st.binary(max_size=3)
)
BACKLOG_BATCHES = st.one_of(st.lists(BACKLOG_CHANGES, max_size=6), RUNS)
LIMITS = st.one_of(st.none(), st.integers(0, 4))


def plain(outcome: object) -> object:
    return str(outcome) if isinstance(outcome, StaleVersion) else outcome


class Engines(RuleBasedStateMachine):
    """Numbers of queue items may differ between engines (a restart leaves a gap); `numbers` pairs them."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "data"
        self.model, self.real = memory_store(), open_store(self.path)
        self.numbers = {0: 0}

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @rule(batches=st.lists(BATCHES, min_size=1, max_size=8))
    def commit_concurrently(self, batches: list[list[Put | Delete | Expect]]) -> None:
        async def commit() -> None:
            outcomes = [
                await asyncio.gather(*(one.documents.commit(*batch) for batch in batches), return_exceptions=True)
                for one in (self.model, self.real)
            ]
            modelled, stored = ([plain(outcome) for outcome in of_one] for of_one in outcomes)
            assert modelled == stored

        self.run(commit())

    @rule(batches=st.lists(BACKLOG_BATCHES, min_size=1, max_size=8))
    def commit_backlogs_concurrently(
        self, batches: list[list[Put | Delete | Expect | Keep | Discard | DiscardAll]]
    ) -> None:
        async def commit() -> None:
            outcomes = [
                await asyncio.gather(*(one.backlogs.commit(*batch) for batch in batches), return_exceptions=True)
                for one in (self.model, self.real)
            ]
            modelled, stored = ([plain(outcome) for outcome in of_one] for of_one in outcomes)
            assert modelled == stored

        self.run(commit())

    @rule(owner=OWNERS, after=st.integers(0, 150), limit=LIMITS)
    def read_backlog(self, owner: str, after: int, limit: int | None) -> None:
        modelled = self.run(self.model.backlogs.read(owner, after=after, limit=limit))
        assert modelled == self.run(self.real.backlogs.read(owner, after=after, limit=limit))

    @rule(queue=QUEUES, items=st.lists(st.binary(max_size=3), max_size=4))
    def append(self, queue: str, items: list[bytes]) -> None:
        modelled = self.run(self.model.queue.append(queue, *items))
        stored = self.run(self.real.queue.append(queue, *items))
        assert all(number > max(self.numbers.values()) for number in stored)
        self.numbers.update(zip(modelled, stored, strict=True))

    @rule(queue=QUEUES, numbers=st.lists(st.integers(1, 12), max_size=4))
    def remove(self, queue: str, numbers: list[int]) -> None:
        known = [number for number in numbers if number in self.numbers]
        self.run(self.model.queue.remove(queue, *known))
        self.run(self.real.queue.remove(queue, *(self.numbers[number] for number in known)))

    @rule(queue=QUEUES)
    def drop(self, queue: str) -> None:
        self.run(self.model.queue.drop(queue))
        self.run(self.real.queue.drop(queue))

    @rule()
    def restart(self) -> None:
        self.run(self.real.close())
        self.real = open_store(self.path)

    @rule(kind=KINDS, prefix=KEYS, after=KEYS, limit=LIMITS)
    def scan(self, kind: str, prefix: str, after: str, limit: int | None) -> None:
        where: dict[str, Any] = {"prefix": prefix, "after": after, "limit": limit}
        assert self.run(self.model.documents.scan(kind, **where)) == self.run(self.real.documents.scan(kind, **where))

    @rule(kind=KINDS, index=NAMES, value=KEYS, after=KEYS, limit=LIMITS)
    def find(self, kind: str, index: str, value: str, after: str, limit: int | None) -> None:
        modelled = self.run(self.model.documents.find(kind, index, value, after=after, limit=limit))
        assert modelled == self.run(self.real.documents.find(kind, index, value, after=after, limit=limit))

    @rule(kind=KINDS, key=KEYS)
    def get(self, kind: str, key: str) -> None:
        assert self.run(self.model.documents.get(kind, key)) == self.run(self.real.documents.get(kind, key))

    @rule(prefix=QUEUES)
    def names(self, prefix: str) -> None:
        assert self.run(self.model.queue.names(prefix)) == self.run(self.real.queue.names(prefix))

    @rule(queue=QUEUES, after=st.integers(0, 12), limit=LIMITS)
    def read(self, queue: str, after: int, limit: int | None) -> None:
        if after in self.numbers:
            modelled = self.run(self.model.queue.read(queue, after=after, limit=limit))
            stored = self.run(self.real.queue.read(queue, after=self.numbers[after], limit=limit))
            assert [(self.numbers[number], item) for number, item in modelled] == stored

    @invariant()
    def everything_is_the_same(self) -> None:
        for kind in ("thing", "policy"):
            assert self.run(self.model.documents.scan(kind)) == self.run(self.real.documents.scan(kind))
        owners = self.run(self.model.backlogs.owners())
        assert owners == self.run(self.real.backlogs.owners())
        for owner in owners:
            assert self.run(self.model.backlogs.read(owner)) == self.run(self.real.backlogs.read(owner))

    def teardown(self) -> None:
        self.run(self.real.close())
        self.runner.close()
        self.directory.cleanup()


TestEngines = Engines.TestCase
TestEngines.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
