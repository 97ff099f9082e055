import datetime
import ipaddress
import socket
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509

from fogbank.registry.own_ca import OwnCa
from fogbank.registry.server_certificate import BadServerName, ServerFiles, server_names
from fogbank.testing.clock import FakeClock

DAY = 24 * 3600


@pytest.fixture
def authorities(ca_directory: Path, clock: FakeClock) -> OwnCa:
    return OwnCa(ca_directory, clock)


def _certificate(files: ServerFiles) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def _handshake(files: ServerFiles, name: str) -> str | None:
    """The TLS version that a strict client which trusts only our CA and a server with these files agree on."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(files.certificate, files.key)
    client_context = ssl.create_default_context(cafile=str(files.ca))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    pending = [client, server]
    for _ in range(20):
        for one in list(pending):
            try:
                one.do_handshake()
                pending.remove(one)
            except ssl.SSLWantReadError:
                pass
    assert not pending
    return client.version()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "broker.example", "192.0.2.7"])
def test_clients_that_trust_the_ca_reach_the_server_by_its_names(ca_directory: Path, name: str) -> None:
    files = OwnCa(ca_directory, _now()).server(server_names("192.0.2.7", ["broker.example"]))
    assert _handshake(files, name) == "TLSv1.3"


def test_another_name_is_refused_by_clients(ca_directory: Path) -> None:
    files = OwnCa(ca_directory, _now()).server(server_names("127.0.0.1"))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        _handshake(files, "elsewhere.example")


def test_it_names_loopback_the_machine_the_host_and_more(authorities: OwnCa) -> None:
    files = authorities.server(server_names("10.1.2.3", ["*.fleet.example", "bücher.example"]))
    names = _certificate(files).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = set(names.get_values_for_type(x509.DNSName))
    assert {"localhost", "*.fleet.example", "xn--bcher-kva.example"} <= dns
    assert set(names.get_values_for_type(x509.IPAddress)) == {
        ipaddress.ip_address(address) for address in ("127.0.0.1", "::1", "10.1.2.3")
    }


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_everywhere_is_no_name(host: str) -> None:
    assert server_names(host) == server_names("localhost")


@pytest.mark.parametrize(("own", "named"), [("my-laptop.local", True), ("Bad Name!", False), ("", False)])
def test_the_machine_name_stands_in_it_where_it_can(monkeypatch: pytest.MonkeyPatch, own: str, named: bool) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: own)
    assert (own in server_names("127.0.0.1")) is named


@pytest.mark.parametrize("name", ["", "a b", "-x", "x..y", "https://x", "x" * 300, "*.*.x", "a/b", "x\ny"])
def test_what_is_no_name_is_refused(authorities: OwnCa, name: str) -> None:
    with pytest.raises(BadServerName, match="neither a host name nor an IP address"):
        authorities.server([name])


def test_it_is_kept_while_it_will_do(authorities: OwnCa, clock: FakeClock, ca_directory: Path) -> None:
    first = _certificate(authorities.server(["a", "b"]))
    assert _certificate(authorities.server(["b", "a"])) == first
    assert _certificate(OwnCa(ca_directory, clock).server(["a", "b"])) == first


def test_it_is_renewed_when_names_change(authorities: OwnCa) -> None:
    first = _certificate(authorities.server(["a", "b"]))
    assert _certificate(authorities.server(["a"])) != first


async def test_it_is_renewed_before_it_ends(authorities: OwnCa, clock: FakeClock) -> None:
    first = _certificate(authorities.server(["a"]))
    assert first.not_valid_after_utc - first.not_valid_before_utc <= datetime.timedelta(days=825)
    await clock.advance((825 - 1 - 90) * DAY - 3600)
    assert _certificate(authorities.server(["a"])) == first
    await clock.advance(2 * 3600)
    second = _certificate(authorities.server(["a"]))
    assert second.not_valid_after_utc > first.not_valid_after_utc


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"]
)
def test_a_broken_file_is_made_anew(authorities: OwnCa, content: bytes) -> None:
    files = authorities.server(["a"])
    files.certificate.write_bytes(content)
    assert _certificate(authorities.server(["a"]))


def test_one_of_another_ca_is_made_anew(authorities: OwnCa, tmp_path: Path, clock: FakeClock) -> None:
    files = authorities.server(["a"])
    foreign = OwnCa(tmp_path / "other", clock).server(["a"])
    files.certificate.write_bytes(foreign.certificate.read_bytes())
    assert _certificate(authorities.server(["a"])) != _certificate(foreign)


def test_one_that_others_could_read_is_made_anew(authorities: OwnCa) -> None:
    files = authorities.server(["a"])
    first = _certificate(files)
    files.certificate.chmod(0o644)
    assert _certificate(authorities.server(["a"])) != first
    assert files.certificate.stat().st_mode & 0o077 == 0


def _now() -> FakeClock:
    """TLS verifies against the machine's own time."""
    return FakeClock(time.time())
