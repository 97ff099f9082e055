"""What the keys of the instance's CA are encrypted with.

The operator gives it; or it is made at random and kept in a file of its own beside the directory of the CA, so that the
keys alone (in a backup that leaves it out, on a disk that was given away) are worth nothing. Whoever moves that file
elsewhere and names it is a careful operator. Who gives a passphrase later has the keys encrypted anew, and the file is
removed once nothing needs it.

PKCS #8 as it is written by OpenSSL stretches a passphrase by little. So give a long one, best of all a random one.
"""

import secrets
from pathlib import Path

import msgspec

from fogbank.errors import FogbankError
from fogbank.registry.key_files import PRIVATE, read_private, write_durably

FILE = "ca-passphrase"
"""Beside the directory of the CA."""
SHORTEST = 12
LONGEST = 1023
"""Bytes; OpenSSL takes no more."""


class WrongPassphrase(FogbankError):
    """There is no passphrase that opens the CA's keys, or it is none."""


class Passphrase(msgspec.Struct, frozen=True):
    """The passphrase, and what may have been it before."""

    secret: bytes
    origin: str
    """Where it is from, for errors."""
    former: Path | None = None
    """A file of our own making that the operator's passphrase has taken the place of."""

    def __repr__(self) -> str:
        return f"Passphrase(origin={self.origin!r}, ...)"

    @classmethod
    def of(cls, directory: Path, given: str | None) -> "Passphrase":
        """The operator's, else our own: that is made where there is none yet.

        `directory` is the CA's. Raises WrongPassphrase, ExposedKey.
        """
        path = directory.with_name(FILE)
        kept = read_private(path)
        if given is not None:
            secret = _checked(given, "the passphrase that you gave")
            superseded = kept is not None and kept.strip() != secret  # else it is this very file that was named
            return cls(secret, "the passphrase that you gave", path if superseded else None)
        origin = f"the passphrase in {path}"
        if kept is not None:
            return cls(_checked(kept.decode("utf-8", "replace"), origin), origin)
        if encrypted := [key for key in sorted(directory.glob("*.key")) if b"ENCRYPTED" in key.read_bytes()]:
            raise WrongPassphrase(
                f"{encrypted[0]} is encrypted, and there is no {path}: restore it, or give the passphrase by "
                "--ca-passphrase-file or FOGBANK_CA_PASSPHRASE"
            )
        made = secrets.token_urlsafe(32)
        write_durably(path, f"{made}\n".encode(), PRIVATE)
        return cls(made.encode(), origin)

    @property
    def candidates(self) -> list[bytes]:
        """What a key may be encrypted with. Raises ExposedKey."""
        kept = None if self.former is None else read_private(self.former)
        return [self.secret] if kept is None else [self.secret, kept.strip()]

    def forget_former(self) -> None:
        """Call it once every key is encrypted with the present passphrase."""
        if self.former is not None:
            self.former.unlink(missing_ok=True)


def read_passphrase(path: Path) -> str:
    """The operator's file. Raises WrongPassphrase, ExposedKey where anybody else may touch it."""
    content = read_private(path)
    if content is None:
        raise WrongPassphrase(f"there is no {path}")
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise WrongPassphrase(f"{path} is not text in UTF-8") from None


def _checked(text: str, origin: str) -> bytes:
    secret = text.strip().encode()
    if not SHORTEST <= len(secret) <= LONGEST:
        raise WrongPassphrase(
            f"{origin} must have {SHORTEST} to {LONGEST} bytes: openssl rand -base64 32 makes a good one"
        )
    return secret
