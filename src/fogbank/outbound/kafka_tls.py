"""The TLS side of Kafka's client properties: trust stores and key stores, as PEM or base64 of PKCS #12.

AWS's examples give them by `get_secret(..., 'SecretBinary')`, which is base64. Stores in Java's own format (JKS) cannot
be read here; `keytool -importkeystore -deststoretype PKCS12` makes the other kind of them.
"""

import binascii
import ssl
import tempfile
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path

from fogbank.ports import OutboundError

_PEM = b"-----BEGIN "


def tls_context(properties: Mapping[str, str]) -> ssl.SSLContext:
    """As the properties `ssl.*` have it; without a trust store, the system's authorities. Raises OutboundError."""
    context = ssl.create_default_context()
    try:
        if store := properties.get("ssl.truststore"):
            context.load_verify_locations(cadata=_certificates(store, properties.get("ssl.truststore.password")))
        if store := properties.get("ssl.keystore"):
            _load_key(context, store, properties)
    except (ValueError, binascii.Error, ssl.SSLError) as error:
        raise OutboundError(
            f"ssl.truststore or ssl.keystore is neither PEM nor base64 of PKCS #12 that the password opens: {error}",
            code="BadRequest",
        ) from error
    if properties.get("ssl.endpoint.identification.algorithm", "https") == "":
        context.check_hostname = False
    return context


def _certificates(store: str, password: str | None) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    data = _bytes(store)
    if data.startswith(_PEM):
        return data.decode()
    opened = pkcs12.load_pkcs12(data, None if password is None else password.encode())
    certificates = [one.certificate for one in (opened.cert, *opened.additional_certs) if one is not None]
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def _load_key(context: ssl.SSLContext, store: str, properties: Mapping[str, str]) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

    data = _bytes(store)
    password = properties.get("ssl.key.password") or properties.get("ssl.keystore.password")
    if not data.startswith(_PEM):
        opened = pkcs12.load_pkcs12(data, None if password is None else password.encode())
        if opened.key is None or opened.cert is None:
            raise ValueError("ssl.keystore holds no key with a certificate")
        chain = [opened.cert, *opened.additional_certs]
        data = opened.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        data += b"".join(one.certificate.public_bytes(Encoding.PEM) for one in chain)
        password = None
    # The ssl module takes keys from files alone; this one is readable by its owner, and gone with the block.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "key.pem"
        path.touch(0o600)
        path.write_bytes(data)
        context.load_cert_chain(path, password=password)


def _bytes(store: str) -> bytes:
    data = store.encode()
    return data if data.startswith(_PEM) else b64decode(store, validate=True)
