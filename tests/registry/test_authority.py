import datetime
import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fogbank.registry.authority import Authority, BrokenAuthority
from fogbank.registry.key_files import ExposedKey
from fogbank.registry.passphrase import Passphrase, WrongPassphrase
from fogbank.testing.clock import FakeClock

SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])


SECRET = Passphrase(b"correct horse battery", "the passphrase of this test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root.pem"


def test_an_authority_is_made_once_and_kept(path: Path, clock: FakeClock) -> None:
    made = Authority.open(path, SUBJECT, clock, SECRET)
    again = Authority.open(path, SUBJECT, clock, SECRET)
    assert again.certificate == made.certificate
    leaf = again.issue(SUBJECT, ec.generate_private_key(ec.SECP256R1()).public_key())
    leaf.verify_directly_issued_by(made.certificate)


def test_only_its_owner_reads_the_key(path: Path, clock: FakeClock) -> None:
    Authority.open(path, SUBJECT, clock, SECRET)
    assert stat.S_IMODE(path.with_suffix(".key").stat().st_mode) == 0o600
    assert b"PRIVATE" not in path.read_bytes()
    path.with_suffix(".key").chmod(0o640)
    with pytest.raises(ExposedKey, match="can be read by others"):
        Authority.open(path, SUBJECT, clock, SECRET)


def test_a_root_is_what_strict_verifiers_want(path: Path, clock: FakeClock) -> None:
    """RFC 5280 section 4.2.1."""
    root = Authority.open(path, SUBJECT, clock, SECRET).certificate
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (True, True, False)
    assert root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert root.not_valid_after_utc == datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)


def test_a_leaf_cannot_issue_others(path: Path, clock: FakeClock) -> None:
    authority = Authority.open(path, SUBJECT, clock, SECRET)
    leaf = authority.issue(SUBJECT, ec.generate_private_key(ec.SECP256R1()).public_key())
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (True, False, True)
    named = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert named == authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert leaf.not_valid_before_utc.timestamp() == clock.time() - 3600


def test_a_kill_between_key_and_root_leaves_a_key_that_is_used(path: Path, clock: FakeClock) -> None:
    first = Authority.open(path, SUBJECT, clock, SECRET)
    path.unlink()
    second = Authority.open(path, SUBJECT, clock, SECRET)
    assert second.certificate.public_key() == first.certificate.public_key()


def test_files_that_do_not_fit_together_are_an_error(path: Path, clock: FakeClock) -> None:
    Authority.open(path, SUBJECT, clock, SECRET)
    key = path.with_suffix(".key")
    other = Authority.open(path.with_name("other.pem"), SUBJECT, clock, SECRET)
    root = path.read_bytes()

    path.write_bytes(other.path.read_bytes())
    with pytest.raises(BrokenAuthority, match="does not belong"):
        Authority.open(path, SUBJECT, clock, SECRET)

    leaf = other.issue(SUBJECT, other.certificate.public_key())
    path.write_bytes(leaf.public_bytes(serialization.Encoding.PEM)[:-30])
    with pytest.raises(BrokenAuthority, match="not a self-signed certificate"):
        Authority.open(path, SUBJECT, clock, SECRET)

    path.write_bytes(root)
    key.write_bytes(b"garbage")
    with pytest.raises(BrokenAuthority, match="not a private key in PEM"):
        Authority.open(path, SUBJECT, clock, SECRET)

    key.unlink()
    with pytest.raises(BrokenAuthority, match="restore it"):
        Authority.open(path, SUBJECT, clock, SECRET)


# --- at rest ----------------------------------------------------------------------------------------------------------


def _plain(path: Path, password: bytes) -> bytes:
    key = serialization.load_pem_private_key(path.read_bytes(), password)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_the_key_lies_encrypted(path: Path, clock: FakeClock) -> None:
    Authority.open(path, SUBJECT, clock, SECRET)
    pem = path.with_suffix(".key").read_bytes()
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert serialization.load_pem_private_key(pem, SECRET.secret)


def test_a_key_from_before_is_encrypted_when_it_is_opened(path: Path, clock: FakeClock) -> None:
    made = Authority.open(path, SUBJECT, clock, SECRET)
    key = path.with_suffix(".key")
    key.write_bytes(_plain(key, SECRET.secret))
    assert Authority.open(path, SUBJECT, clock, SECRET).certificate == made.certificate
    assert b"ENCRYPTED" in key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_kill_while_it_is_encrypted_leaves_the_old_file(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    Authority.open(path, SUBJECT, clock, SECRET)
    key = path.with_suffix(".key")
    key.write_bytes(before := _plain(key, SECRET.secret))

    def killed(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            Authority.open(path, SUBJECT, clock, SECRET)
    assert key.read_bytes() == before
    Authority.open(path, SUBJECT, clock, SECRET)


def test_another_passphrase_is_an_error_that_names_file_and_passphrase(path: Path, clock: FakeClock) -> None:
    Authority.open(path, SUBJECT, clock, SECRET)
    with pytest.raises(WrongPassphrase, match=r"root\.key cannot be opened with another one"):
        Authority.open(path, SUBJECT, clock, Passphrase(b"incorrect horse", "another one"))


def test_a_root_that_others_may_write_is_refused(path: Path, clock: FakeClock) -> None:
    Authority.open(path, SUBJECT, clock, SECRET)
    path.chmod(0o664)
    with pytest.raises(ExposedKey, match="can be written by others"):
        Authority.open(path, SUBJECT, clock, SECRET)
