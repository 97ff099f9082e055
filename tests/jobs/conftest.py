from collections.abc import AsyncIterator

import pytest
from tests.jobs.bench import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.start()
    yield made
    await made.close()
