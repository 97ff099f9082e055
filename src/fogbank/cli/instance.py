"""The API of a running instance, as the commands that change things in it use it."""

import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from fogbank.cli.data_dir import find_running

CA_PATH = "/_fogbank/ca.pem"
"""Where every instance serves the certificate of its own CA."""
TIMEOUT = 30.0
"""Seconds for a request: an instance answers in milliseconds, but may have to ask others."""


class Keys(msgspec.Struct, frozen=True):
    """What requests are signed with."""

    region: str
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def sign(self, method: str, url: str, path: str, body: bytes = b"") -> dict[str, str]:
        """The headers of a request to the instance at `url`."""
        import time

        from fogbank.awswire.http import Request
        from fogbank.awswire.sigv4 import sign

        return sign(
            Request(method, path, headers={"host": urlsplit(url).netloc}, body=body),
            self.access_key_id,
            self.secret_access_key,
            region=self.region,
            service="iot",
            now=time.time(),
            token=self.session_token,
        )

    def __repr__(self) -> str:
        return f"Keys({self.region!r}, {self.access_key_id!r}, ...)"


class Instance:
    """A running instance, by its address; `client` gives boto3 clients that talk to it."""

    def __init__(self, url: str, **credentials: str) -> None:
        self.url = url.rstrip("/")
        self._credentials = credentials

    @classmethod
    def find(cls, data: Path | None) -> "Instance":
        """The one that runs on `data`; else the one AWS_ENDPOINT_URL names; else the one on the default directory.

        With AWS_ENDPOINT_URL the keys and the region come from the environment too, as `fogbank env` sets them.
        Raises ClickException where none is found.
        """
        url = os.environ.get("AWS_ENDPOINT_URL")
        if data is None and url:
            return cls(url)
        running = find_running(data)
        return cls(
            running.api,
            region_name=running.region,
            aws_access_key_id=running.access_key_id,
            aws_secret_access_key=running.secret_access_key,
        )

    def ca(self) -> bytes:
        """The certificate (PEM) that its listeners are trusted by. Raises ClickException where no Fogbank answers."""
        if not self.url.startswith(("http://", "https://")):
            raise click.ClickException(f"AWS_ENDPOINT_URL is no URL: {self.url}")
        try:
            with urllib.request.urlopen(self.url + CA_PATH, timeout=TIMEOUT) as answer:  # noqa: S310  # http(s) only
                certificate = bytes(answer.read(65536))
        except urllib.error.HTTPError as error:
            error.close()
            raise click.ClickException(f"what answers at {self.url} is not Fogbank, or an older one") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise click.ClickException(
                f"no Fogbank answers at {self.url} ({reason}); start one with `fogbank up`, "
                'and `eval "$(fogbank env)"` to point here at it'
            ) from None
        if not certificate.startswith(b"-----BEGIN CERTIFICATE-----"):
            raise click.ClickException(f"what answers at {self.url} is not Fogbank")
        return certificate

    def keys(self) -> Keys:
        """The keys, for requests of our own. Raises ClickException where region or keys are missing.

        Without boto3, which takes longer to load than all the rest: from the environment it takes variables alone.
        """
        if self._credentials:
            known = self._credentials
            return Keys(known["region_name"], known["aws_access_key_id"], known["aws_secret_access_key"])
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        key_id, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
        if not (region and key_id and secret):
            raise click.ClickException(
                'AWS_ENDPOINT_URL is set without keys and region: `eval "$(fogbank env)"` sets all that is needed'
            )
        return Keys(region, key_id, secret, os.environ.get("AWS_SESSION_TOKEN") or None)

    def client(self, service: str) -> Any:
        """A boto3 client. Raises ClickException where region or keys are missing."""
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        # a proxy, as offices have them, does not lead to one's own instance
        config = Config(retries={"max_attempts": 1}, connect_timeout=TIMEOUT, read_timeout=TIMEOUT, proxies={})
        try:
            session = boto3.session.Session(**self._credentials)
            if session.get_credentials() is None:
                raise click.ClickException('AWS_ENDPOINT_URL is set without keys: `eval "$(fogbank env)"` sets both')
            return session.client(service, endpoint_url=self.url, config=config)
        except BotoCoreError as error:
            raise click.ClickException(f'{error} (`eval "$(fogbank env)"` sets all that is needed)') from None

    def post(self, path: str, body: bytes, type_: str = "application/json") -> bytes:
        """The answer to a signed request for a page of our own. Raises ClickException for none, or a refusal."""
        headers = self.keys().sign("POST", self.url, path, body)
        request = urllib.request.Request(self.url + path, body, headers, method="POST")  # noqa: S310  # http(s)
        request.add_header("content-type", type_)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=TIMEOUT) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                told = error.read()
            try:
                message = msgspec.json.decode(told, type=dict[str, Any]).get("message")
            except msgspec.DecodeError:
                message = None
            raise click.ClickException(message or f"{self.url} answers {error.code}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise click.ClickException(f"no Fogbank answers at {self.url} ({reason})") from None
