"""Fixtures for what leaves the platform."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.outbound.moto_server import moto
from tests.outbound.server import Server, serving

__all__ = ["moto"]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keys for servers that take any, and none of the account that runs the tests."""
    nowhere = tmp_path_factory.mktemp("aws") / "none"
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as up:
        yield up
