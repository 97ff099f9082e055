"""OpenSSL on a non-blocking socket: the few calls that TLS is made of, typed.

OpenSSL reads and writes the socket itself. Compared with memory buffers between the two, that saves both copies, the
buffers, and half of the calls: a message costs a third. pyOpenSSL makes contexts and shakes hands; for what happens per
message its checks cost as much as the work, so those calls go to the library that it stands on, `cryptography`'s. All
that is untyped, and all that could be used after it was freed, is in this file.
"""

import os
import socket
from typing import Any, Final

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate

RECORD: Final = 16_384
"""Bytes of plain text that a TLS record holds at most (RFC 8446, 5.1)."""

_ffi: Final[Any] = Binding.ffi
_lib: Final[Any] = Binding.lib
_clear_errors: Final[Any] = _lib.ERR_clear_error
_read: Final[Any] = _lib.SSL_read
_write: Final[Any] = _lib.SSL_write
_get_error: Final[Any] = _lib.SSL_get_error

MODE: int = (
    _lib.SSL_MODE_RELEASE_BUFFERS | _lib.SSL_MODE_ENABLE_PARTIAL_WRITE | _lib.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
)
"""Set it on the contexts: an idle connection keeps no buffers (32 KiB), and what waits to be written may move."""

_SYSTEM = 1 << 31
"""Marks what is queued as a number of the operating system's (ERR_SYSTEM_FLAG)."""
_WANT_READ: Final[int] = _lib.SSL_ERROR_WANT_READ
_WANT_WRITE: Final[int] = _lib.SSL_ERROR_WANT_WRITE

_BUFFER: Final[Any] = _ffi.new("char[]", RECORD)
"""One for all channels: what is in it is copied out before anything else happens."""
_PLAIN: Final[Any] = _ffi.buffer(_BUFFER)


class Blocked(Exception):
    """OpenSSL has something of its own to do first, for which the socket is not ready."""


class WantsToRead(Blocked):
    """Go on when the socket can be read."""


class WantsToWrite(Blocked):
    """Go on when the socket can be written."""


class Ended(Exception):
    """The peer has said that nothing more will come (close_notify)."""


class TlsError(Exception):
    """The peer does not speak TLS as it should, or cannot agree with us. In OpenSSL's words."""


class Channel:
    """The server's end of one TLS connection. The socket must outlive it, or at least its use.

    OpenSSL keeps its errors in a queue per thread, and takes what is left in it for the next call's: hence it is
    cleared before each.
    """

    __slots__ = ("_connection", "_ssl")

    def __init__(self, context: SSL.Context, link: socket.socket) -> None:
        self._connection = SSL.Connection(context, link)
        self._connection.set_accept_state()
        self._ssl = self._connection._ssl  # freed with `_connection`, which the context's callbacks look up as well

    def shake_hands(self) -> None:
        """Go on with the handshake; on return it is done. Raises Blocked, TlsError and OSError."""
        _clear_errors()
        result = _lib.SSL_do_handshake(self._ssl)
        if result <= 0:
            raise self._failure(result)

    def read(self) -> bytes:
        """What one record holds; nothing where none is whole. Raises Ended, WantsToWrite, TlsError and OSError.

        Nothing that could be read is left inside OpenSSL: when it waits, it waits in the socket.
        """
        _clear_errors()
        size = _read(self._ssl, _BUFFER, RECORD)
        if size > 0:
            return _PLAIN[:size]  # type: ignore[no-any-return]
        if _get_error(self._ssl, size) == _WANT_READ:
            return b""
        raise self._failure(size)

    def write(self, data: bytes | bytearray) -> int:
        """Send as much as the socket takes; how many bytes those were. Raises WantsToRead, TlsError and OSError.

        The next call's data must begin with all that was not taken.
        """
        _clear_errors()
        size = len(data)
        if size <= RECORD and type(data) is bytes:
            sent: int = _write(self._ssl, data, size)
            return sent if sent > 0 else self._unsent(sent)
        return self._write_records(data, size)

    def _write_records(self, data: bytes | bytearray, size: int) -> int:
        sent = 0
        with _ffi.from_buffer(data) as start:
            while sent < size:
                result = _write(self._ssl, start + sent, min(size - sent, RECORD))
                if result <= 0:
                    return sent or self._unsent(result)  # what there is to say, the next call says as well
                sent += result
        return sent

    def _unsent(self, result: int) -> int:
        if _get_error(self._ssl, result) == _WANT_WRITE:
            return 0
        raise self._failure(result)

    def end(self) -> None:
        """Send close_notify; reading may go on. Raises Blocked, TlsError and OSError."""
        _clear_errors()
        result = _lib.SSL_shutdown(self._ssl)
        if result < 0:
            raise self._failure(result)

    def _failure(self, result: int) -> Exception:
        """Why a call came to nothing."""
        error = _get_error(self._ssl, result)
        if error == _WANT_READ:
            return WantsToRead()
        if error == _WANT_WRITE:
            return WantsToWrite()
        if error == _lib.SSL_ERROR_ZERO_RETURN:
            return Ended()
        if error == _lib.SSL_ERROR_SYSCALL:
            queued: int = _lib.ERR_peek_error()
            number = queued & ~_SYSTEM if queued & _SYSTEM else _ffi.errno
            return OSError(number, os.strerror(number))  # which makes it a ConnectionResetError, BrokenPipeError, ...
        if _lib.ERR_GET_REASON(_lib.ERR_peek_error()) == _lib.SSL_R_UNEXPECTED_EOF_WHILE_READING:
            return ConnectionAbortedError("the connection ended without close_notify")
        return TlsError(_reasons() or f"OpenSSL's error {error}")

    # --- what the handshake told ---

    @property
    def certificate(self) -> bytes | None:
        """The client's, in DER; it has proven that it holds the key."""
        certificate = self._connection.get_peer_certificate()
        return None if certificate is None else dump_certificate(FILETYPE_ASN1, certificate)

    @property
    def alpn(self) -> str | None:
        """The protocol that was agreed on."""
        return self._connection.get_alpn_proto_negotiated().decode("ascii") or None

    @property
    def server_name(self) -> str | None:
        """The host name that the client asked for (SNI)."""
        name = self._connection.get_servername()
        return None if name is None else name.decode("ascii", "replace")


def _reasons() -> str:
    """All that is in the queue of errors, made findable."""
    reasons = []
    while code := _lib.ERR_get_error():
        reason = _lib.ERR_reason_error_string(code)
        reasons.append(_ffi.string(reason).decode("ascii", "replace") if reason != _ffi.NULL else f"error {code:#x}")
    text = ", ".join(reasons)
    if "http request" in text or "wrong version number" in text or "unknown protocol" in text:
        text += " (the client does not speak TLS)"
    return text
