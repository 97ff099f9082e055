"""MQTT.js, both versions: one Node process a test worker, with all the clients in it.

Its packages come from the registry that npm is configured to use, exactly those whose hashes are in
`tests/e2e/node/package-lock.json`, into a directory of the environment.
"""

import base64
import fcntl
import functools
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
from tests.e2e.clients.base import (
    NONE,
    SESSION_EXPIRY,
    Arrived,
    Connected,
    Door,
    Options,
    Properties,
    Site,
    Version,
    only,
)
from tests.e2e.clients.signing import presigned_url

from fogbank.cli.demo.inbox import Inbox

HERE = Path(__file__).parent.with_name("node")
LISTS = ("package.json", "package-lock.json", ".npmrc")
INSTALL, FETCH = 60, 15
"""Seconds for npm, and for each of its requests; five in all are usual."""
ALIASES = 4


class NoNode(Exception):
    """MQTT.js cannot be run here; says why."""


@functools.cache
def packages() -> Path:
    """`node_modules` with what the lock says, installed by the first worker that asks. Raises NoNode."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise NoNode("Node and npm are not installed")
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in LISTS)).hexdigest()[:16]
    place = Path(sys.prefix) / "node" / digest
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / ".installed").exists():
            _install_once(npm, place)
    return place / "node_modules"


def _install_once(npm: str, place: Path) -> None:
    """What failed for one worker is not tried again by the others of the same run."""
    run, failed = os.environ.get("PYTEST_XDIST_TESTRUNUID", ""), place / ".failed"
    if run and failed.exists() and (lines := failed.read_text().split("\n", 1))[0] == run:
        raise NoNode(lines[1])
    for name in LISTS:
        shutil.copy(HERE / name, place)
    try:
        _install(npm, place)
    except NoNode as error:
        failed.write_text(f"{run}\n{error}")
        raise
    (place / ".installed").touch()


def _install(npm: str, place: Path) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]
    command += ["--fetch-retries=0", f"--fetch-timeout={FETCH * 1000}"]
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=INSTALL, check=False)
    except subprocess.TimeoutExpired:
        raise NoNode(f"npm did not end within {INSTALL} s") from None
    if done.returncode:
        raise NoNode(f"npm could not install MQTT.js: {' '.join(done.stderr.split())[:300]}")


class Answer(msgspec.Struct):
    """A line of the Node process, of either kind."""

    answer: int | None = None
    value: Any = None
    error: str | None = None
    client: str | None = None
    message: dict[str, Any] | None = None


class NodeProcess:
    """Takes orders by lines, which threads may give at the same time."""

    def __init__(self) -> None:
        self._answers: Inbox[Answer] = Inbox()
        self._inboxes: dict[str, Inbox[Arrived]] = {}
        self._numbers = itertools.count(1)
        self._process = subprocess.Popen(
            ["node", str(HERE / "client.cjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "NODE_PATH": str(packages())},
        )
        self._reader = threading.Thread(target=self._read, name="node", daemon=True)
        self._reader.start()

    def receive(self, name: str, inbox: Inbox[Arrived]) -> None:
        """The messages of the client of this name go there."""
        self._inboxes[name] = inbox

    def order(self, do: str, **what: Any) -> Any:
        """Have it done, and wait for the answer. Raises ConnectionError."""
        number = next(self._numbers)
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode({"number": number, "do": do, **what}) + b"\n")
        self._process.stdin.flush()
        answer = self._answers.take(f"an answer to {do}", lambda one: one.answer == number)
        if answer.error is not None:
            raise ConnectionError(answer.error)
        return answer.value

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._reader.join(10)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = msgspec.json.decode(line, type=Answer)
            if said.client is not None and said.message is not None:
                self._inboxes[said.client].put(_arrived(said.message))
            else:
                self._answers.put(said)
        self._answers.close("the Node process has ended")


class MqttJs:
    """One client."""

    def __init__(self, process: NodeProcess, site: Site, version: Version, door: Door, options: Options) -> None:
        self.messages: Inbox[Arrived] = Inbox()
        self._process = process
        self._name = f"{options.client_id}/{id(self)}"
        self._url = _url(site, door, options.port)
        v5 = version is Version.V5
        will = options.will
        self._options: dict[str, Any] = {
            "name": self._name,
            "clientId": options.client_id,
            "protocolVersion": int(version),
            "clean": not options.persistent,
            "ca": _base64(Path(site.where.ca_file).read_bytes()),
            "autoAssignTopicAlias": options.aliases,
            **only(
                will=will and {"topic": will.topic, "payload": _base64(will.payload), "qos": will.qos},
                properties=only(
                    sessionExpiryInterval=SESSION_EXPIRY if options.persistent else None,
                    topicAliasMaximum=ALIASES if options.aliases else None,
                )
                if v5
                else None,
            ),
        }
        if door is Door.CERTIFICATE:
            self._options["cert"] = _base64(site.certificate.read_bytes())
            self._options["key"] = _base64(site.key.read_bytes())
        process.receive(self._name, self.messages)

    def connect(self) -> Connected:
        answer = self._process.order("connect", url=self._url, options=self._options)
        return msgspec.convert(answer, Connected)

    def subscribe(self, filter_: str, qos: int = 1) -> int:
        return int(self._order("subscribe", filter=filter_, qos=qos))

    def unsubscribe(self, filter_: str) -> None:
        self._order("unsubscribe", filter=filter_)

    def publish(
        self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False, properties: Properties = NONE
    ) -> int:
        sent = only(
            userProperties=_grouped(properties.user) or None,
            responseTopic=properties.response_topic,
            correlationData=properties.correlation and _base64(properties.correlation),
            contentType=properties.content_type,
            messageExpiryInterval=properties.expiry,
        )
        return int(
            self._order("publish", topic=topic, payload=_base64(payload), qos=qos, retain=retain, properties=sent)
        )

    def close(self) -> None:
        self._order("close")

    def _order(self, do: str, **what: Any) -> Any:
        return self._process.order(do, client=self._name, **what)


def _url(site: Site, door: Door, port: int | None) -> str:
    if door is Door.SIGV4:
        return presigned_url(site.where, port)
    assert door is Door.CERTIFICATE
    address = site.address(door)
    return f"mqtts://{address.host}:{port or address.port}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _grouped(pairs: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    """As MQTT.js has them: the values of a name together."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _arrived(message: dict[str, Any]) -> Arrived:
    properties = message["properties"]
    user = [
        (name, value)
        for name, values in properties.get("userProperties", {}).items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    correlation = properties.get("correlationData")
    return Arrived(
        message["topic"],
        base64.b64decode(message["payload"]),
        message["qos"],
        message["retain"],
        Properties(
            user=tuple(user),
            response_topic=properties.get("responseTopic"),
            correlation=None if correlation is None else base64.b64decode(correlation),
            content_type=properties.get("contentType"),
            expiry=properties.get("messageExpiryInterval"),
        ),
        properties.get("topicAlias"),
    )
