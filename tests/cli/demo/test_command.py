"""The command from outside: what it leaves behind (nothing) and how it ends."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from fogbank.cli import main
from fogbank.cli.demo import story
from fogbank.cli.demo.inbox import NotSeen
from fogbank.cli.demo.stage import Stage


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo makes its directory."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {which: signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for which, handler in before.items():
        signal.signal(which, handler)


def start(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "fogbank.cli", "demo", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(f"the demo ended without {words!r}")


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_without_the_device_sdk_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    assert result.output == "Error: the demo's device needs AWS's IoT Device SDK: pip install 'fogbank[demo]'\n"


def test_a_step_that_does_not_come_true_is_told_and_ends_it(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chapter(stage: Stage) -> None:
        raise NotSeen("the sun within 1 s", "rain")

    monkeypatch.setattr(story, "CHAPTERS", (chapter,))
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    assert "expected: the sun within 1 s" in result.output
    assert "seen:     rain" in result.output
    assert "platform's log: fogbank is ready" in result.output
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "how"),
    [
        ("is ready after", signal.SIGINT),
        ("is switched on: process", signal.SIGTERM),
        ("deploys", signal.SIGINT),
        ("is killed", signal.SIGHUP),
    ],
)
def test_interrupted_anywhere_it_cleans_up(temporary: Path, words: str, how: signal.Signals) -> None:
    process = start()
    platform = int(read_until(process, "as process").rpartition(" ")[2])
    if words != "is ready after":
        read_until(process, words)
    process.send_signal(how)
    rest, _ = process.communicate(timeout=20)
    assert "Traceback" not in rest
    assert process.returncode == 130
    assert not runs(platform)
    assert list(temporary.iterdir()) == []


def test_a_reader_that_goes_away_leaves_nothing_behind(temporary: Path) -> None:
    process = start()
    platform = int(read_until(process, "as process").rpartition(" ")[2])
    assert process.stdout is not None
    process.stdout.close()
    process.wait(20)
    assert not runs(platform)
    assert list(temporary.iterdir()) == []


def test_kept_it_says_how_to_look_around_and_shows_what_happens(temporary: Path) -> None:
    process = start("--keep")
    platform = int(read_until(process, "as process").rpartition(" ")[2])
    data = read_until(process, "fogbank env").split()[-1].rstrip(')"')
    read_until(process, "fogbank sql eval")
    environment = subprocess.run(
        [sys.executable, "-m", "fogbank.cli", "env", "--data", data], capture_output=True, text=True, check=True
    ).stdout
    variables = dict(re.findall(r"^export (\w+)=(\S+)$", environment, re.M))
    code = "import boto3; boto3.client('iot').create_thing(thingName='visitor'); \
        boto3.client('iot-data').update_thing_shadow(thingName='visitor', payload='{\"state\": {}}')"
    subprocess.run([sys.executable, "-c", code], env=os.environ | variables, check=True)
    read_until(process, "success visitor: update: version 1")
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=20)
    assert "The platform has ended" in rest
    assert process.returncode == 0
    assert not runs(platform)
    assert list(temporary.iterdir()) == []
