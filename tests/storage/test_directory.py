"""The claim on a data directory."""

import stat
from pathlib import Path

import pytest

from fogbank.ports import StorageError
from fogbank.storage.directory import DataDirectory, make_private_directory


def test_a_claim_lasts_until_it_is_released(tmp_path: Path) -> None:
    first = DataDirectory.claim(tmp_path / "data")
    with pytest.raises(StorageError, match="in use by another Fogbank"):
        DataDirectory.claim(tmp_path / "data")
    first.release()
    first.release()
    second = DataDirectory.claim(tmp_path / "data")
    with pytest.raises(StorageError, match="in use"):
        DataDirectory.claim(tmp_path / "data")
    second.release()


def test_a_lock_file_left_behind_is_no_claim(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("4194304\nof a process long gone\n")
    claim = DataDirectory.claim(tmp_path)
    assert "4194304" not in (tmp_path / "lock").read_text()
    claim.release()


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    claim = DataDirectory.claim(Path("data"))
    assert claim.path == tmp_path / "data"
    claim.release()


def test_directories_are_made_private_and_existing_ones_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private_directory(tmp_path / "a" / "b")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o755, 0o700, 0o700]
