"""The benchmark is a program beside the package, not a part of it: its tests put the repository's root on the path."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))


@pytest.fixture(scope="session")
def generator() -> Path:
    """The load generator, compiled where it is out of date."""
    from bench.driver import build_generator

    return build_generator()
