"""One server for each worker, attacked by one test after the other."""

import re
from collections.abc import Iterator

import pytest
from tests.hostile.certificates import ALLOW_ALL, Credentials, issue
from tests.hostile.server import Server
from tests.hostile.siege import log_file, repeated_warnings, tracebacks


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """At the end it has written no traceback, not even to its log file."""
    with Server(tmp_path_factory.mktemp("hostile")) as server:
        yield server
    assert tracebacks(server.lines()) == []
    assert repeated_warnings(server.lines()) == []
    logged = log_file(server).read_text() if log_file(server).exists() else ""
    assert not re.search(r"^Traceback", logged, re.MULTILINE)
    assert server.process.returncode == 0


@pytest.fixture(scope="session")
def permitted(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """A registered certificate with all rights."""
    return issue(server, tmp_path_factory.mktemp("certificates"), "permitted", ALLOW_ALL)
