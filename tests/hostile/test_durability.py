"""Killed at any moment, and with a full disk: what was acknowledged is there, whole, and goes on from where it was."""

import base64
import http.client
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hostile.certificates import done
from tests.hostile.functions import FUNCTIONS, function, invoke
from tests.hostile.server import Server, eventually
from tests.hostile.siege import tracebacks
from tests.hostile.test_documents import ROLE, zipped

ROUNDS = 3


class Ledger:
    """What the server has acknowledged."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.things: dict[str, dict[str, str]] = {}
        self.attached: dict[str, set[str]] = {}
        self.versions: dict[str, int] = {}
        self.rules: dict[str, str] = {}
        self.policies: set[str] = set()
        self.certificates: set[str] = set()
        self.deleted: set[str] = set()
        self.functions: dict[str, str] = {}
        self.unsure: set[str] = set()
        """Asked for without an answer: may be there or not."""

    def acknowledge(self) -> None:
        with self.lock:
            self.count += 1


def load(server: Server, ledger: Ledger, worker: int, start: int) -> None:
    """Ask for one thing after the other until the server is gone."""
    number = start
    try:
        while True:
            number += 1
            _one_of_each(server, ledger, f"{worker}-{number}")
    except (ConnectionError, http.client.HTTPException, TimeoutError):
        return


def _one_of_each(server: Server, ledger: Ledger, name: str) -> None:
    with ledger.lock:
        ledger.unsure.add(name)
    attributes = {"number": name}
    done(server.ask("iot", "POST", f"/things/{name}", {"attributePayload": {"attributes": attributes}}))
    ledger.things[name] = attributes
    ledger.acknowledge()
    answer = done(server.ask("iot", "POST", "/keys-and-certificate", query="setAsActive=true"))
    arn = answer["certificateArn"]
    ledger.certificates.add(answer["certificateId"])
    ledger.acknowledge()
    done(server.ask("iot", "PUT", f"/things/{name}/principals", headers={"x-amzn-principal": arn}))
    ledger.attached[name] = {arn}
    ledger.acknowledge()
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": name}]}
    )
    done(server.ask("iot", "POST", f"/policies/{name}", {"policyDocument": document}))
    done(server.ask("iot", "PUT", f"/target-policies/{name}", {"target": arn}))
    ledger.policies.add(name)
    ledger.acknowledge()
    for value in range(3):
        shadow = done(
            server.ask("iotdata", "POST", f"/things/{name}/shadow", {"state": {"reported": {"value": value}}})
        )
        ledger.versions[name] = shadow["version"]
        ledger.acknowledge()
    rule = name.replace("-", "_")
    sql = f"SELECT * FROM 'a/{name}'"
    done(server.ask("iot", "POST", f"/rules/r{rule}", {"sql": sql, "actions": []}))
    ledger.rules[f"r{rule}"] = sql
    ledger.acknowledge()
    done(server.ask("iot", "POST", f"/things/gone-{name}", {}))
    done(server.ask("iot", "DELETE", f"/things/gone-{name}"))
    ledger.deleted.add(f"gone-{name}")
    ledger.acknowledge()
    with ledger.lock:
        ledger.unsure.discard(name)


def verify(server: Server, ledger: Ledger) -> None:
    """Everything acknowledged is there, and what hangs together hangs together."""
    for name, attributes in ledger.things.items():
        assert done(server.ask("iot", "GET", f"/things/{name}"))["attributes"] == attributes
    for name, principals in ledger.attached.items():
        assert set(done(server.ask("iot", "GET", f"/things/{name}/principals"))["principals"]) == principals
        [arn] = principals
        things = done(server.ask("iot", "GET", "/principals/things", headers={"x-amzn-principal": arn}))["things"]
        assert things == [name]
    for name in ledger.policies:
        assert done(server.ask("iot", "GET", f"/policies/{name}"))["policyName"] == name
        [arn] = ledger.attached[name]
        targets = done(server.ask("iot", "POST", f"/policy-targets/{name}"))["targets"]
        assert targets == [arn]
    for name, version in ledger.versions.items():
        shadow = done(server.ask("iotdata", "GET", f"/things/{name}/shadow"))
        assert shadow["version"] >= version
        assert shadow["state"]["reported"]["value"] == (shadow["version"] - 1) % 3
    for name, sql in ledger.rules.items():
        assert done(server.ask("iot", "GET", f"/rules/{name}"))["rule"]["sql"] == sql
    for certificate in ledger.certificates:
        described = done(server.ask("iot", "GET", f"/certificates/{certificate}"))
        assert described["certificateDescription"]["status"] == "ACTIVE"
    for name in ledger.deleted:
        assert server.ask("iot", "GET", f"/things/{name}")[0] == 404
    for name in ledger.unsure:  # whatever became of them, they can be used
        if server.ask("iot", "GET", f"/things/{name}")[0] == 200:
            principals = done(server.ask("iot", "GET", f"/things/{name}/principals"))["principals"]
            for arn in principals:
                certificate = arn.rpartition("/")[2]
                assert server.ask("iot", "GET", f"/certificates/{certificate}")[0] == 200, "half attached"


@pytest.mark.parametrize("moment", [7, 40, 111])
def test_killed_under_load(tmp_path: Path, moment: int) -> None:
    ledger = Ledger()
    with Server(tmp_path) as server:
        with function(server, "kept", "def h(e, c): return e['in']"):
            for round_ in range(ROUNDS - 1):
                target = ledger.count + moment
                threads = [
                    threading.Thread(target=load, args=(server, ledger, worker, round_ * 10_000)) for worker in range(4)
                ]
                for thread in threads:
                    thread.start()
                eventually(f"{target} acknowledgements", lambda n=target: ledger.count >= n)  # type: ignore[misc]
                server.kill()
                for thread in threads:
                    thread.join()
                server.start()
                verify(server, ledger)
                assert invoke(server, "kept", round_) == (None, round_)
        assert tracebacks(server.lines()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(path: Path) -> None:
    """Take all the room that there is."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    os.write(descriptor, bytes(size))
            except OSError:
                continue
    finally:
        os.close(descriptor)


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """Errors while it is full, nothing acknowledged is lost, and it goes on by itself when there is room again."""
    acknowledged: dict[str, Any] = {}

    def put(number: int) -> int:
        padding = {"state": {"reported": {"number": number, "padding": "x" * 7000}}}
        status, _, body = server.ask("iotdata", "POST", f"/things/full{number % 50}/shadow", padding)
        if status == 200:
            acknowledged[f"full{number % 50}"] = (number, json.loads(body)["version"])
        else:
            assert status in (500, 503), body
        return status

    with Server(tmp_path, data=small_disk / "data") as server:
        assert [put(number) for number in range(50)] == [200] * 50
        filler = small_disk / "filler"
        fill(filler)
        statuses = [put(number) for number in range(50, 1500)]
        assert set(statuses) - {200}, "the disk was never full"
        assert server.healthy()
        code = os.urandom(3 << 20)
        body = {"FunctionName": "big", "Runtime": "python3.11", "Role": ROLE, "Handler": "h.h"}
        zip_file = base64.b64encode(zipped({"h.py": b"def h(e, c): pass", "data": code})).decode()
        assert server.ask("lambda", "POST", FUNCTIONS, body | {"Code": {"ZipFile": zip_file}})[0] in (500, 503)
        assert (
            tracebacks([line for line in server.lines() if "cannot write" not in line and "No space left" not in line])
            == []
        )
        assert len([line for line in server.lines() if line.startswith("cannot write")]) <= 1, "the log says it once"
        filler.unlink()
        assert put(1500) == 200
        eventually("every write succeeds", lambda: put(1501) == 200)
        server.kill()
        server.start()
        for name, (number, version) in acknowledged.items():
            shadow = done(server.ask("iotdata", "GET", f"/things/{name}/shadow"))
            assert shadow["version"] >= version
            assert shadow["version"] > version or shadow["state"]["reported"]["number"] == number
        assert server.ask("lambda", "GET", f"{FUNCTIONS}/big")[0] == 404
        status, _, answer = server.ask("lambda", "POST", FUNCTIONS, body | {"Code": {"ZipFile": zip_file}})
        assert status == 201, answer
