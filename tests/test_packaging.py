"""The lock, the Makefile and the floors of the newcomer's way in."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NAME = re.compile(r"[\w.-]+")


def names(requirements: list[str]) -> set[str]:
    found = (NAME.match(one) for one in requirements)
    return {one[0].lower().replace("_", "-") for one in found if one is not None}


def pins(lock: Path) -> dict[str, str]:
    """Name to the pin with its hashes."""
    entries = re.split(r"\n(?=[a-z])", lock.read_text())
    return {entry.partition("==")[0]: entry for entry in entries}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_the_lock_holds_hashes_and_no_addresses(lock: Path) -> None:
    for name, entry in pins(lock).items():
        assert re.match(r"[a-z0-9.-]+==\S+ (;[^\\]+ )?\\\n    --hash=sha256:[0-9a-f]{64}", entry), name
    assert not re.search(r"://|--(index|extra|find|trusted)|/simple|@ ", lock.read_text())


def test_the_lock_has_all_that_the_project_asks_for() -> None:
    runtime, dev = (pins(lock) for lock in LOCKS)
    project = PROJECT["project"]
    build = {*names(PROJECT["dependency-groups"]["build"]), *names(PROJECT["build-system"]["requires"])}
    assert names(project["dependencies"]) | names(project["optional-dependencies"]["demo"]) | build <= runtime.keys()
    assert names(project["optional-dependencies"]["dev"]) - {"fogbank"} <= dev.keys()
    assert {name: pin.partition(" ")[0] for name, pin in runtime.items()}.items() <= {
        name: pin.partition(" ")[0] for name, pin in dev.items()
    }.items()


def test_make_alone_lists_what_there_is() -> None:
    listed = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in listed.splitlines() if line.startswith("  make ")} >= {
        "demo",
        "test",
        "lint",
        "bench",
        "lock",
        "clean",
        "help",
    }


def test_a_python_that_is_missing_is_said_in_words(tmp_path: Path) -> None:
    """In a copy, since here the environment exists."""
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    for lock in LOCKS:
        (tmp_path / lock.name).touch()
    (tmp_path / "pyproject.toml").touch()
    command = ["make", "-C", str(tmp_path), "demo", "PYTHON="]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stdout + done.stderr


def test_the_server_imports_neither_boto3_nor_botocore() -> None:
    """They cost hundreds of milliseconds and tens of megabytes: the models are read as data."""
    script = "import sys, fogbank.app; sys.exit(' '.join({'boto3', 'botocore', 'rich', 'lark'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("broken", ["lint", "test", None])
def test_ci_runs_lint_and_test_and_fails_where_either_does(tmp_path: Path, broken: str | None) -> None:
    """With a Makefile that only says what was asked of it: what is compiled is tested as plain Python, too."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    goals = [f"{goal}:\n\t@echo {goal}{'; false' if goal == broken else ''}\n" for goal in ("lint", "test")]
    (tmp_path / "Makefile").write_text("".join(goals))
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("mosquitto", "bwrap"):  # so that nothing is installed
        (tools / name).symlink_to(sys.executable)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment = {**outside, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    command = [tmp_path / ".ci" / "run"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["lint", "test", "test"]
    assert done.returncode == (0 if broken is None else 1)
