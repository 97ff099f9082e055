import stat
from pathlib import Path

import click
import pytest

from fogbank.cli.device_files import DeviceFiles

CA = b"ca\n"


def test_three_files_the_key_for_its_owner_alone(tmp_path: Path) -> None:
    files = DeviceFiles(tmp_path / "new" / "certs", "lamp")
    files.check(CA)
    files.write("certificate", "key", CA)
    found = {path.name: path.read_text() for path in files.directory.iterdir()}
    assert found == {"lamp.cert.pem": "certificate", "lamp.private.key": "key", "ca.pem": "ca\n"}
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_two_devices_share_the_ca(tmp_path: Path) -> None:
    for name in ("a", "b"):
        files = DeviceFiles(tmp_path, name)
        files.check(CA)
        files.write("certificate", "key", CA)
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("there", ["lamp.cert.pem", "lamp.private.key", "ca.pem"])
def test_what_is_there_is_not_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    files = DeviceFiles(tmp_path, "lamp")
    with pytest.raises(click.ClickException, match=there):
        files.check(CA)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("there", ["lamp.cert.pem", "lamp.private.key"])
def test_not_even_what_comes_between_looking_and_writing(tmp_path: Path, there: str) -> None:
    files = DeviceFiles(tmp_path, "lamp")
    files.check(CA)
    (tmp_path / there).write_text("mine")
    with pytest.raises(click.ClickException, match="exists and is not overwritten"):
        files.write("certificate", "key", CA)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {there: "mine"}


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lamp.private.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(click.ClickException, match="exists"):
        DeviceFiles(tmp_path, "lamp").check(CA)


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "certs").write_text("")
    with pytest.raises(OSError, match="certs"):
        DeviceFiles(tmp_path / "certs", "lamp").check(CA)


def test_a_colon_which_names_of_things_may_have(tmp_path: Path) -> None:
    assert DeviceFiles(tmp_path, "hall:lamp").key.name == "hall_lamp.private.key"
