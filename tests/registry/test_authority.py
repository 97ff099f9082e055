import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fogbank.registry.authority import Authority, BrokenAuthority
from fogbank.registry.key_files import ExposedKey
from fogbank.testing.clock import FakeClock

SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root.pem"


def test_an_authority_is_made_once_and_kept(path: Path, clock: FakeClock) -> None:
    made = Authority.open(path, SUBJECT, clock)
    again = Authority.open(path, SUBJECT, clock)
    assert again.certificate == made.certificate
    leaf = again.issue(SUBJECT, ec.generate_private_key(ec.SECP256R1()).public_key())
    leaf.verify_directly_issued_by(made.certificate)


def test_only_its_owner_reads_the_key(path: Path, clock: FakeClock) -> None:
    Authority.open(path, SUBJECT, clock)
    assert stat.S_IMODE(path.with_suffix(".key").stat().st_mode) == 0o600
    assert b"PRIVATE" not in path.read_bytes()
    path.with_suffix(".key").chmod(0o640)
    with pytest.raises(ExposedKey, match="can be read by others"):
        Authority.open(path, SUBJECT, clock)


def test_a_root_is_what_strict_verifiers_want(path: Path, clock: FakeClock) -> None:
    """RFC 5280 section 4.2.1."""
    root = Authority.open(path, SUBJECT, clock).certificate
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (True, True, False)
    assert root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert root.not_valid_after_utc == datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)


def test_a_leaf_cannot_issue_others(path: Path, clock: FakeClock) -> None:
    authority = Authority.open(path, SUBJECT, clock)
    leaf = authority.issue(SUBJECT, ec.generate_private_key(ec.SECP256R1()).public_key())
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (True, False, True)
    named = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert named == authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert leaf.not_valid_before_utc.timestamp() == clock.time() - 3600


def test_a_kill_between_key_and_root_leaves_a_key_that_is_used(path: Path, clock: FakeClock) -> None:
    first = Authority.open(path, SUBJECT, clock)
    path.unlink()
    second = Authority.open(path, SUBJECT, clock)
    assert second.certificate.public_key() == first.certificate.public_key()


def test_files_that_do_not_fit_together_are_an_error(path: Path, clock: FakeClock) -> None:
    Authority.open(path, SUBJECT, clock)
    key = path.with_suffix(".key")
    other = Authority.open(path.with_name("other.pem"), SUBJECT, clock)
    root = path.read_bytes()

    path.write_bytes(other.path.read_bytes())
    with pytest.raises(BrokenAuthority, match="does not belong"):
        Authority.open(path, SUBJECT, clock)

    leaf = other.issue(SUBJECT, other.certificate.public_key())
    path.write_bytes(leaf.public_bytes(serialization.Encoding.PEM)[:-30])
    with pytest.raises(BrokenAuthority, match="not a self-signed certificate"):
        Authority.open(path, SUBJECT, clock)

    path.write_bytes(root)
    key.write_bytes(b"garbage")
    with pytest.raises(BrokenAuthority, match="not an unencrypted private key"):
        Authority.open(path, SUBJECT, clock)

    key.unlink()
    with pytest.raises(BrokenAuthority, match="restore it"):
        Authority.open(path, SUBJECT, clock)
