"""Who may not come in comes again and again: that costs little, leaves nothing behind, and disturbs nobody."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.hostile.mqtt import Client, Closed
from tests.hostile.server import KEY_ID, Server
from tests.hostile.siege import siege, unasked

from fogbank.mqtt import Version
from fogbank.mqtt.packets import Will

THREADS = 4
TIMES = 250
"""For each thread."""
CHEAP = 0.005
"""Seconds of the server's own time for one denial, the connection and its line in the log included; 0.5 ms is usual."""
ONLY_THE_BYSTANDER = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:us-east-1:123456789012:client/bystander"},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Subscribe", "iot:Receive"], "Resource": "*"},
    ],
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets nobody in but the bystander."""
    place = tmp_path_factory.mktemp("guarded")
    policy = place / "policy.json"
    policy.write_text(json.dumps(ONLY_THE_BYSTANDER))
    with Server(place, "--plain-policy", str(policy)) as server:
        yield server


def seconds(server: Server) -> float:
    """Of processor time that the server has taken."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def again_and_again(attempt: Callable[[int], None]) -> None:
    problems: list[BaseException] = []

    def run(worker: int) -> None:
        try:
            for number in range(TIMES):
                attempt(worker * TIMES + number)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(worker,)) for worker in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


@pytest.mark.parametrize("version", Version)
def test_a_policy_that_does_not_allow_it(guarded: Server, version: Version) -> None:
    def attempt(number: int) -> None:
        client = Client(guarded.connect("plain_mqtt"), version)
        with pytest.raises(Closed):
            client.connect(f"denied-{number % 7}", will=Will("estate", b"x" * 1000, 1), username="u", password=b"p")

    with siege(guarded, any_lines=True):
        before, lines = seconds(guarded), len(unasked(guarded))
        again_and_again(attempt)
        assert (seconds(guarded) - before) / (THREADS * TIMES) < CHEAP
    assert len(unasked(guarded)) - lines <= THREADS * TIMES + 1, "one line each at most"


def test_signatures_of_unknown_keys_and_wrong_secrets(guarded: Server) -> None:
    def attempt(number: int) -> None:
        key = (KEY_ID, "wrong") if number % 2 else ("AKIANOBODY", "wrong")
        assert guarded.ask("iotdata", "POST", "/topics/x", b"x" * 100, key=key)[0] == 403

    with siege(guarded, any_lines=True):
        before = seconds(guarded)
        again_and_again(attempt)
        assert (seconds(guarded) - before) / (THREADS * TIMES) < CHEAP
