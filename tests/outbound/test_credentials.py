"""Whose name requests are signed in."""

from pathlib import Path

import pytest

from fogbank.outbound.credentials import CredentialChain
from fogbank.ports import OutboundError


async def test_from_the_environment(credentials: None) -> None:
    found = await CredentialChain(metadata=False).get()
    assert (found.access_key, found.secret_key) == ("AKIDEXAMPLE", "secret")


async def test_from_a_profile(credentials: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = tmp_path / "credentials"
    kept.write_text("[work]\naws_access_key_id = A\naws_secret_access_key = B\naws_session_token = C\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(kept))
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    found = await CredentialChain(metadata=False).get()
    assert (found.access_key, found.secret_key, found.token) == ("A", "B", "C")


async def test_where_there_are_none_the_settings_are_named(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    chain = CredentialChain(metadata=False)
    with pytest.raises(OutboundError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") as told:
        await chain.get()
    assert told.value.code == "NoCredentials"


async def test_a_profile_that_is_not_there(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "gone")
    with pytest.raises(OutboundError, match="gone"):
        await CredentialChain(metadata=False).get()
