from pathlib import Path

import pytest

from fogbank.ports import Delete, Put, StaleVersion
from fogbank.storage import known, open_store
from fogbank.storage.group import Group
from fogbank.storage.known import KnownDocuments

A, B = ("kind", "a"), ("kind", "b")


def group(*changes: Put | Delete, versions: dict[tuple[str, str], int] | None = None) -> Group:
    made = Group(versions or {}, 1)
    made.apply(changes)
    return made


def test_what_was_written_is_known() -> None:
    documents = KnownDocuments()
    assert documents.versions([A]) == {}
    assert documents.may_be_indexed(A), "as long as nothing is known"
    documents.learn(group(Put(*A, b"1"), Put(*B, b"1", indexes={"by": ["x"]})))
    assert documents.versions([A, B, ("kind", "c")]) == {A: 1, B: 1}
    assert (documents.may_be_indexed(A), documents.may_be_indexed(B)) == (False, True)


def test_what_was_removed_is_known_to_be_gone() -> None:
    documents = KnownDocuments()
    documents.learn(group(Put(*A, b"1", indexes={"by": ["x"]})))
    documents.learn(group(Delete(*A), versions={A: 1}))
    assert documents.versions([A]) == {A: 0}
    assert not documents.may_be_indexed(A)


def test_after_a_failure_nothing_is_known() -> None:
    documents = KnownDocuments()
    documents.learn(group(Put(*A, b"1")))
    documents.forget()
    assert documents.versions([A]) == {}


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST", 2)
    documents = KnownDocuments()
    for key in "abcde":
        documents.learn(group(Put("kind", key, b"1")))
    assert len(documents._known) <= 2


async def test_entries_of_an_index_go_whether_or_not_the_document_is_known(tmp_path: Path) -> None:
    for restart in (False, True):
        store = open_store(tmp_path)
        documents = store.documents
        await documents.commit(Put(*A, b"1", indexes={"by": ["x"]}))
        if restart:
            await store.close()
            store = open_store(tmp_path)
            documents = store.documents
        await documents.commit(Put(*A, b"2"))
        assert await documents.find("kind", "by", "x") == []
        await documents.commit(Put(*A, b"3", indexes={"by": ["y"]}))
        await documents.commit(Put(*A, b"4", indexes={"by": ["z"]}))
        assert await documents.find("kind", "by", "y") == []
        assert [record.body for record in await documents.find("kind", "by", "z")] == [b"4"]
        await documents.commit(Delete(*A))
        await store.close()


async def test_a_failed_compare_and_set_leaves_what_is_known_right(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    documents = store.documents
    await documents.commit(Put(*A, b"1"))
    for _ in range(2):
        with pytest.raises(StaleVersion, match="at version 1, expected 7"):
            await documents.commit(Put(*A, b"2", expect=7), Put(*B, b"2"))
    assert await documents.commit(Put(*A, b"2", expect=1), Put(*B, b"1", expect=0)) == [2, 1]
    await store.close()
