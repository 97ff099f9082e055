"""How contestants are started and stopped, with shell scripts in their place."""

import os
import stat
from pathlib import Path

import pytest
from bench.brokers import BrokerError, fogbank


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


READY = """
while [ "$1" != --ready-file ]; do shift; done
echo '{"pid": '$$', "plain_mqtt": {"host": "127.0.0.1", "port": 4711}, "wss": "more"}' > "$2.new"
mv "$2.new" "$2"
exec sleep 60
"""


def test_fogbank_is_what_its_ready_file_says_and_is_gone_afterwards(tmp_path: Path) -> None:
    command = [str(_script(tmp_path / "up", READY))]
    with fogbank(tmp_path / "data", command, core=None) as broker:
        assert (broker.name, broker.host, broker.port) == ("fogbank", "127.0.0.1", 4711)
        os.kill(broker.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(broker.pid, 0)


def test_a_wrapped_broker_is_ended_before_its_wrapper(tmp_path: Path) -> None:
    """As a profiler is: it must live to write down what it found."""
    inner = _script(tmp_path / "up", READY)
    wrapper = _script(tmp_path / "profile", f'"{inner}" "$@"\necho found > {tmp_path}/profile.txt')
    with fogbank(tmp_path / "data", [str(wrapper)], core=None):
        pass
    assert (tmp_path / "profile.txt").read_text() == "found\n"


def test_a_broker_that_ends_early_is_quoted(tmp_path: Path) -> None:
    command = [str(_script(tmp_path / "up", "echo no such port >&2; exit 3"))]
    with (
        pytest.raises(BrokerError, match=r"fogbank ended with status 3 before it was ready:\nno such port"),
        fogbank(tmp_path / "data", command, core=None),
    ):
        pass


def test_a_missing_command_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(BrokerError, match="cannot run /nowhere/fogbank: No such file"),
        fogbank(tmp_path / "data", ["/nowhere/fogbank"], core=None),
    ):
        pass
