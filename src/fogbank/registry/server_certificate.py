"""The certificate of the TLS listeners: issued by our own CA, renewed when it nears its end or the names change."""

import datetime
import ipaddress
import re
import socket
from collections.abc import Iterable
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fogbank.clock import Clock
from fogbank.errors import FogbankError
from fogbank.registry.authority import Authority, now
from fogbank.registry.key_files import PRIVATE, ExposedKey, read_private, write_durably

LIFETIME = datetime.timedelta(days=825)
"""The longest that Apple's platforms accept, from private CAs too (support article 103769)."""
RENEW_BEFORE = datetime.timedelta(days=90)

_DNS_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_LONGEST_NAME = 253


class BadServerName(FogbankError):
    """A name that cannot stand in a certificate."""


class ServerFiles(msgspec.Struct, frozen=True):
    """What a TLS listener loads, and what its clients trust."""

    ca: Path
    certificate: Path
    """The server's certificate followed by its private key, in one file so that the two are replaced as one."""

    @property
    def key(self) -> Path:
        """The private key: the same file."""
        return self.certificate


def server_names(host: str, extra: Iterable[str] = ()) -> frozenset[str]:
    """The names a server bound to `host` is reached by: loopback, the machine's own name, `host`, and `extra`."""
    names = {"localhost", "127.0.0.1", "::1", *extra}
    own = socket.gethostname()
    if _dns_name(own) is not None:
        names.add(own)
    if host and not _is_everywhere(host):
        names.add(host)
    return frozenset(names)


def ensure_server_certificate(authority: Authority, directory: Path, names: Iterable[str], clock: Clock) -> ServerFiles:
    """The server's files in `directory`; a new key and certificate where there are none that will do.

    `names` are host names, `*.` wildcards and IP addresses. Raises BadServerName.
    """
    path = directory / "server.pem"
    wanted = [_general_name(name) for name in sorted(set(names))]
    if not _will_do(path, authority, wanted, clock):
        write_durably(path, _issue(authority, wanted, clock), PRIVATE)
    return ServerFiles(authority.path, path)


def _issue(authority: Authority, names: list[x509.GeneralName], clock: Clock) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.issue(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fogbank server")]),
        key.public_key(),
        until=now(clock) + LIFETIME - datetime.timedelta(days=1),
        extensions=[
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.SubjectAlternativeName(names),
        ],
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM) + pem


def _will_do(path: Path, authority: Authority, names: list[x509.GeneralName], clock: Clock) -> bool:
    """Whether the file holds a certificate of ours for just these names, with its key, and some life left."""
    try:
        pem = read_private(path)
        if pem is None:
            return False
        certificate = x509.load_pem_x509_certificate(pem)
        certificate.verify_directly_issued_by(authority.certificate)
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        key = serialization.load_pem_private_key(pem, password=None)
    except (ExposedKey, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False  # whatever is wrong with it: a new one is at hand
    fresh = certificate.not_valid_after_utc - RENEW_BEFORE > now(clock) >= certificate.not_valid_before_utc
    return fresh and list(named) == names and key.public_key() == certificate.public_key()


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    if address is not None:
        return x509.IPAddress(address)
    dns_name = _dns_name(name)
    if dns_name is None:
        raise BadServerName(f"{name!r} is neither a host name nor an IP address")
    return x509.DNSName(dns_name)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None


def _is_everywhere(host: str) -> bool:
    """`0.0.0.0` and `::` bind to every interface and name none."""
    address = _address(host)
    return address is not None and address.is_unspecified


def _dns_name(name: str) -> str | None:
    """The name as it stands in a certificate, in lower case and ASCII; None where it is none."""
    try:
        in_ascii = name.lower() if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return None
    return in_ascii if len(in_ascii) <= _LONGEST_NAME and _DNS_NAME.fullmatch(in_ascii) else None
