"""The rules of the account: what is refused, what is kept, and in which order things happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fogbank.errors import InvalidRequest, ResourceAlreadyExists, Unauthorized
from fogbank.ports import Delete, Expect, Put, StorageError
from fogbank.registry.tags import Tags
from fogbank.rules.definition import DEFAULT_SQL_VERSION
from fogbank.rules.errors import ConflictingResourceUpdate, SqlParse
from fogbank.rules.service import TopicRules
from fogbank.storage.memory import MemoryDocuments

if TYPE_CHECKING:
    from tests.rules.conftest import Platform

Action = dict[str, Any]


async def test_what_was_created_can_be_read(platform: Platform, invoke: Callable[[str], Action]) -> None:
    await platform.rules.create(
        "r", {"sql": "SELECT * FROM 'a/+'", "actions": [invoke("f")], "description": "d", "errorAction": invoke("g")}
    )
    rule = await platform.rules.get("r")
    assert (rule.name, rule.topic_filter, rule.created_at) == ("r", "a/+", platform.clock.time())
    payload = rule.payload
    assert payload.actions == (invoke("f"),)
    assert payload.error_action == invoke("g")
    assert payload.description == "d"
    assert payload.rule_disabled is False
    assert payload.aws_iot_sql_version == DEFAULT_SQL_VERSION == "2015-10-08"
    assert platform.rules.arn("r") == "arn:aws:iot:us-east-1:123456789012:rule/r"


async def test_a_name_is_given_once(platform: Platform) -> None:
    await platform.create("r", "SELECT * FROM 'a'")
    with pytest.raises(ResourceAlreadyExists) as refused:
        await platform.create("r", "SELECT * FROM 'b'")
    assert refused.value.members == {"resourceId": "r", "resourceArn": platform.rules.arn("r")}
    assert platform.router.filters == ["a"]


async def test_what_is_refused_is_not_kept(platform: Platform, invoke: Callable[[str], Action]) -> None:
    with pytest.raises(InvalidRequest, match="rule name"):
        await platform.create("with-hyphen", "SELECT * FROM 'a'")
    with pytest.raises(SqlParse):
        await platform.create("r", "SELECT")
    with pytest.raises(InvalidRequest, match='action "salesforce" is not supported yet'):
        await platform.create("r", "SELECT * FROM 'a'", invoke("f"), {"salesforce": {"url": "u", "token": "t"}})
    assert (await platform.rules.list()).rules == []
    assert platform.router.filters == []


async def test_unknown_rules(platform: Platform) -> None:
    payload = {"sql": "SELECT * FROM 'a'", "actions": []}
    for attempt in (
        platform.rules.get("r"),
        platform.rules.replace("r", payload),
        platform.rules.delete("r"),
        platform.rules.enable("r"),
        platform.rules.disable("r"),
    ):
        with pytest.raises(Unauthorized, match="Access to topic rule 'r' was denied"):
            await attempt


async def test_the_quota_of_rules(platform: Platform) -> None:
    tags = Tags(platform.documents, platform.arns)
    rules = TopicRules(platform.documents, platform.engine, platform.arns, platform.clock, tags=tags, max_rules=2)
    payload = {"sql": "SELECT * FROM 'a'", "actions": []}
    await rules.create("a", payload)
    await rules.create("b", payload)
    with pytest.raises(InvalidRequest, match="2 rules"):
        await rules.create("c", payload)
    await rules.delete("a")
    await rules.create("c", payload)


async def test_listing_by_name_page_by_page(platform: Platform) -> None:
    names = [f"r{number}" for number in range(5)]
    for name in reversed(names):
        await platform.create(name, "SELECT * FROM 'a'")
    seen, token = [], None
    while True:
        page = await platform.rules.list(limit=2, token=token)
        seen.append([rule.name for rule in page.rules])
        token = page.next_token
        if token is None:
            break
    assert seen == [["r0", "r1"], ["r2", "r3"], ["r4"]]
    assert (await platform.rules.list(limit=5)).next_token is None


async def test_listing_those_a_topic_reaches_or_in_one_state(platform: Platform) -> None:
    await platform.create("one", "SELECT * FROM 'a/+'")
    await platform.create("two", "SELECT * FROM 'a/b'", ruleDisabled=True)
    await platform.create("three", "SELECT * FROM 'c'")

    async def names(**arguments: Any) -> set[str]:
        return {rule.name for rule in (await platform.rules.list(**arguments)).rules}

    assert await names(topic="a/b") == {"one", "two"}
    assert await names(topic="a/+") == {"one"}
    assert await names(disabled=True) == {"two"}
    assert await names(disabled=False) == {"one", "three"}
    assert await names(topic="a/b", disabled=False) == {"one"}


@pytest.mark.parametrize("token", ["nonsense!", "AAAA", "ü", ""])
async def test_tokens_that_were_never_given_out(platform: Platform, token: str) -> None:
    with pytest.raises(InvalidRequest, match="nextToken"):
        await platform.rules.list(token=token)


async def test_replacing_replaces_all_but_name_and_creation_date(
    platform: Platform, invoke: Callable[[str], Action]
) -> None:
    await platform.create("r", "SELECT * FROM 'a'", description="d", ruleDisabled=True, errorAction=invoke("g"))
    created_at = platform.clock.time()
    await platform.clock.advance(10)
    await platform.rules.replace("r", {"sql": "SELECT * FROM 'b'", "actions": []})
    rule = await platform.rules.get("r")
    assert (rule.created_at, rule.topic_filter) == (created_at, "b")
    assert (rule.payload.description, rule.payload.rule_disabled, rule.payload.error_action) == (None, False, None)


async def test_a_wrong_replacement_changes_nothing(platform: Platform) -> None:
    await platform.create("r", "SELECT * FROM 'a'")
    with pytest.raises(SqlParse):
        await platform.rules.replace("r", {"sql": "SELECT", "actions": []})
    assert platform.router.filters == ["a"]
    assert (await platform.rules.get("r")).payload.sql == "SELECT * FROM 'a'"


class SlowDocuments(MemoryDocuments):
    """Commits only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = asyncio.Event()

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        await self.disk.wait()
        return await super().commit(*changes)


async def test_nothing_runs_before_it_is_on_disk(platform: Platform, invoke: Callable[[str], Action]) -> None:
    platform.documents = documents = SlowDocuments()
    await platform.restart()
    creating = asyncio.create_task(platform.create("r", "SELECT * FROM 't'", invoke("f")))
    await platform.send("t", {})
    assert not creating.done()
    assert platform.router.filters == []
    documents.disk.set()
    await creating
    assert platform.router.filters == ["t"]


async def test_two_changes_of_one_rule_at_a_time_conflict(platform: Platform) -> None:
    platform.documents = documents = SlowDocuments()
    await platform.restart()
    first = asyncio.create_task(platform.create("r", "SELECT * FROM 'a'"))
    other = asyncio.create_task(platform.create("s", "SELECT * FROM 's'"))
    await platform.clock.advance(0)
    with pytest.raises(ConflictingResourceUpdate):
        await platform.create("r", "SELECT * FROM 'b'")
    documents.disk.set()
    await asyncio.gather(first, other)
    await platform.rules.replace("r", {"sql": "SELECT * FROM 'c'", "actions": []})
    assert sorted(platform.router.filters) == ["c", "s"]


async def test_a_caller_who_hangs_up_does_not_part_store_and_engine(platform: Platform) -> None:
    platform.documents = documents = SlowDocuments()
    await platform.restart()
    creating = asyncio.create_task(platform.create("r", "SELECT * FROM 't'"))
    await platform.clock.advance(0)
    creating.cancel()
    await platform.clock.advance(0)
    assert creating.cancelled()
    documents.disk.set()
    await platform.rules.close()
    assert platform.router.filters == ["t"]
    assert (await platform.rules.get("r")).topic_filter == "t"


class UncertainDocuments(MemoryDocuments):
    """Reports every commit as failed, though some reach the disk."""

    reaches_disk = True

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        if self.reaches_disk:
            await super().commit(*changes)
        raise StorageError("the disk is full")


@pytest.mark.parametrize("reaches_disk", [True, False])
async def test_after_a_write_of_unknown_end_what_runs_is_what_is_stored(
    platform: Platform, reaches_disk: bool, caplog: pytest.LogCaptureFixture
) -> None:
    platform.documents = documents = UncertainDocuments()
    documents.reaches_disk = reaches_disk
    await platform.restart()
    with pytest.raises(StorageError):
        await platform.create("r", "SELECT * FROM 't'")
    assert platform.router.filters == (["t"] if reaches_disk else [])
    assert caplog.text == ""
    if reaches_disk:
        with pytest.raises(StorageError):
            await platform.rules.delete("r")
        assert platform.router.filters == []


async def test_a_change_by_another_process_is_a_conflict(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    await platform.create("r", "SELECT * FROM 'a'")
    tags = Tags(platform.documents, platform.arns)
    other = TopicRules(platform.documents, platform.engine, platform.arns, platform.clock, tags=tags)
    find = other._find

    async def find_then_lose(name: str) -> Any:
        found = await find(name)
        await platform.rules.disable(name)
        return found

    monkeypatch.setattr(other, "_find", find_then_lose)
    with pytest.raises(ConflictingResourceUpdate):
        await other.delete("r")
    with pytest.raises(ConflictingResourceUpdate):
        await other.replace("r", {"sql": "SELECT * FROM 'b'", "actions": []})
    rule = await platform.rules.get("r")
    assert (rule.topic_filter, rule.payload.rule_disabled) == ("a", True)
