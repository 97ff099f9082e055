import stat
from pathlib import Path

import pytest

from fogbank.registry.key_files import ExposedKey
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.passphrase import FILE, WrongPassphrase
from fogbank.testing.clock import FakeClock


def test_the_data_directory_holds_two_authorities_and_the_server(ca_directory: Path, clock: FakeClock) -> None:
    files = OwnCa(ca_directory, clock).server(["localhost"])
    assert {one.name: stat.S_IMODE(one.stat().st_mode) & 0o077 == 0 for one in ca_directory.iterdir()} == {
        "ca.pem": False,
        "ca.key": True,
        "device-ca.pem": False,
        "device-ca.key": True,
        "server.pem": True,
    }
    assert stat.S_IMODE(ca_directory.stat().st_mode) == 0o700
    assert files.ca == ca_directory / "ca.pem"
    assert files.ca.read_bytes().count(b"BEGIN CERTIFICATE") == 1


def test_opening_again_keeps_every_file(ca_directory: Path, clock: FakeClock) -> None:
    OwnCa(ca_directory, clock).server(["localhost"])
    before = {one.name: one.read_bytes() for one in ca_directory.iterdir()}
    OwnCa(ca_directory, clock).server(["localhost"])
    assert {one.name: one.read_bytes() for one in ca_directory.iterdir()} == before


GIVEN = "what the operator gave"


def test_without_a_passphrase_one_is_made_beside_the_directory(ca_directory: Path, clock: FakeClock) -> None:
    OwnCa(ca_directory, clock)
    file = ca_directory.with_name(FILE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().strip()) >= 43
    assert file.read_text().strip() not in (ca_directory / "ca.key").read_text()


def test_moved_elsewhere_and_named_it_opens_the_keys(ca_directory: Path, clock: FakeClock) -> None:
    OwnCa(ca_directory, clock)
    file = ca_directory.with_name(FILE)
    secret = file.read_text()
    file.unlink()
    with pytest.raises(WrongPassphrase, match="ca-passphrase-file"):
        OwnCa(ca_directory, clock)
    assert not file.exists(), "no other one is made in its place"
    OwnCa(ca_directory, clock, secret)


def test_named_where_it_is_it_stays(ca_directory: Path, clock: FakeClock) -> None:
    OwnCa(ca_directory, clock)
    file = ca_directory.with_name(FILE)
    OwnCa(ca_directory, clock, file.read_text())
    OwnCa(ca_directory, clock)


def test_a_passphrase_that_is_given_later_takes_the_others_place(ca_directory: Path, clock: FakeClock) -> None:
    OwnCa(ca_directory, clock)
    before = {name: (ca_directory / name).read_bytes() for name in ("ca.pem", "device-ca.pem")}
    OwnCa(ca_directory, clock, GIVEN)
    assert not ca_directory.with_name(FILE).exists()
    OwnCa(ca_directory, clock, GIVEN)
    for wrong in (None, "something else entirely"):
        with pytest.raises(WrongPassphrase, match=r"ca\.key"):
            OwnCa(ca_directory, clock, wrong)
    assert {name: (ca_directory / name).read_bytes() for name in before} == before


def test_a_kill_between_the_keys_leaves_both_openable(ca_directory: Path, clock: FakeClock, tmp_path: Path) -> None:
    """One key under the given passphrase, the other still under our own."""
    OwnCa(ca_directory, clock)
    file = ca_directory.with_name(FILE)
    ours, device_key = file.read_bytes(), (ca_directory / "device-ca.key").read_bytes()
    OwnCa(ca_directory, clock, GIVEN)
    (ca_directory / "device-ca.key").write_bytes(device_key)
    file.write_bytes(ours)
    file.chmod(0o600)
    OwnCa(ca_directory, clock, GIVEN)
    OwnCa(ca_directory, clock, GIVEN)


@pytest.mark.parametrize("given", ["", "short", "x" * 1024])
def test_bad_passphrases_are_refused(ca_directory: Path, clock: FakeClock, given: str) -> None:
    with pytest.raises(WrongPassphrase, match="12 to 1023 bytes"):
        OwnCa(ca_directory, clock, given)
    assert list(ca_directory.iterdir()) == []


@pytest.mark.parametrize("mode", [0o750, 0o707, 0o770])
def test_a_directory_that_is_open_to_others_is_refused(ca_directory: Path, clock: FakeClock, mode: int) -> None:
    OwnCa(ca_directory, clock)
    ca_directory.chmod(mode)
    with pytest.raises(ExposedKey, match="chmod it to 700"):
        OwnCa(ca_directory, clock)
