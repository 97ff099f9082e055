"""Access keys: made once, given, replaced, kept; and secrets that never show."""

import re
from pathlib import Path

import pytest

from fogbank.identity.access_keys import AccessKeyRecord, AccessKeys, InvalidAccessKey, Status
from fogbank.settings import AccessKey
from fogbank.storage import Store, memory_store, open_store
from fogbank.testing import FakeClock

GIVEN = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
OTHER = AccessKey("test", "test")


@pytest.fixture
def store() -> Store:
    return memory_store()


def started(store: Store, clock: FakeClock) -> AccessKeys:
    """What a start of the platform makes of what the one before it stored."""
    return AccessKeys(store.documents, clock)


async def test_the_first_start_makes_a_pair_of_awss_form(store: Store, fake_clock: FakeClock) -> None:
    keys = started(store, fake_clock)
    made = await keys.ensure_first(None)
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", made.id)
    assert re.fullmatch(r"[A-Za-z0-9/+]{40}", made.secret)
    assert keys.record(made.id) == AccessKeyRecord(made.id, made.secret, Status.ACTIVE, fake_clock.time(), first=True)
    assert keys.get("AKIAAAAAAAAAAAAAAAAA") is None


async def test_two_accounts_never_share_a_pair(fake_clock: FakeClock) -> None:
    pairs = [await started(memory_store(), fake_clock).ensure_first(None) for _ in range(50)]
    assert len({pair.id for pair in pairs}) == len({pair.secret for pair in pairs}) == 50


@pytest.mark.parametrize("given", [None, GIVEN])
async def test_later_starts_find_the_pair_again(store: Store, fake_clock: FakeClock, given: AccessKey | None) -> None:
    first = await started(store, fake_clock).ensure_first(given)
    [written] = await store.documents.scan("access-key")
    await fake_clock.advance(60)
    again = started(store, fake_clock)
    assert await again.ensure_first(None) == first
    assert await again.ensure_first(first) == first
    assert again.get(first.id) is not None
    assert await store.documents.scan("access-key") == [written], "a start that changes nothing writes nothing"


async def test_the_pair_survives_on_disk(tmp_path: Path, fake_clock: FakeClock) -> None:
    store = open_store(tmp_path)
    made = await started(store, fake_clock).ensure_first(None)
    await store.close()
    store = open_store(tmp_path)
    assert await started(store, fake_clock).ensure_first(None) == made
    await store.close()


async def test_a_given_pair_takes_the_place_of_the_one_before(store: Store, fake_clock: FakeClock) -> None:
    made = await started(store, fake_clock).ensure_first(None)
    keys = started(store, fake_clock)
    assert await keys.ensure_first(GIVEN) == GIVEN
    for later in (keys, started(store, fake_clock)):
        assert await later.ensure_first(None) == GIVEN
        assert later.get(made.id) is None, "the replaced key no longer works"
        assert later.get(GIVEN.id) is not None


async def test_a_pair_given_before_works_again_when_given_again(store: Store, fake_clock: FakeClock) -> None:
    keys = started(store, fake_clock)
    for pair in (GIVEN, OTHER, GIVEN):
        assert await keys.ensure_first(pair) == pair
    assert keys.get(GIVEN.id) is not None
    assert keys.get(OTHER.id) is None


async def test_a_new_secret_for_the_same_id(store: Store, fake_clock: FakeClock) -> None:
    keys = started(store, fake_clock)
    await keys.ensure_first(GIVEN)
    await keys.ensure_first(AccessKey(GIVEN.id, "changed"))
    assert await started(store, fake_clock).ensure_first(None) == AccessKey(GIVEN.id, "changed")
    record = keys.record(GIVEN.id)
    assert record is not None
    assert record.secret == "changed"


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (AccessKey("", "secret"), "access key ID '' must be"),
        (AccessKey("a/b", "secret"), "access key ID 'a/b' must be"),
        (AccessKey("a,b", "secret"), "access key ID 'a,b' must be"),
        (AccessKey("é", "secret"), "access key ID 'é' must be"),
        (AccessKey("a\n", "secret"), "must be 1 to 128 letters"),
        (AccessKey("a" * 129, "secret"), "must be 1 to 128 letters"),
        (AccessKey("key", ""), "the secret of access key 'key' must be"),
        (AccessKey("key", "se cret"), "the secret of access key 'key' must be"),
        (AccessKey("key", "secret\n"), "the secret of access key 'key' must be"),
    ],
)
async def test_a_pair_that_no_request_could_be_signed_with_is_refused(
    store: Store, fake_clock: FakeClock, given: AccessKey, what: str
) -> None:
    before = await started(store, fake_clock).ensure_first(None)
    with pytest.raises(InvalidAccessKey, match=what) as caught:
        await started(store, fake_clock).ensure_first(given)
    assert not given.secret or given.secret not in str(caught.value)
    assert await started(store, fake_clock).ensure_first(None) == before


def test_the_secret_does_not_show() -> None:
    record = AccessKeyRecord("key", "the-secret", Status.ACTIVE, 0.0)
    assert "the-secret" not in repr(record) + str(record) + f"{[record]}" + repr(AccessKey("key", "the-secret"))
