"""What `fogbank up` makes of its options. What it does then is in tests/e2e/test_up.py."""

import os
import resource
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from fogbank.cli import main
from fogbank.cli import up as module
from fogbank.settings import AccessKey, Endpoints, Limits, Secret, Settings

AMBIENT = (
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "FOGBANK_ACCESS_KEY",
    "FOGBANK_CALL_AWS",
    "FOGBANK_CA_PASSPHRASE",
    "FOGBANK_DATA",
    "XDG_DATA_HOME",
)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that a server would have been started with."""
    taken: list[Settings] = []
    monkeypatch.setattr("fogbank.cli.logs.set_up_logging", lambda *_, **__: None)
    monkeypatch.setattr(module, "_run", taken.append)
    return taken


def up(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={**dict.fromkeys(AMBIENT), **environment}).invoke(main, ["up", *arguments])


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {}, {"api_port": 4566, "mqtt_port": 8883, "https_port": 8443, "plain_mqtt_port": None}),
        ([], {}, {"host": "127.0.0.1", "region": "us-east-1", "account_id": "123456789012", "limits": Limits.AWS}),
        ([], {"AWS_DEFAULT_REGION": "a"}, {"region": "a"}),
        ([], {"AWS_DEFAULT_REGION": "a", "AWS_REGION": "b"}, {"region": "b"}),
        (["--region", "c"], {"AWS_DEFAULT_REGION": "a", "AWS_REGION": "b"}, {"region": "c"}),
        (["--access-key", "ID:se:cret"], {}, {"access_key": AccessKey("ID", "se:cret")}),
        ([], {"FOGBANK_ACCESS_KEY": "ID:secret"}, {"access_key": AccessKey("ID", "secret")}),
        (["--limits", "open"], {}, {"limits": Limits.OPEN}),
        ([], {}, {"endpoints": Endpoints()}),
        ([], {"AWS_ENDPOINT_URL_SQS": "http://q/"}, {"endpoints": Endpoints(urls={"sqs": "http://q"})}),
        ([], {"AWS_ENDPOINT_URL": "http://a"}, {"endpoints": Endpoints(default="http://a")}),
        ([], {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, {"endpoints": Endpoints()}),  # what `fogbank env` says
        (["--api-port", "1"], {"AWS_ENDPOINT_URL": "http://localhost:1"}, {"endpoints": Endpoints()}),
        (
            ["--api-port", "1"],
            {"AWS_ENDPOINT_URL": "http://localhost:2"},
            {"endpoints": Endpoints(default="http://localhost:2")},
        ),
        ([], {"FOGBANK_CALL_AWS": "1"}, {"endpoints": Endpoints(aws=True)}),
        (["--limits", "strict"], {}, {"limits": Limits.STRICT}),
        ([], {}, {"connections_per_principal": None, "check_roles": False}),
        (
            ["--connections-per-principal", "3", "--check-roles"],
            {},
            {"connections_per_principal": 3, "check_roles": True},
        ),
        (["--plain-mqtt-port", "0"], {}, {"plain_mqtt_port": 0, "plain_policy": None}),
        ([], {}, {"ca_passphrase": None}),
        ([], {"FOGBANK_CA_PASSPHRASE": "correct horse"}, {"ca_passphrase": Secret("correct horse")}),
    ],
)
def test_options_become_settings(
    started: list[Settings],
    tmp_path: Path,
    arguments: list[str],
    environment: dict[str, str],
    expected: dict[str, Any],
) -> None:
    result = up("--data", str(tmp_path / "data"), *arguments, **environment)
    assert result.exit_code == 0, result.output
    [settings] = started
    assert {name: getattr(settings, name) for name in expected} == expected
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_the_cas_passphrase_may_be_in_a_file_that_is_private(started: list[Settings], tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery\n")
    file.chmod(0o600)
    arguments = ("--data", str(tmp_path / "data"), "--ca-passphrase-file", str(file))
    assert up(*arguments).exit_code == 0
    assert started[0].ca_passphrase == Secret("correct horse battery")
    assert "correct horse" not in repr(started[0])
    both = up(*arguments, FOGBANK_CA_PASSPHRASE="another one")
    assert (both.exit_code, "give one of them" in both.output) == (2, True)
    file.chmod(0o644)
    exposed = up(*arguments)
    assert (exposed.exit_code, "can be read by others" in exposed.output) == (1, True)
    assert len(started) == 1


def test_functions_do_not_inherit_the_passphrase(started: list[Settings], tmp_path: Path) -> None:
    left: list[str | None] = []

    @click.command()
    def look() -> None:
        left.append(os.environ.get("FOGBANK_CA_PASSPHRASE"))

    runner = CliRunner(env={**dict.fromkeys(AMBIENT), "FOGBANK_CA_PASSPHRASE": "correct horse"})
    with runner.isolation(env=runner.env):
        module.up.main(["--data", str(tmp_path / "data")], standalone_mode=False)
        look.main([], standalone_mode=False)
    assert left == [None]


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"FOGBANK_DATA": "{}/own", "XDG_DATA_HOME": "{}/xdg"}, "own"),
        ({"XDG_DATA_HOME": "{}/xdg", "HOME": "{}"}, "xdg/fogbank"),
        ({"HOME": "{}"}, ".local/share/fogbank"),
    ],
)
def test_where_everything_is_kept_by_default(
    started: list[Settings], tmp_path: Path, environment: dict[str, str], place: str
) -> None:
    assert up(**{name: value.format(tmp_path) for name, value in environment.items()}).exit_code == 0
    assert started[0].data_dir == tmp_path / place


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--account-id", "１２３４５６７８９０１２"], "is not twelve digits"),
        (["--access-key", ":secret"], "give the access key as ID:SECRET"),
        (["--plain-policy", "{}"], "needs --plain-mqtt-port"),
        (["--mqtt-port", "-1"], "is not in the range"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    started: list[Settings], tmp_path: Path, arguments: list[str], says: str
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text("{}")
    result = up("--data", str(tmp_path / "data"), *(one.format(policy) if one == "{}" else one for one in arguments))
    assert (result.exit_code, result.stdout, started) == (2, "", [])
    assert says in result.stderr
    assert not (tmp_path / "data").exists()


def test_it_takes_all_the_descriptors_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 524_288))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    module.raise_descriptor_limit()
    assert asked == [(524_288, 524_288)]


def test_and_does_without_where_it_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    module.raise_descriptor_limit()


def test_an_endpoint_that_is_none_is_refused_by_its_name(started: list[Settings], tmp_path: Path) -> None:
    done = up("--data", str(tmp_path), AWS_ENDPOINT_URL_SQS="localhost:9324")
    assert done.exit_code == 1
    assert "AWS_ENDPOINT_URL_SQS must be the URL of an HTTP server" in done.output
    assert started == []
