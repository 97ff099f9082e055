"""AWS as far as moto has it, as a server on a port of its own: what the tests compare with."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of a moto server, one for each test process."""
    server = pytest.importorskip("moto.server", reason="moto[server] is not installed: pip install 'moto[server]'")
    threaded = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    threaded.start()
    host, port = threaded.get_host_and_port()
    yield f"http://{host}:{port}"
    threaded.stop()
