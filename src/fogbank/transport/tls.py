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

ALPN_MQTT = b"x-amzn-mqtt-ca"
ALPN_HTTP = (b"x-amzn-http-ca", b"http/1.1")
SERVED = (ALPN_MQTT, *ALPN_HTTP)

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

RECORDS = 256 * 1024
"""Bytes asked of OpenSSL at a time."""


def server_context(certificate: Path, key: Path) -> SSL.Context:
    """A server's TLS settings. The files are PEM; the certificate may be followed by its chain."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
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


class Handshaken(Protocol):
    """What is told when a handshake is done: it sets the protocol that goes on, at once or later."""

    def __call__(self, link: "TlsLink", certificate: bytes | None, alpn: bytes) -> None: ...


class Failed(Protocol):
    """What is told when a handshake fails."""

    def __call__(self, link: "TlsLink", why: str) -> None: ...


class TlsLink(asyncio.Protocol, asyncio.Transport):
    """One TLS connection: a protocol to the socket's transport below, a transport to the protocol above."""

    def __init__(self, context: SSL.Context, handshaken: Handshaken, failed: Failed) -> None:
        asyncio.Transport.__init__(self)
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        self._handshaken = handshaken
        self._failed = failed
        self._raw: asyncio.Transport
        self._protocol: asyncio.Protocol | None = None
        self._early: list[bytes] = []
        """What came before there was a protocol above."""
        self._open = False
        """Whether the handshake is done."""
        self._closing = False
        self._told: dict[str, object] = {}

    # --- towards the socket ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._tls.bio_write(data)
        try:
            if not self._open and not self._handshake():
                return
            self._read()
        except SSL.Error as error:
            self._break(_describe(error))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._protocol is not None:
            self._protocol.connection_lost(exc)
        elif not self._closing and not self._open:
            self._failed(self, "the client went away during the handshake")
        self._closing = True

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    def _handshake(self) -> bool:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._send()
            return False
        self._send()
        self._open = True
        certificate = self._tls.get_peer_certificate()
        der = None if certificate is None else dump_certificate(FILETYPE_ASN1, certificate)
        self._handshaken(self, der, self._tls.get_alpn_proto_negotiated())
        return True

    def _read(self) -> None:
        chunks = []
        closed = False
        while True:
            try:
                chunks.append(self._tls.recv(RECORDS))
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:  # close_notify
                closed = True
                break
        if chunks:
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            if self._protocol is None:
                self._early.append(data)
            else:
                self._protocol.data_received(data)
        if closed:
            self.close()
        elif not self._closing:
            self._send()  # alerts and key updates

    def _send(self) -> None:
        """Write what OpenSSL has for the peer."""
        try:
            self._raw.write(self._tls.bio_read(RECORDS))
            while True:
                self._raw.write(self._tls.bio_read(RECORDS))
        except SSL.WantReadError:
            pass

    def _break(self, why: str) -> None:
        self._send()  # the alert
        if not self._open:
            self._failed(self, why)
        self._closing = True
        self._raw.close()

    # --- towards the protocol above ---

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who gets the plain text from now on, what came early included."""
        self._protocol = cast(asyncio.Protocol, protocol)
        early, self._early = b"".join(self._early), []
        if early:
            self._protocol.data_received(early)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol or self

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        try:
            self._tls.sendall(bytes(data))
        except SSL.Error as error:
            self._break(_describe(error))
            return
        self._send()

    def close(self) -> None:
        """Send close_notify, then what is buffered, then close."""
        if self._closing:
            return
        self._closing = True
        try:
            self._tls.shutdown()
            self._send()
        except SSL.Error:
            pass  # the handshake is not done, or the peer is gone: nothing to say goodbye with
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

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "sslcontext":  # how HTTP servers ask whether the scheme is https
            return self._tls.get_context()
        return self._told.get(name, self._raw.get_extra_info(name, default))

    def set_extra_info(self, name: str, value: object) -> None:
        """Something for `get_extra_info` to tell the protocol above."""
        self._told[name] = value


def _describe(error: SSL.Error) -> str:
    """OpenSSL's own words, made findable."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    texts = [reason[2] for reason in reasons if len(reason) > 2 and reason[2]]
    text = ", ".join(texts) or str(error) or type(error).__name__
    if "http request" in text or "wrong version number" in text or "unknown protocol" in text:
        text += " (the client does not speak TLS)"
    return text
