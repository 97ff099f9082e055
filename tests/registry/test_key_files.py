import os
import stat
from pathlib import Path

import pytest

from fogbank.registry.key_files import PRIVATE, PUBLIC, read_private, write_durably


@pytest.mark.parametrize("mode", [PRIVATE, PUBLIC])
def test_a_file_is_written_whole_with_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file.pem"
    write_durably(path, b"one", mode)
    write_durably(path, b"two", mode)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == mode & ~_umask()
    assert [one.name for one in tmp_path.iterdir()] == ["file.pem"]


def test_what_a_killed_writer_left_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / ".file.pem.new").write_bytes(b"half")
    write_durably(tmp_path / "file.pem", b"whole", PRIVATE)
    assert read_private(tmp_path / "file.pem") == b"whole"
    assert [one.name for one in tmp_path.iterdir()] == ["file.pem"]


def test_a_failed_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.pem"
    write_durably(path, b"old", PRIVATE)

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_durably(path, b"new", PRIVATE)
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["file.pem"]


def test_no_file_is_none(tmp_path: Path) -> None:
    assert read_private(tmp_path / "none") is None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
