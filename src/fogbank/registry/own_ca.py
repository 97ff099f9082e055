"""The instance's own CA: two authorities made on first start and kept in the data directory's `ca/`.

    ca.pem, ca.key            signs the listeners' certificate; clients trust ca.pem
    device-ca.pem, .key       signs device certificates, as AWS's device CA does
    server.pem                the listeners' certificate and key

The keys of both authorities are encrypted: with the passphrase that the operator gives, else with one of our own
making beside the directory (`passphrase`). The listeners' key is not: it can be replaced within a minute, and none but
its owner can read it.

Two, since they answer different questions: who trusts `ca.pem` trusts a server, and whoever steals the key that
enrols devices must not be able to pose as the server.
"""

from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from fogbank.clock import Clock
from fogbank.registry.authority import Authority
from fogbank.registry.device_issuer import AWS_ISSUER, DeviceIssuer
from fogbank.registry.key_files import private_directory
from fogbank.registry.passphrase import Passphrase
from fogbank.registry.server_certificate import ServerFiles, ensure_server_certificate

_SERVER_ROOT = x509.Name(
    [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Fogbank"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Fogbank Root CA"),
    ]
)


class OwnCa:
    """Both authorities of an instance. Opening reads or writes a handful of small files and takes milliseconds."""

    def __init__(self, directory: Path, clock: Clock, passphrase: str | None = None) -> None:
        """`passphrase` is what the operator gives.

        Raises BrokenAuthority, ExposedKey or WrongPassphrase where the files there are not usable.
        """
        private_directory(directory)
        self._directory = directory
        self._clock = clock
        secret = Passphrase.of(directory, passphrase)
        self._servers = Authority.open(directory / "ca.pem", _SERVER_ROOT, clock, secret)
        self.devices = DeviceIssuer(Authority.open(directory / "device-ca.pem", AWS_ISSUER, clock, secret))
        secret.forget_former()

    def server(self, names: Iterable[str]) -> ServerFiles:
        """Files for TLS listeners reached by `names`. Idempotent: call it again to renew what nears its end."""
        return ensure_server_certificate(self._servers, self._directory, names, self._clock)
