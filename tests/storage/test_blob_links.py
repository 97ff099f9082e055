import pytest

from fogbank.storage.blob_links import LIFETIME, BlobLinks
from fogbank.testing import FakeClock

DIGEST = "ab" * 32


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_a_link_is_good_for_ten_minutes(clock: FakeClock) -> None:
    links = BlobLinks(clock)
    token = links.token(DIGEST)
    assert links.digest(token) == DIGEST
    await clock.advance(LIFETIME)
    assert links.digest(token) == DIGEST
    await clock.advance(1)
    assert links.digest(token) is None


def test_nobody_else_can_make_one(clock: FakeClock) -> None:
    assert BlobLinks(clock).digest(BlobLinks(clock).token(DIGEST)) is None


@pytest.mark.parametrize("change", ["", "x", "..", "ä", "later", "other", "\ud800"])
def test_a_changed_token_is_none(change: str, clock: FakeClock) -> None:
    links = BlobLinks(clock)
    digest, expiry, signature = links.token(DIGEST).split(".")
    changed = {
        "later": f"{digest}.{int(expiry) + 1}.{signature}",
        "other": f"{'cd' * 32}.{expiry}.{signature}",
    }.get(change, change)
    assert links.digest(changed) is None
