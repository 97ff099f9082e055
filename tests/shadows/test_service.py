import asyncio
import logging
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.shadows.conftest import Bench

from fogbank.errors import (
    Conflict,
    InternalFailure,
    InvalidRequest,
    ResourceNotFound,
    ServiceError,
    ServiceUnavailable,
    Throttling,
)
from fogbank.message import Origin
from fogbank.ports import Put, StorageError
from fogbank.settings import Limits
from fogbank.shadows.operations import TOMBSTONE_SECONDS, Outcome, Request, apply
from fogbank.shadows.service import SWEEP_SECONDS, ShadowService
from fogbank.shadows.topics import Operation, ShadowId
from fogbank.shadows.writer import TURN
from fogbank.storage.memory import MemoryDocuments

LAMP = ShadowId("lamp")


def ask(service: ShadowService, request: Request) -> asyncio.Future[bytes]:
    """Hand a request over, without waiting for its turn."""
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def done(answer: bytes | ServiceError) -> None:
        if isinstance(answer, ServiceError):
            answered.set_exception(answer)
        else:
            answered.set_result(answer)

    service.submit(request, done)
    return answered


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


class TestOrder:
    async def test_concurrent_writers_lose_no_update(self, bench: Bench) -> None:
        accepted = await asyncio.gather(*(bench.report(**{f"k{number}": number}) for number in range(100)))
        assert sorted(answer["version"] for answer in accepted) == list(range(1, 101))
        document = await bench.get()
        assert document["version"] == 100
        assert document["state"]["reported"] == {f"k{number}": number for number in range(100)}

    async def test_the_order_of_calls_is_the_order_of_versions_of_answers_and_of_messages(self, bench: Bench) -> None:
        answered: list[int] = []

        async def report(number: int) -> None:
            answered.append((await bench.report(last=number))["state"]["reported"]["last"])

        for _ in range(3):
            await asyncio.gather(*(report(number) for number in range(20)))
        assert answered == list(range(20)) * 3
        for kind in ("accepted", "documents"):
            versions = [
                one["version"] if kind == "accepted" else one["current"]["version"] for one in bench.published.of(kind)
            ]
            assert versions == list(range(1, 61))

    async def test_even_while_the_shadow_is_read_for_the_first_time(self, bench: Bench) -> None:
        await bench.report(last=0)
        service = bench.restarted()
        pending = []
        for number in range(1, 10):
            payload = msgspec.json.encode({"state": {"reported": {"last": number}}})
            pending.append(ask(service, Request(LAMP, Operation.UPDATE, payload)))
            await asyncio.sleep(0)
        answers = [msgspec.json.decode(answer) for answer in await asyncio.gather(*pending)]
        assert [answer["state"]["reported"]["last"] for answer in answers] == list(range(1, 10))
        assert (await bench.get())["state"]["reported"]["last"] == 9

    async def test_a_get_sees_every_update_before_it(self, bench: Bench) -> None:
        update = asyncio.ensure_future(bench.report(on=True))
        await asyncio.sleep(0)
        assert (await bench.get())["state"]["reported"] == {"on": True}
        assert update.done()

    async def test_of_writers_with_a_version_one_wins(self, bench: Bench) -> None:
        await bench.report(on=True)
        update: dict[str, Any] = {"state": {"reported": {"on": False}}, "version": 1}
        results = await asyncio.gather(*(bench.update(**update) for _ in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [dict, Conflict, Conflict, Conflict, Conflict]

    @settings(max_examples=40)
    @given(st.lists(st.tuples(st.sampled_from(["update", "get", "delete", "pause", "restart"]), st.integers(0, 3))))
    async def test_any_interleaving_is_as_one_after_the_other(self, steps: list[tuple[str, int]]) -> None:
        """Requests handed over without waiting end as a plain dictionary would, treated to them in turn."""
        bench = Bench()
        state: dict[str, int] = {}
        version, exists = 0, False
        done: list[asyncio.Future[bytes]] = []
        expected: list[tuple[int, dict[str, int] | None] | None] = []
        for step, key in steps:
            if step == "pause":
                await asyncio.sleep(0)
                continue
            if step == "restart":
                await asyncio.gather(*done, return_exceptions=True)
                bench.restarted()
                continue
            number = len(done)
            payload = msgspec.json.encode({"state": {"reported": {f"k{key}": number}}})
            done.append(ask(bench.service, Request(LAMP, Operation(step), payload)))
            if step == "update":
                state[f"k{key}"], version, exists = number, version + 1, True
            expected.append((version, dict(state) if step == "get" else None) if exists else None)
            if step == "delete":
                state, exists = {}, False
        for answer, wanted in zip(await asyncio.gather(*done, return_exceptions=True), expected, strict=True):
            if wanted is None:
                assert isinstance(answer, ResourceNotFound)
            else:
                assert isinstance(answer, bytes)
                document = msgspec.json.decode(answer)
                assert document["version"] == wanted[0]
                assert wanted[1] is None or document["state"]["reported"] == wanted[1]


class TestDurability:
    async def test_nothing_is_told_before_it_is_on_disk(self, bench: Bench) -> None:
        bench.documents.open.clear()
        update = asyncio.ensure_future(bench.report(on=True))
        await settle()
        assert len(bench.documents.commits) == 1
        assert not update.done()
        assert not bench.published
        bench.documents.open.set()
        await update
        assert bench.published.kinds() == ["update/accepted", "update/documents"]

    async def test_what_was_accepted_survives_a_restart(self, bench: Bench) -> None:
        await bench.update(state={"desired": {"on": True}, "reported": {"on": False}})
        await bench.update(name="night", state={"reported": {"on": 1}})
        before = await bench.get()
        bench.restarted()
        assert await bench.get() == before
        assert (await bench.get(name="night"))["state"] == {"reported": {"on": 1}}

    async def test_who_waits_shares_a_commit(self, bench: Bench) -> None:
        await asyncio.gather(*(bench.report(**{f"k{number}": number}) for number in range(50)))
        assert len(bench.documents.commits) == 1
        assert bench.documents.reads == 1

    async def test_a_failed_commit_is_told_and_forgotten(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        await bench.report(on=True)
        bench.published.clear()
        bench.documents.failure = StorageError("disk full")
        service = bench.service
        refused = ask(service, Request(LAMP, Operation.UPDATE, b'{"state": {}, "clientToken": "t"}', Origin("c")))
        with pytest.raises(InternalFailure, match="Internal service failure"):
            await refused
        assert bench.published.of("rejected") == [
            {"code": 500, "message": "Internal service failure", "timestamp": 1_700_000_000, "clientToken": "t"}
        ]
        assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
            (logging.ERROR, "shadows cannot be written: disk full; callers affected: 1")
        ]
        bench.documents.failure = None
        reads = bench.documents.reads
        assert (await bench.get())["version"] == 1
        assert bench.documents.reads == reads + 1, "the state is read again: the write may have reached the disk"
        assert (await bench.report(on=False))["version"] == 2

    async def test_a_failed_read_is_told(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        async def broken(*_: object) -> None:
            raise RuntimeError("torn")

        monkeypatch.setattr(bench.documents, "get", broken)
        with pytest.raises(InternalFailure):
            await bench.get()
        monkeypatch.undo()
        with pytest.raises(ResourceNotFound):
            await bench.get()

    async def test_a_record_changed_by_others_is_read_again(self, bench: Bench) -> None:
        await bench.report(a=1)
        other = Bench()
        other.documents = bench.documents
        other.restarted()
        assert (await other.report(b=1))["version"] == 2
        assert (await bench.report(c=1))["version"] == 3
        assert (await other.get())["version"] == 2, "a cache does not see what others write; a write does"
        assert (await other.report(d=1))["version"] == 4
        assert (await other.get())["state"]["reported"] == {"a": 1, "b": 1, "c": 1, "d": 1}

    async def test_one_that_others_change_all_the_time_is_given_up(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit = bench.documents.commit

        async def overtaken(*changes: Put) -> list[int]:
            await MemoryDocuments.commit(bench.documents, Put("shadow", "lamp/", b'{"version": 1, "timestamp": 1}'))
            return await commit(*changes)

        monkeypatch.setattr(bench.documents, "commit", overtaken)
        with pytest.raises(InternalFailure):
            await bench.report(on=True)

    async def test_who_leaves_does_not_undo(self, bench: Bench) -> None:
        bench.documents.open.clear()
        leaving = asyncio.ensure_future(bench.report(on=True))
        await settle()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        bench.documents.open.set()
        assert (await bench.get())["state"]["reported"] == {"on": True}
        assert "update/accepted" in bench.published.kinds()


class TestPublishing:
    async def test_trouble_with_publishing_keeps_nobody_from_the_answer(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.published.failure = StorageError("the journal is full")
        assert (await bench.report(on=True))["version"] == 1
        assert "publishing the answers of shadows failed" in caplog.text

    async def test_what_nobody_subscribes_to_is_not_put_together(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fogbank.shadows.answers.documents", lambda *_: 1 / 0)
        bench.published.unheard = ("/documents", "/accepted")
        await bench.update(state={"desired": {"on": True}})
        assert bench.published.kinds() == ["update/delta"]

    async def test_a_cache_too_small_for_anything_changes_nothing(self) -> None:
        bench = Bench(cache_bytes=0)
        await asyncio.gather(*(bench.report(**{f"k{number}": number}) for number in range(5)))
        await bench.report(last=1)
        assert (await bench.get())["version"] == 6

    async def test_the_trace_has_every_outcome(self, bench: Bench) -> None:
        await bench.report(on=True)
        with pytest.raises(InvalidRequest):
            await bench.update(state=1)
        told = [(event.kind, event.status, event.name, event.reason) for event in bench.events]
        assert told == [
            ("shadow", "success", "lamp", "update: version 1"),
            ("shadow", "failure", "lamp", "update: State node must be an object"),
        ]


class TestDeletion:
    async def test_versions_go_on_for_48_hours(self, bench: Bench) -> None:
        await bench.report(on=True)
        assert (await bench.delete())["version"] == 1
        with pytest.raises(ResourceNotFound):
            await bench.get()
        await bench.clock.advance(TOMBSTONE_SECONDS - 1)
        bench.restarted()
        assert (await bench.report(off=True))["version"] == 2
        assert (await bench.get())["state"]["reported"] == {"off": True}

    @pytest.mark.parametrize("restart", [False, True])
    async def test_and_then_start_over(self, bench: Bench, restart: bool) -> None:
        await bench.report(on=True)
        await bench.report(on=True)
        await bench.delete()
        await bench.clock.advance(TOMBSTONE_SECONDS)
        if restart:
            bench.restarted()
        assert (await bench.report(on=True))["version"] == 1

    async def test_the_sweep_removes_only_what_is_forgotten(self, bench: Bench) -> None:
        for thing in ("old", "back", "kept", "young"):
            await bench.update(thing, state={})
        await bench.delete("old")
        await bench.delete("back")
        await bench.clock.advance(TOMBSTONE_SECONDS)
        await bench.delete("young")
        await bench.update("back", state={})
        assert await bench.service.sweep() == 1
        assert [record.key for record in await bench.documents.scan("shadow")] == ["back/", "kept/", "young/"]
        assert (await bench.update("old", state={}))["version"] == 1, "held in memory as deleted, and gone on disk"

    async def test_house_is_kept_every_hour_even_after_a_failure(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        await bench.update("old", state={})
        await bench.delete("old")
        await bench.clock.advance(TOMBSTONE_SECONDS)
        bench.documents.failure = StorageError("busy")
        bench.service.start()
        await bench.clock.advance(1)
        assert "next try in 3600 s" in caplog.text
        bench.documents.failure = None
        await bench.clock.advance(SWEEP_SECONDS)
        assert not await bench.documents.scan("shadow")
        await bench.service.close()


class TestNames:
    async def test_pages_leave_out_the_classic_and_the_deleted(self, bench: Bench) -> None:
        await bench.update("lam", "x", state={})
        await bench.update("lamp", None, state={})
        for number in range(9):
            await bench.update("lamp", f"n{number}", state={})
        for number in (1, 2, 3, 8):
            await bench.delete("lamp", f"n{number}")
        pages = [await bench.service.names("lamp", 2)]
        while (token := pages[-1].next_token) is not None:
            pages.append(await bench.service.names("lamp", 2, token))
        assert [page.names for page in pages] == [["n0", "n4"], ["n5", "n6"], ["n7"]]

    async def test_a_full_last_page_ends_the_list(self, bench: Bench) -> None:
        for name in ("a", "b"):
            await bench.update("lamp", name, state={})
        page = await bench.service.names("lamp", 2)
        assert (page.names, page.next_token) == (["a", "b"], None)

    async def test_of_nothing_and_of_nonsense(self, bench: Bench) -> None:
        page = await bench.service.names("nobody", 10)
        assert (page.names, page.next_token) == ([], None)
        with pytest.raises(InvalidRequest, match="nextToken"):
            await bench.service.names("lamp", 10, "../x")
        with pytest.raises(InvalidRequest, match="thingName"):
            await bench.service.names("a/b", 10)


class TestLife:
    async def test_names_that_cannot_be_are_refused_at_once(self, bench: Bench) -> None:
        with pytest.raises(InvalidRequest, match="thingName"):
            await bench.get("a/b")
        with pytest.raises(InvalidRequest, match="shadowName"):
            await bench.get("a", "b c")
        assert bench.documents.reads == 0

    async def test_closing_finishes_what_was_taken(self, bench: Bench) -> None:
        bench.service.start()
        update = ask(bench.service, Request(LAMP, Operation.UPDATE, b'{"state": {}}'))
        await bench.service.close()
        assert update.done()
        assert bench.published.kinds() == ["update/accepted", "update/documents"]
        with pytest.raises(ServiceUnavailable):
            await bench.get()

    async def test_a_fault_of_who_looks_on_keeps_nobody_waiting(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        def faulty(event: object) -> None:
            raise RuntimeError("a listener that breaks its promise")

        bench.trace.listen(faulty)
        answers = await asyncio.gather(bench.report(a=1), bench.report(b=1))
        assert [answer["version"] for answer in answers] == [1, 2]
        assert "shadow lamp: a listener of the trace failed" in caplog.text

    async def test_a_fault_with_one_request_spares_the_others(
        self, bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def faulty(request: Request, *rest: Any) -> Outcome:
            return apply(request, *rest) if b"bad" not in request.payload else 1 / 0  # type: ignore[return-value]

        monkeypatch.setattr("fogbank.shadows.writer.apply", faulty)
        answers = await asyncio.gather(
            bench.report(a=1), bench.report(bad=1), bench.report(b=1), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [dict, InternalFailure, dict]
        assert "shadow lamp: update failed unexpectedly" in caplog.text
        assert (await bench.get())["state"]["reported"] == {"a": 1, "b": 1}

    async def test_nothing_stays_behind(self, bench: Bench) -> None:
        for number in range(100):
            await bench.update(f"t{number}", state={})
        await settle()
        assert not bench.service._writer._waiting
        assert not bench.service._writer._working


class TestRates:
    async def test_the_excess_is_told_by_the_way_it_came(self) -> None:
        bench = Bench(Limits.STRICT)
        answers = await asyncio.gather(*(bench.report(n=number) for number in range(21)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [dict] * 20 + [Throttling]
        bench.published.clear()
        with pytest.raises(Throttling, match="Too Many Requests"):
            await ask(bench.service, Request(LAMP, Operation.GET, b'{"clientToken": "t"}', Origin("c")))
        [rejected] = bench.published.of("get/rejected")
        assert (rejected["code"], rejected["message"], rejected["clientToken"]) == (429, "Too Many Requests", "t")
        await bench.clock.advance(1)
        assert (await bench.get())["version"] == 20


class TestReading:
    """The port ShadowReader."""

    async def test_of_a_thing_there_is_every_shadow_that_is_not_deleted(self, bench: Bench) -> None:
        await bench.update(state={"desired": {"on": True}, "reported": {"on": False}})
        await bench.update(name="$night", state={"reported": {"x": 1}})
        await bench.update(name="gone", state={})
        await bench.delete(name="gone")
        await bench.update("lamp2", state={})
        found = await bench.service.of_thing("lamp")
        assert set(found) == {None, "$night"}
        assert found[None] == {
            key: value for key, value in (await bench.get()).items() if key in ("state", "metadata", "version")
        }
        assert found["$night"]["state"] == {"reported": {"x": 1}}
        assert await bench.service.of_thing("nobody") == {}

    async def test_watchers_are_told_once_a_commit_of_what_is_written(self, bench: Bench) -> None:
        told: list[tuple[str, str | None]] = []
        bench.service.watch(lambda thing, name: told.append((thing, name)))
        await asyncio.gather(*(bench.report(n=number) for number in range(5)), bench.update("door", "x", state={}))
        assert told == [("lamp", None), ("door", "x")]
        await bench.get()
        with pytest.raises(InvalidRequest):
            await bench.update(state=1)
        assert len(told) == 2
        await bench.delete()
        assert told[2:] == [("lamp", None)]

    async def test_they_see_what_is_on_disk(self, bench: Bench) -> None:
        seen: list[object] = []

        def look(thing: str, name: str | None) -> None:
            record = bench.documents._records["shadow", f"{thing}/{name or ''}"][0]
            seen.append(msgspec.json.decode(record.body)["version"])

        bench.service.watch(look)
        await bench.report(a=1)
        await bench.report(a=2)
        assert seen == [1, 2]

    async def test_they_are_told_of_a_commit_that_failed_too(self, bench: Bench) -> None:
        told: list[str] = []
        bench.service.watch(lambda thing, _: told.append(thing))
        bench.documents.failure = StorageError("disk full")
        with pytest.raises(InternalFailure):
            await bench.report(a=1)
        assert told == ["lamp"]

    async def test_one_that_fails_disturbs_nobody(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        told: list[str] = []
        bench.service.watch(lambda *_: 1 / 0)  # type: ignore[arg-type]
        bench.service.watch(lambda thing, _: told.append(thing))
        assert (await bench.report(a=1))["version"] == 1
        assert told == ["lamp"]
        assert "shadow lamp: a listener failed" in caplog.text


class TestTurns:
    async def test_shadows_share_a_commit(self, bench: Bench) -> None:
        await asyncio.gather(*(bench.update(f"t{number}", state={}) for number in range(TURN)))
        assert len(bench.documents.commits) == 1
        assert [message.topic.split("/")[2] for message in bench.published][::2] == [f"t{n}" for n in range(TURN)]

    async def test_large_ones_are_spread_over_several(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So that nobody else on the event loop waits for all of them."""
        monkeypatch.setattr("fogbank.shadows.writer.TURN_BYTES", 10_000)
        bench = Bench()
        answers = await asyncio.gather(*(bench.report(x="x" * 4000, n=number) for number in range(9)))
        assert [answer["version"] for answer in answers] == list(range(1, 10))
        assert [answer["state"]["reported"]["n"] for answer in answers] == list(range(9))
        assert 3 <= len(bench.documents.commits) <= 9

    async def test_one_that_cannot_be_read_spares_the_others(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        await MemoryDocuments.commit(bench.documents, Put("shadow", "torn/", b"{"))
        answers = await asyncio.gather(
            bench.update("torn", state={}), bench.update("lamp", state={}), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [InternalFailure, dict]
        assert "shadow torn cannot be read" in caplog.text

    @settings(max_examples=30, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["mqtt", "http"]),
                st.sampled_from(["a", "b"]),
                st.sampled_from(["none", "current", "stale"]),
                st.integers(0, 3),
            ),
            min_size=1,
            max_size=60,
        )
    )
    async def test_many_writers_lose_no_update_and_versions_have_no_gap(
        self, steps: list[tuple[str, str, str, int]]
    ) -> None:
        """Each step is a writer of its own, with a version or without, that starts after some turns of the loop."""
        bench = Bench()
        accepted: dict[str, list[int]] = {"a": [], "b": []}

        async def write(number: int, way: str, thing: str, versioned: str) -> None:
            update: dict[str, Any] = {
                "state": {"desired": {"never": 1}, "reported": {f"w{number}": number}},
                "clientToken": str(number),
            }
            if versioned != "none":
                known = max(accepted[thing], default=0)
                update["version"] = known if versioned == "current" else known + 1000
            origin = Origin(f"w{number}") if way == "mqtt" else None
            request = Request(ShadowId(thing), Operation.UPDATE, msgspec.json.encode(update), origin)
            try:
                answer = msgspec.json.decode(await ask(bench.service, request))
            except Conflict:
                assert versioned != "none"
            else:
                assert versioned != "stale"
                accepted[thing].append(answer["version"])
                winners[thing][f"w{number}"] = number

        winners: dict[str, dict[str, int]] = {"a": {}, "b": {}}
        writers = []
        for number, (way, thing, versioned, pause) in enumerate(steps):
            writers.append(asyncio.ensure_future(write(number, way, thing, versioned)))
            for _ in range(pause):
                await asyncio.sleep(0)
        await asyncio.gather(*writers)
        for thing, versions in accepted.items():
            expected = list(range(1, len(versions) + 1))
            assert versions == expected
            if not versions:
                continue
            shadow = await bench.get(thing)
            assert (shadow["version"], shadow["state"]["reported"]) == (len(versions), winners[thing])
            for kind in ("update/accepted", "update/delta", "update/documents"):
                told = [
                    msgspec.json.decode(message.payload)
                    for message in bench.published
                    if message.topic == f"$aws/things/{thing}/shadow/{kind}"
                ]
                assert [one.get("version") or one["current"]["version"] for one in told] == expected
