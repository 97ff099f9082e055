"""TLS that accepts any client certificate and lets the platform judge it afterwards.

OpenSSL still makes the client prove that it holds the private key; only the question whose certificate it is stays
open: registered, revoked, signed by a registered authority, or unknown. The standard library's `ssl` fails the
handshake of an unknown issuer before anybody can ask, so this is pyOpenSSL over memory buffers.
"""

import asyncio
from pathlib import Path
from typing import Any, Protocol, cast

from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate

from fogbank.ports import Arrival
from fogbank.transport.http import ARRIVAL

ALPN_MQTT = ("x-amzn-mqtt-ca", "mqtt")
"""With a client certificate, and with a custom authorizer; here both serve both."""
ALPN_HTTP = ("x-amzn-http-ca", "http/1.1")
SERVED = frozenset(name.encode() for name in (*ALPN_MQTT, *ALPN_HTTP))

CIPHERS = b":".join(
    (
        b"ECDHE-ECDSA-AES128-GCM-SHA256",
        b"ECDHE-RSA-AES128-GCM-SHA256",
        b"ECDHE-ECDSA-AES256-GCM-SHA384",
        b"ECDHE-RSA-AES256-GCM-SHA384",
        b"ECDHE-ECDSA-AES128-SHA256",
        b"ECDHE-RSA-AES128-SHA256",
        b"AES128-GCM-SHA256",
        b"AES256-GCM-SHA384",
    )
)
"""For TLS 1.2, in AWS's order (developer guide, "Transport security"), those without authenticated hashes left out."""

RECORD = 16_384
"""Bytes of plain text that a TLS record holds at most (RFC 8446, 5.1).

More is never given to OpenSSL at once: the memory buffers between us and it keep the size that they once needed.
"""
OVERHEAD = 512
"""Bytes that a record's head, tag and padding, and small records before it, add to it: more than they ever do."""


def server_context(certificate: Path, key: Path) -> SSL.Context:
    """A server's TLS settings. The files are PEM; the certificate may be followed by its chain."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # an idle connection keeps 32 KiB less
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.use_certificate_chain_file(str(certificate))
    context.use_privatekey_file(str(key))
    context.check_privatekey()
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)  # the platform judges, see above
    context.set_alpn_select_callback(_select)
    return context


def _select(_: SSL.Connection, offered: list[bytes]) -> Any:
    for protocol in offered:
        if protocol in SERVED:
            return protocol
    return SSL.NO_OVERLAPPING_PROTOCOLS


class Gate(Protocol):
    """Watches over handshakes."""

    def accepted(self, link: "TlsLink") -> None:
        """There is a connection; nothing has come yet."""
        ...

    def secured(self, link: "TlsLink") -> None:
        """The handshake is done: set the protocol that goes on, at once or later."""
        ...

    def failed(self, link: "TlsLink", why: str) -> None:
        """The connection ends before its handshake is done. An empty `why`: we ended it."""
        ...


class TlsLink(asyncio.Protocol, asyncio.Transport):
    """One TLS connection: a protocol to the socket's transport below, a transport to the protocol above."""

    __slots__ = (
        "_answering",
        "_closing",
        "_context",
        "_gate",
        "_open",
        "_protocol",
        "_raw",
        "_tls",
        "_unread",
        "arrival",
    )

    def __init__(self, context: SSL.Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate
        self._raw: asyncio.Transport
        self._tls: SSL.Connection | None = None
        """Made when the first byte comes: to connect and be silent costs us next to nothing."""
        self._protocol: asyncio.Protocol | None = None
        self._open = False
        """Whether the handshake is done."""
        self._answering = False
        """Whether OpenSSL may have an answer of its own to what comes: in TLS 1.2, that it will not shake hands again.

        Its key updates in TLS 1.3 may wait until we write (RFC 8446, 4.6.3); to look costs as much as to read.
        """
        self._unread = False
        """Whether something may have come while there was no protocol above; it waits inside OpenSSL."""
        self._closing = False
        self.arrival: Arrival | None = None
        """Who it is, for the HTTP API to find."""

    # --- towards the socket ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)
        self._gate.accepted(self)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        tls = self._tls
        if tls is None:
            tls = self._tls = SSL.Connection(self._context, None)
            tls.set_accept_state()
        try:
            if self._protocol is not None:
                self._read(tls, self._protocol, data)
            else:
                self._feed(tls, data)
        except SSL.Error as error:
            self._break(_describe(error))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._protocol is not None:
            self._protocol.connection_lost(exc)
        elif not self._open:
            self._gate.failed(self, "" if self._closing else "the client went away during the handshake")
        self._closing = True
        self._tls = self._protocol = None  # whoever still holds on to us does not hold on to them

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    def _feed(self, tls: SSL.Connection, data: bytes) -> None:
        """Before there is a protocol: the handshake, and what follows on its heels."""
        tls.bio_write(data)
        if self._open:
            return
        try:
            tls.do_handshake()
        except SSL.WantReadError:
            self._send(tls)
            return
        self._send(tls)
        self._open = self._unread = True
        self._answering = tls.get_protocol_version() < SSL.TLS1_3_VERSION
        self._gate.secured(self)

    def _read(self, tls: SSL.Connection, protocol: asyncio.Protocol, data: bytes = b"") -> None:
        """Deliver what is in `data`, or what waits inside OpenSSL, in one piece."""
        chunks: list[bytes] = []
        closed = False
        if len(data) <= RECORD:
            closed = _unseal(tls, data, chunks)
        else:
            view = memoryview(data)
            for start in range(0, len(data), RECORD):
                closed = _unseal(tls, view[start : start + RECORD], chunks)
        if chunks:
            protocol.data_received(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        if closed:
            self.close()
        elif self._answering and not self._closing:
            self._send(tls)

    def _send(self, tls: SSL.Connection, room: int = RECORD + OVERHEAD) -> None:
        """Write what OpenSSL has for the peer, `room` bytes at a time."""
        try:
            while True:
                sealed = tls.bio_read(room)
                self._raw.write(sealed)
                if len(sealed) < room:
                    return
        except SSL.WantReadError:
            pass

    def _break(self, why: str) -> None:
        if self._tls is not None:
            self._send(self._tls)  # the alert
        self._closing = True
        self._raw.close()
        if not self._open:
            self._gate.failed(self, why)

    # --- towards the protocol above ---

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who gets the plain text from now on, what came early included."""
        self._protocol = cast(asyncio.Protocol, protocol)
        if self._unread and self._tls is not None:
            self._unread = False
            try:
                self._read(self._tls, self._protocol)
            except SSL.Error as error:
                self._break(_describe(error))

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol or self

    def write(self, data: bytes | bytearray | memoryview) -> None:
        tls = self._tls
        if self._closing or not data or tls is None:
            return
        try:
            if len(data) <= RECORD:
                tls.sendall(data)
                self._send(tls, len(data) + OVERHEAD)
                return
            view = memoryview(data)
            for start in range(0, len(data), RECORD):
                tls.sendall(view[start : start + RECORD])
                self._send(tls)
        except SSL.Error as error:
            self._break(_describe(error))

    def close(self) -> None:
        """Send close_notify, then what is buffered, then close."""
        if self._closing:
            return
        self._closing = True
        if self._open and self._tls is not None:
            try:
                self._tls.shutdown()
                self._send(self._tls)
            except SSL.Error:
                pass  # the peer is gone: nothing to say goodbye with
        self._raw.close()

    def abort(self) -> None:
        self._closing = True
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._closing or self._raw.is_closing()

    def pause_reading(self) -> None:
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        if not self._raw.is_closing():
            self._raw.resume_reading()

    def is_reading(self) -> bool:
        return self._raw.is_reading()

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def can_write_eof(self) -> bool:
        return False

    @property
    def certificate(self) -> bytes | None:
        """The client's, in DER; it has proven that it holds the key."""
        certificate = None if self._tls is None else self._tls.get_peer_certificate()
        return None if certificate is None else dump_certificate(FILETYPE_ASN1, certificate)

    @property
    def alpn(self) -> str | None:
        """The protocol that was agreed on."""
        name = b"" if self._tls is None else self._tls.get_alpn_proto_negotiated()
        return name.decode("ascii") or None

    @property
    def server_name(self) -> str | None:
        """The host name that the client asked for (SNI)."""
        name = None if self._tls is None else self._tls.get_servername()
        return None if name is None else name.decode("ascii", "replace")

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "sslcontext":  # how HTTP servers ask whether the scheme is https
            return self._context
        if name == ARRIVAL:
            return self.arrival
        return self._raw.get_extra_info(name, default)


def _unseal(tls: SSL.Connection, data: bytes | memoryview, chunks: list[bytes]) -> bool:
    """Add the plain text of what has come to `chunks`; whether the peer has said that there will be no more."""
    if data:
        tls.bio_write(data)
    try:
        while True:
            chunks.append(tls.recv(RECORD))
    except SSL.WantReadError:
        return False
    except SSL.ZeroReturnError:  # close_notify
        return True


def _describe(error: SSL.Error) -> str:
    """OpenSSL's own words, made findable."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    texts = [reason[2] for reason in reasons if len(reason) > 2 and reason[2]]
    text = ", ".join(texts) or str(error) or type(error).__name__
    if "http request" in text or "wrong version number" in text or "unknown protocol" in text:
        text += " (the client does not speak TLS)"
    return text
