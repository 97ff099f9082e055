from collections.abc import Iterator

import pytest
from tests.cli.server import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A platform for the tests of one file."""
    with serving(tmp_path_factory.mktemp("server") / "data") as running:
        yield running
