"""`fogbank` itself: quick, and clear about what it does not know."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from fogbank import __version__, native
from fogbank.cli import COMMANDS, main

HEAVY = ("boto3", "botocore", "apsw", "uvloop", "OpenSSL", "cryptography", "rich", "starlette", "lark", "awscrt")


def test_every_command_is_listed_and_has_help() -> None:
    listed = CliRunner().invoke(main, ["--help"])
    assert listed.exit_code == 0
    for name in COMMANDS:
        assert f"  {name} " in listed.stdout
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_the_version() -> None:
    shown = CliRunner().invoke(main, ["--version"]).stdout
    assert shown == f"fogbank {__version__}\nhot path: {native.status()}\n"


def test_an_unknown_command() -> None:
    result = CliRunner().invoke(main, ["upp"])
    assert result.exit_code == 2
    assert "No such command 'upp'" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["up", "--help"],
        ["thing", "create", "--help"],
        ["policy", "simulate", "--help"],
        ["trace", "--help"],
    ],
)
def test_asking_for_help_loads_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom fogbank.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        f"sys.exit(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "fogbank.cli", "--version"], capture_output=True, check=True)
    assert done.stdout.startswith(b"fogbank ")
