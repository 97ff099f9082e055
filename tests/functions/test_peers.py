import errno
import os
import socket
from collections.abc import Iterator

import pytest

from fogbank.functions import peers
from fogbank.functions.peers import belongs_to

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A client's socket and the server's end of it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        yield client, accepted


def test_knows_who_holds_the_other_end(pair: Pair) -> None:
    client, accepted = pair
    assert belongs_to(client.getsockname(), accepted.getsockname(), [2**22 + 1, os.getpid()])
    assert not belongs_to(client.getsockname(), accepted.getsockname(), [os.getppid(), 2**22 + 1])
    assert not belongs_to(client.getsockname(), accepted.getsockname(), [])


def test_nobody_holds_what_is_closed(pair: Pair) -> None:
    client, accepted = pair
    ends = client.getsockname(), accepted.getsockname()
    client.close()
    assert not belongs_to(*ends, [os.getpid()])
    assert not belongs_to(("127.0.0.1", 1), accepted.getsockname(), [os.getpid()])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AttributeError("AF_NETLINK"), True),
        (PermissionError(errno.EPERM, "no"), True),
        (OSError(errno.EPROTONOSUPPORT, "no"), True),
        (TimeoutError("timed out"), True),
        (OSError(errno.ENOENT, "no such socket"), False),
    ],
)
def test_a_kernel_that_does_not_tell_stops_nothing(
    error: Exception, expected: bool, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(peers, "_inode", fail)
    assert belongs_to(pair[0].getsockname(), pair[1].getsockname(), []) is expected
