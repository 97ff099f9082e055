"""What the tests of the benchmark share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def generator() -> Path:
    """The load generator, compiled where it is out of date."""
    from bench.driver import build_generator

    return build_generator()
