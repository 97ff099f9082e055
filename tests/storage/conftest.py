"""The engines, each as the `store` of a test, so that one statement of the contract holds them all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fogbank.storage import Store, memory_store, open_store


@pytest.fixture(params=["memory", "embedded"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened = memory_store() if request.param == "memory" else open_store(tmp_path / "data")
    yield opened
    await opened.close()
