"""The three files a device connects with: its certificate, its private key and the CA it trusts.

A private key that is overwritten is lost, and a certificate without its key is worth nothing. So nothing that is there
is ever replaced, and a set is written whole or not at all.
"""

import os
from pathlib import Path

import click

from fogbank.cli.new_files import write_new


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

    def write(self, certificate: str, key: str | None, ca: bytes) -> None:
        """Write all three, the key readable by its owner alone. On an error, none of them is left behind.

        `key` is None where it stays in the device.
        """
        made: list[Path] = []
        private = [] if key is None else [(self.key, key.encode(), 0o600)]
        try:
            for path, content, mode in (
                *private,
                (self.certificate, certificate.encode(), 0o644),
                (self.ca, ca, 0o644),
            ):
                if path == self.ca and path.exists():
                    continue
                write_new(path, content, mode)
                made.append(path)
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            raise
