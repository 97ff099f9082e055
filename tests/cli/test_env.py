"""`fogbank env`: lines that every shell takes as they are meant."""

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from tests.cli.server import Server

from fogbank.cli import main
from fogbank.cli.env import SHELLS
from fogbank.ready import Address, Ready

AWKWARD = """it's $HOME `id` "a\\b" !x; # é"""


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={"FOGBANK_DATA": None, **environment}).invoke(main, ["env", *arguments])


def ready(data: Path, pid: int, secret: str = "s3cret") -> None:
    document = Ready(
        pid=pid,
        api="http://127.0.0.1:4566",
        mqtts=Address("127.0.0.1", 8883),
        https=Address("127.0.0.1", 8443),
        wss=Address("127.0.0.1", 8443),
        plain_mqtt=None,
        ca_file="/ca.pem",
        region="eu-west-1",
        account_id="123456789012",
        access_key_id="AKID",
        secret_access_key=secret,
        data_dir=str(data),
    )
    (data / "ready.json").write_bytes(msgspec.json.encode(document))


def test_the_lines(tmp_path: Path) -> None:
    ready(tmp_path, os.getpid())
    result = run("--data", str(tmp_path))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "export AWS_ENDPOINT_URL=http://127.0.0.1:4566",
        "export AWS_ACCESS_KEY_ID=AKID",
        "export AWS_SECRET_ACCESS_KEY=s3cret",
        "export AWS_REGION=eu-west-1",
        "export AWS_DEFAULT_REGION=eu-west-1",
    ]
    assert run(FOGBANK_DATA=str(tmp_path)).stdout == result.stdout


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("sh", """export AWS_SECRET_ACCESS_KEY='it'"'"'s'"""),
        ("fish", """set -gx AWS_SECRET_ACCESS_KEY 'it\\'s'"""),
        ("powershell", """$Env:AWS_SECRET_ACCESS_KEY = 'it''s'"""),
    ],
)
def test_each_shell_quotes_its_own_way(tmp_path: Path, shell: str, line: str) -> None:
    ready(tmp_path, os.getpid(), secret="it's")
    assert line in run("--data", str(tmp_path), "--shell", shell).stdout.splitlines()


@pytest.mark.parametrize("shell", [name for name in ("sh", "bash", "dash", "zsh", "fish") if shutil.which(name)])
def test_a_shell_reads_back_what_was_written(tmp_path: Path, shell: str) -> None:
    ready(tmp_path, os.getpid(), secret=AWKWARD)
    lines = run("--data", str(tmp_path), "--shell", shell if shell in SHELLS else "sh").stdout
    script = lines + 'printf %s "$AWS_SECRET_ACCESS_KEY"'
    assert subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True).stdout == AWKWARD


@pytest.mark.parametrize("state", ["never started", "killed"])
def test_nothing_runs(tmp_path: Path, state: str) -> None:
    if state == "killed":
        gone = subprocess.Popen(["true"])
        gone.wait()
        ready(tmp_path, gone.pid)
    result = run("--data", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"no Fogbank runs on {tmp_path}; start one with `fogbank up --data {tmp_path}`" in result.stderr


def test_a_ready_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ready.json").write_text("{}")
    result = run("--data", str(tmp_path))
    assert result.exit_code == 1
    assert "ready.json cannot be read" in result.stderr


def test_of_a_real_instance(server: Server) -> None:
    script = 'eval "$(fogbank env)" && env'
    done = subprocess.run(["sh", "-c", script], env=server.environment, capture_output=True, text=True, check=True)
    shown = dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("AWS_"))
    assert shown == {name: value for name, value in server.aws_environment.items() if name.startswith("AWS_")}
