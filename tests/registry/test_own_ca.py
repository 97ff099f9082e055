import stat
from pathlib import Path

from fogbank.registry.own_ca import OwnCa
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
