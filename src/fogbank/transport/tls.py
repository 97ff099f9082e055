"""TLS that accepts any client certificate and lets the platform judge it afterwards.

OpenSSL still makes the client prove that it holds the private key; only the question whose certificate it is stays
open: registered, revoked, signed by a registered authority, or unknown. The standard library's `ssl` fails the
handshake of an unknown issuer before anybody can ask, hence pyOpenSSL.
"""

from pathlib import Path
from typing import Any

from OpenSSL import SSL

from fogbank.transport.channel import MODE

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


def server_context(certificate: Path, key: Path) -> SSL.Context:
    """A server's TLS settings. The files are PEM; the certificate may be followed by its chain."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(MODE)
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
