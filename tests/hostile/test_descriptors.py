"""More connections than the process may have descriptors: who is connected stays served, and it recovers."""

import resource
import socket
from pathlib import Path

from tests.hostile.server import Server, eventually
from tests.hostile.siege import Bystander, tracebacks


def test_out_of_descriptors(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        bystander = Bystander(server)
        room = server.descriptors() + 100
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (room, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        links: list[socket.socket] = [server.connect("plain_mqtt") for _ in range(300)]
        eventually("all descriptors are taken", lambda: server.descriptors() >= room - 1)
        eventually("a few more rounds of the bystander", lambda n=bystander.rounds: bystander.rounds > n + 20)  # type: ignore[misc]
        for link in links:
            link.close()
        eventually("descriptors come back", lambda: server.descriptors() < room - 90)
        with server.client("late") as client:
            client.ping()
        bystander.leave()
        assert bystander.slowest < 2
        assert len(server.lines()) < 20, server.lines()[:20]
        assert tracebacks(server.lines()) == []
