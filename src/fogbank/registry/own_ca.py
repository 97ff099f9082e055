"""The instance's own CA: two authorities made on first start and kept in the data directory's `ca/`.

    ca.pem, ca.key            signs the listeners' certificate; clients trust ca.pem
    device-ca.pem, .key       signs device certificates, as AWS's device CA does
    server.pem                the listeners' certificate and key

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
from fogbank.registry.server_certificate import ServerFiles, ensure_server_certificate

_SERVER_ROOT = x509.Name(
    [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Fogbank"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Fogbank Root CA"),
    ]
)


class OwnCa:
    """Both authorities of an instance. Opening reads or writes a handful of small files and takes milliseconds."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        """Raises BrokenAuthority or ExposedKey where the files there are not usable."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._clock = clock
        self._servers = Authority.open(directory / "ca.pem", _SERVER_ROOT, clock)
        self.devices = DeviceIssuer(Authority.open(directory / "device-ca.pem", AWS_ISSUER, clock))

    def server(self, names: Iterable[str]) -> ServerFiles:
        """Files for TLS listeners reached by `names`. Idempotent: call it again to renew what nears its end."""
        return ensure_server_certificate(self._servers, self._directory, names, self._clock)
