"""`fogbank audit` over files as an instance writes them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fogbank.cli.audit import audit


def record(name: str, who: str = "root", **more: Any) -> str:
    identity = {"arn": f"arn:aws:iam::1:{who}", "principalId": "AKIA1", "accessKeyId": "AKIA1"}
    known = {"eventTime": "2026-11-23T10:00:00Z", "eventName": name, "userIdentity": identity}
    return json.dumps(known | more) + "\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "audit"
    directory.mkdir()
    (directory / "audit.ndjson.2").write_text(record("CreateThing", requestParameters={"thingName": "oldest"}))
    (directory / "audit.ndjson.1").write_text(record("DeleteThing", "user/bob", requestParameters={"thingName": "a"}))
    refused = record("DeletePolicy", "user/bob", errorCode="AccessDenied", errorMessage="no\x1b[2J")
    (directory / "audit.ndjson").write_text(refused + record("CreateUser") + '{"torn')
    return tmp_path


def lines(data: Path, *options: str) -> list[str]:
    done = CliRunner().invoke(audit, ["--data", str(data), *options])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def names(data: Path, *options: str) -> list[str]:
    return [json.loads(line)["eventName"] for line in lines(data, "--json", *options)]


def test_all_files_in_order(data: Path) -> None:
    assert names(data) == ["CreateThing", "DeleteThing", "DeletePolicy", "CreateUser"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--count", "2"), ["DeletePolicy", "CreateUser"]),
        (("--who", "bob"), ["DeleteThing", "DeletePolicy"]),
        (("--who", "AKIA1", "--count", "1"), ["CreateUser"]),
        (("--what", "Delete"), ["DeleteThing", "DeletePolicy"]),
        (("--what", "oldest"), ["CreateThing"]),
        (("--refused",), ["DeletePolicy"]),
        (("--who", "bob", "--what", "Thing"), ["DeleteThing"]),
    ],
)
def test_what_is_asked_for(data: Path, options: tuple[str, ...], found: list[str]) -> None:
    assert names(data, *options) == found


def test_a_line_for_a_person(data: Path) -> None:
    first, _, third, _ = lines(data)
    assert first.split() == ["2026-11-23T10:00:00Z", "root", "CreateThing", "thingName=oldest"]
    assert "user/bob" in third
    assert r"AccessDenied: no\x1b[2J" in third, "nobody moves the cursor"


def test_nothing_of_that_kind(data: Path) -> None:
    done = CliRunner().invoke(audit, ["--data", str(data), "--who", "nobody"])
    assert (done.exit_code, done.stdout) == (1, "")


def test_no_log(tmp_path: Path) -> None:
    done = CliRunner().invoke(audit, ["--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "there is no audit log at" in done.output
