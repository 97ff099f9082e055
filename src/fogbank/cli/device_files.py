"""The three files a device connects with: its certificate, its private key and the CA it trusts.

A private key that is overwritten is lost, and a certificate without its key is worth nothing. So nothing that is there
is ever replaced, and a set is written whole or not at all.
"""

import os
from pathlib import Path

import click


class DeviceFiles:
    """`NAME.cert.pem`, `NAME.private.key` and `ca.pem` in a directory."""

    def __init__(self, directory: Path, name: str) -> None:
        stem = name.replace(":", "_")  # which not every file system can name
        self.directory = directory
        self.certificate = directory / f"{stem}.cert.pem"
        self.key = directory / f"{stem}.private.key"
        self.ca = directory / "ca.pem"

    def check(self, ca: bytes) -> None:
        """Raises ClickException where something is in the way, or the directory cannot be written."""
        for path in (self.certificate, self.key):
            if path.exists() or path.is_symlink():
                raise click.ClickException(f"{path} exists and is not overwritten; remove it or choose another --out")
        if self.ca.exists() and self.ca.read_bytes() != ca:
            raise click.ClickException(f"{self.ca} is of another instance; remove it or choose another --out")
        self.directory.mkdir(parents=True, exist_ok=True)
        if not os.access(self.directory, os.W_OK | os.X_OK):
            raise click.ClickException(f"{self.directory} cannot be written")

    def write(self, certificate: str, key: str, ca: bytes) -> None:
        """Write all three, the key readable by its owner alone. On an error, none of them is left behind."""
        made: list[Path] = []
        try:
            for path, content, mode in (
                (self.key, key.encode(), 0o600),
                (self.certificate, certificate.encode(), 0o644),
                (self.ca, ca, 0o644),
            ):
                if path == self.ca and path.exists():
                    continue
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
                made.append(path)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(descriptor)
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            raise
