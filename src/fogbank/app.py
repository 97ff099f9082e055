"""The composition root: services, the API over them, and the listeners that let the world in.

Start goes from the ground up (storage, services, edges), close from the top down: first nobody comes in any more, then
clients are sent away, then what is under way ends, and storage last, so that nothing acknowledged is lost.
"""

import os
from pathlib import Path
from typing import Self

from fogbank.api import gateway_of
from fogbank.clock import Clock, SystemClock
from fogbank.gateway.iot_endpoint import Endpoint
from fogbank.ready import Address, Ready
from fogbank.services import Addresses, Services
from fogbank.settings import AccessKey, Settings
from fogbank.transport.http import HttpServer
from fogbank.transport.listener import Entrance, Listener
from fogbank.transport.peer import PlainPrincipals
from fogbank.transport.tls import server_context


class Platform:
    """A Fogbank instance in this process: `async with Platform(settings) as platform: ...`."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Opens the data directory. Raises StorageError where that is not possible."""
        self.settings = settings
        self._first_key = AccessKey("", "")
        self._reach = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104
        addresses = Addresses(lambda: self.api_url, lambda: self.public_url, self._endpoint)
        self.services = services = Services(settings, clock or SystemClock(), addresses)
        self.ca_file: Path = services.server.ca
        self._gateway = gateway_of(services)
        self._http = HttpServer(self._gateway)
        principals, desk = services.registry.principals, services.reception.desk
        self._entrance = Entrance(services.broker, self._http.protocol, principals, desk)
        tls = self._entrance.tls(server_context(services.server.certificate, services.server.key))
        self.api = Listener("the HTTP API", settings.host, settings.api_port, self._entrance.http())
        self.mqtts = Listener("MQTT over TLS", settings.host, settings.mqtt_port, tls)
        self.https = Listener("HTTPS", settings.host, settings.https_port, tls)
        self.plain_mqtt: Listener | None = None
        if settings.plain_mqtt_port is not None:
            policy = None if settings.plain_policy is None else settings.plain_policy.read_text()
            greeter = self._entrance.plain_mqtt(PlainPrincipals(policy))
            self.plain_mqtt = Listener("plain MQTT", "127.0.0.1", settings.plain_mqtt_port, greeter)

    @property
    def _listeners(self) -> list[Listener]:
        return [one for one in (self.api, self.mqtts, self.https, self.plain_mqtt) if one is not None]

    @property
    def api_url(self) -> str:
        """Where the HTTP API is reached from here."""
        return _url(self._reach, self.api.port)

    @property
    def public_url(self) -> str:
        """Where others reach the HTTP API: by the first name that the instance was given."""
        return _url((*self.settings.names, self._reach)[0], self.api.port)

    async def start(self) -> Ready:
        """Bring everything up; on return every listener accepts."""
        self._first_key = await self.services.start()
        for listener in self._listeners:
            await listener.open()
        await self.services.resume()
        return self.ready()

    async def close(self) -> None:
        """Shut down in order. What was acknowledged is on disk."""
        for listener in self._listeners:
            await listener.close()
        self._gateway.close()
        await self._entrance.close()
        await self.services.send_away()
        await self._http.shutdown()
        await self._entrance.drain()
        await self.services.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def ready(self) -> Ready:
        """Where everything is."""
        plain = self.plain_mqtt
        return Ready(
            pid=os.getpid(),
            api=self.api_url,
            mqtts=Address(self._reach, self.mqtts.port),
            https=Address(self._reach, self.https.port),
            wss=Address(self._reach, self.https.port),
            plain_mqtt=None if plain is None else Address(plain.host, plain.port),
            ca_file=str(self.ca_file),
            region=self.settings.region,
            account_id=self.settings.account_id,
            access_key_id=self._first_key.id,
            secret_access_key=self._first_key.secret,
            data_dir=str(self.settings.data_dir),
        )

    def _endpoint(self) -> Endpoint:
        return Endpoint((*self.settings.names, self._reach)[0], self.mqtts.port, self.https.port)


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
