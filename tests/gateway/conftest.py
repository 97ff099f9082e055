import pytest
from tests.gateway.data_plane import DataPlane


@pytest.fixture
async def plane() -> DataPlane:
    return DataPlane()
