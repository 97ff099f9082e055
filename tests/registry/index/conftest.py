"""A fleet index over a registry in memory, with a clock that stands still."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.registry.index.fleet import Fleet, Site

from fogbank.arns import Arns
from fogbank.registry.own_ca import OwnCa
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock


@pytest.fixture
def site(documents: MemoryDocuments, tmp_path: Path, clock: FakeClock, arns: Arns, own_ca: OwnCa) -> Site:
    return Site(documents, tmp_path, clock, arns, own_ca)


@pytest.fixture
async def fleet(site: Site) -> AsyncIterator[Fleet]:
    async with site.up() as fleet:
        yield fleet
