"""Presigned URLs of MQTT over WebSocket, made by botocore as a back end would make them for a browser."""

from urllib.parse import urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fogbank.ready import Ready

SERVICE = "iotdevicegateway"
EXPIRES = 300


def presigned_url(where: Ready, port: int | None = None) -> str:
    """`wss://host:port/mqtt?X-Amz-Algorithm=...`."""
    url = f"wss://{where.wss.host}:{port or where.wss.port}/mqtt"
    request = AWSRequest("GET", url)
    credentials = Credentials(where.access_key_id, where.secret_access_key)
    SigV4QueryAuth(credentials, SERVICE, where.region, expires=EXPIRES).add_auth(request)
    signed: str = request.url
    return signed


def presigned_path(where: Ready, port: int | None = None) -> str:
    """The same from the path on."""
    parts = urlsplit(presigned_url(where, port))
    return f"{parts.path}?{parts.query}"
