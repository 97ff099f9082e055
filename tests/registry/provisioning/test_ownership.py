"""Ownership tokens: nobody makes one up, uses another's or an old one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.ports import StaleVersion
from fogbank.registry.provisioning.errors import InvalidOwnershipToken
from fogbank.registry.provisioning.ownership import LIFETIME, OwnershipTokens, new_secret, token_of
from fogbank.registry.provisioning.records import Outcome, ProvisioningRecords
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock

ID = "ab" * 32


@pytest.fixture
async def token(tokens: OwnershipTokens, documents: MemoryDocuments) -> str:
    secret = new_secret()
    await documents.commit(*tokens.issuing(ID, secret, "claim"))
    return token_of(ID, secret)


async def test_it_is_known_for_an_hour(tokens: OwnershipTokens, token: str, clock: FakeClock) -> None:
    assert LIFETIME == 3600  # developer guide, fleet-provision-api
    assert (await tokens.open(token, "claim")).key == ID
    await clock.advance(LIFETIME - 1)
    await tokens.open(token, "claim")
    await clock.advance(1)
    with pytest.raises(InvalidOwnershipToken, match="expired"):
        await tokens.open(token, "claim")


async def test_whose_it_is(tokens: OwnershipTokens, token: str) -> None:
    with pytest.raises(InvalidOwnershipToken, match="another principal"):
        await tokens.open(token, "other")


async def test_without_any(tokens: OwnershipTokens) -> None:
    """The words that AWS answered somebody's device with."""
    with pytest.raises(InvalidOwnershipToken, match=r"^Certificate ownership token cannot be empty\.$"):
        await tokens.open("", "claim")


async def test_each_character_matters(tokens: OwnershipTokens, token: str) -> None:
    for at, character in enumerate(token):
        wrong = token[:at] + ("A" if character != "A" else "B") + token[at + 1 :]
        if at == len(token) - 1:
            continue  # it has bits that do not
        with pytest.raises(InvalidOwnershipToken):
            await tokens.open(wrong, "claim")


async def test_what_is_none(tokens: OwnershipTokens, token: str) -> None:
    for wrong in (token[:-4], token + "AAAA", "x", "=" * 86, "ü" * 86, "\0" * 86, token_of("cd" * 32, b"x" * 32)):
        with pytest.raises(InvalidOwnershipToken, match="not valid"):
            await tokens.open(wrong, "claim")


async def test_the_secret_is_not_stored(token: str, provisioning_records: ProvisioningRecords) -> None:
    stored = await provisioning_records.ownerships.get(ID)
    assert stored is not None
    assert stored.value.token not in token
    assert token not in repr(stored)


async def test_one_that_has_changed_meanwhile_is_not_used(
    tokens: OwnershipTokens, token: str, documents: MemoryDocuments, provisioning_records: ProvisioningRecords
) -> None:
    opened = await tokens.open(token, "claim")
    await provisioning_records.ownerships.delete(ID)
    with pytest.raises(StaleVersion):
        await documents.commit(tokens.using(opened, Outcome(request="r", thing="lamp", configuration={})))


async def test_what_has_become_of_it(tokens: OwnershipTokens, token: str, documents: MemoryDocuments) -> None:
    outcome = Outcome(request="r", thing="lamp", configuration={})
    await documents.commit(tokens.using(await tokens.open(token, "claim"), outcome))
    assert (await tokens.open(token, "claim")).value.outcome == outcome


@given(st.text(max_size=100))
async def test_any_text_is_refused(text: str) -> None:
    tokens = OwnershipTokens(ProvisioningRecords(MemoryDocuments()), FakeClock())
    with pytest.raises(InvalidOwnershipToken):
        await tokens.open(text, "claim")
