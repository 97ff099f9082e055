"""Compiled code runs where it was compiled from just these sources, and nowhere else."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fogbank import native

ROOT = Path(__file__).parent.parent
SHOW = "from fogbank import native; import fogbank.broker.session as m; print(native.status(), m.__file__, sep='\\n')"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two modules, and what pretends to have been compiled from them."""
    (tmp_path / "broker").mkdir()
    (tmp_path / "clock.py").write_text("a = 1")
    (tmp_path / "broker" / "session.py").write_text("b = 2")
    monkeypatch.delenv(native.PURE, raising=False)
    monkeypatch.setattr(native, "PACKAGE", tmp_path)
    monkeypatch.setattr(native, "PLACE", tmp_path / "_native")
    library = native.place() / (native.LIBRARY + native.SUFFIX)
    library.parent.mkdir(parents=True)
    library.touch()
    monkeypatch.setattr("importlib.util.module_from_spec", lambda spec: spec)
    monkeypatch.setitem(sys.modules, native.LIBRARY, native)  # restored, whatever a test puts there
    return tmp_path


def found() -> list[str]:
    return native.modules.__wrapped__()


def test_what_was_compiled_from_these_sources_comes_first(package: Path) -> None:
    assert found() == [str(native.place())]
    (package / "broker" / "session.pyc").write_text("b = 3")
    assert found() == [str(native.place())]


@pytest.mark.parametrize(
    "edit",
    [
        lambda package: (package / "broker" / "session.py").write_text("b = 3"),
        lambda package: (package / "clock.py").write_text("a = 3"),
        lambda package: (package / "clock.py").rename(package / "watch.py"),
        lambda package: (package / "broker" / "new.py").touch(),
        lambda package: (package / "clock.py").unlink(),
    ],
    ids=["edited", "below edited", "renamed", "added", "removed"],
)
def test_sources_that_have_changed_run_as_they_are(package: Path, edit: Callable[[Path], object]) -> None:
    edit(package)
    assert found() == []


def test_plain_python_can_be_chosen(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.PURE, "1")
    assert found() == []


def test_a_library_that_cannot_be_loaded_is_done_without(
    package: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.undo()
    monkeypatch.delenv(native.PURE, raising=False)
    monkeypatch.setattr(native, "PACKAGE", package)
    monkeypatch.setattr(native, "PLACE", package / "_native")
    assert found() == []
    assert "the hot path runs as plain Python" in caplog.text


@pytest.mark.slow
def test_it_is_compiled_and_falls_back_once_it_is_edited(tmp_path: Path) -> None:
    """In a copy, as an installation does it."""
    for part in ("src", "dev"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("_native", "__pycache__"))
    environment = {name: value for name, value in os.environ.items() if name != native.PURE}

    def run(*command: str, **more: str) -> list[str]:
        settings = environment | {"PYTHONPATH": str(tmp_path / "src")} | more
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=settings, capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stderr
        return done.stdout.splitlines()

    def status(**more: str) -> tuple[str, str]:
        shown, file = run("-c", SHOW, **more)
        return shown, Path(file).suffix

    assert status() == ("plain Python", ".py")
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    assert run("dev/compile.py")[-1] == "Hot path: compiled"
    assert status() == ("compiled", ".so")
    assert status(**{native.PURE: "1"}) == ("plain Python, as FOGBANK_PURE says", ".py")
    with (tmp_path / "src/fogbank/broker/session.py").open("a") as file:
        file.write("# edited\n")
    assert status() == ("plain Python, for the sources have changed since they were compiled", ".py")
