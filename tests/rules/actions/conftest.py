"""Fixtures of the actions' tests."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import boto3
import pytest
import pytest_asyncio
from tests.outbound.conftest import credentials, server
from tests.outbound.moto_server import moto
from tests.rules.actions.workbench import Workbench, reaching

from fogbank.testing import FakeClock

__all__ = ["credentials", "moto", "server"]


@pytest.fixture
def aws(moto: str, credentials: None) -> Callable[[str], Any]:
    """Boto3 clients of moto, by the service: what an application would read with."""
    return lambda service: boto3.client(service, endpoint_url=moto, region_name="us-east-1")


@pytest_asyncio.fixture
async def bench(moto: str, credentials: None) -> AsyncIterator[Workbench]:
    """Rules whose actions reach moto."""
    outbound = reaching(moto)
    made = Workbench(outbound)
    yield made
    await made.tasks.close()
    await outbound.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest_asyncio.fixture
async def recorded(clock: FakeClock) -> AsyncIterator[Workbench]:
    """Rules whose actions reach nothing: what they would do is recorded."""
    made = Workbench(clock=clock)
    yield made
    await made.tasks.close()
