"""aiomqtt, both versions; its event loop runs on a thread, so that the stories read the same as for the others."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import aiomqtt
from tests.e2e.clients.base import NONE, Arrived, Connected, Door, Options, Properties, Site, Version, only
from tests.e2e.clients.paho import from_paho, session_expiry, tls_context, to_paho
from tests.e2e.clients.signing import presigned_path

from fogbank.cli.demo.inbox import PATIENCE, Inbox

T = TypeVar("T")


class Loop:
    """An event loop on a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="aiomqtt", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it there, and wait."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Aio:
    """One client."""

    def __init__(self, site: Site, version: Version, door: Door, options: Options) -> None:
        self.messages: Inbox[Arrived] = Inbox()
        self._options = options
        self._version = version
        address = site.address(door)
        will = options.will
        self._settings: dict[str, Any] = {
            "hostname": address.host,
            "port": options.port or address.port,
            "identifier": options.client_id,
            "protocol": aiomqtt.ProtocolVersion(version),
            "tls_context": tls_context(site, door),
            "timeout": PATIENCE,
            **only(
                transport="websockets" if door.by_websocket else None,
                websocket_path=presigned_path(site.where, options.port) if door is Door.SIGV4 else None,
                will=will and aiomqtt.Will(will.topic, will.payload, will.qos),
                clean_session=not options.persistent if version is Version.V3_1_1 else None,
                clean_start=not options.persistent if version is Version.V5 else None,
                properties=session_expiry() if options.persistent and version is Version.V5 else None,
            ),
        }
        self._loop = Loop()
        self._closed = False
        self._client: aiomqtt.Client | None = None
        self._reader: asyncio.Task[None] | None = None

    def connect(self) -> Connected:
        return self._loop.run(self._connect())

    def subscribe(self, filter_: str, qos: int = 1) -> int:
        assert self._client is not None
        [code] = self._loop.run(self._client.subscribe(filter_, qos))
        return code if isinstance(code, int) else int(code.value)

    def unsubscribe(self, filter_: str) -> None:
        assert self._client is not None
        self._loop.run(self._client.unsubscribe(filter_))

    def publish(
        self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False, properties: Properties = NONE
    ) -> int:
        assert self._client is not None
        sent = to_paho(properties) if self._version is Version.V5 else None
        self._loop.run(self._client.publish(topic, payload, qos, retain, sent))
        return 0

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                self._loop.run(self._disconnect())
            finally:
                self._loop.close()

    async def _connect(self) -> Connected:
        self._client = aiomqtt.Client(**self._settings)
        seen: list[Connected] = []
        paho: Any = self._client._client  # aiomqtt keeps CONNACK's flags to itself
        then = paho.on_connect

        def look(client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
            assigned = getattr(properties, "AssignedClientIdentifier", self._options.client_id)
            seen.append(Connected(flags.session_present, assigned))
            then(client, data, flags, code, properties)

        paho.on_connect = look
        await self._client.__aenter__()
        self._reader = asyncio.create_task(self._read(self._client))
        return seen[0]

    async def _disconnect(self) -> None:
        if self._reader is None or self._client is None:
            return
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.__aexit__(None, None, None)

    async def _read(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload
            assert isinstance(payload, bytes)
            properties = from_paho(message.properties)
            self.messages.put(Arrived(str(message.topic), payload, message.qos, message.retain, properties))
