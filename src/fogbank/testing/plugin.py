"""The pytest plugin: fixtures for applications that are tested against Fogbank."""

import pytest

from fogbank.testing.clock import FakeClock


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that stands still until the test advances it."""
    return FakeClock()
