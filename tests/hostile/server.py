"""A server to attack: a real process, and what an operator would see of it from outside."""

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.hostile.mqtt import Client

from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import sign
from fogbank.mqtt import Version

START = 20.0
"""Seconds for the server to come up on a busy machine."""
PATIENCE = 8.0
"""Seconds for anything that is to come about by itself."""
SECRET = "h0stile/Secret+Key"
KEY_ID = "AKIAHOSTILE"


def eventually(
    what: str, reached: Callable[[], bool], instead: Callable[[], str] = str, seconds: float = PATIENCE
) -> None:
    """Wait until a condition holds that only another process can bring about."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}; {instead()}"
        select.select([], [], [], 0.005)


class Server:
    """`fogbank up` on a data directory. Use as a context manager."""

    def __init__(self, place: Path, *options: str, data: Path | None = None) -> None:
        self.place = place
        self.data = data or place / "data"
        self.stderr = place / "stderr"
        self._read = 0
        self._lines: list[str] = []
        self._options = options
        self.ready: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Bring it up; on return every listener accepts."""
        self.place.mkdir(parents=True, exist_ok=True)
        ready_file = self.place / "ready.json"
        ready_file.unlink(missing_ok=True)
        ports = [word for name in ("api", "mqtt", "https", "plain-mqtt") for word in (f"--{name}-port", "0")]
        with (self.place / "stdout").open("ab") as out, self.stderr.open("ab") as err:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "fogbank.cli", "up", "--data", str(self.data), *ports),
                    *("--access-key", f"{KEY_ID}:{SECRET}", "--ready-file", str(ready_file), *self._options),
                ],
                stdout=out,
                stderr=err,
                env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FOGBANK_"))},
            )
        eventually("the server is ready", lambda: ready_file.exists() or self.process.poll() is not None, seconds=START)
        assert self.process.poll() is None, self.stderr.read_text()
        self.ready = json.loads(ready_file.read_text())

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    # --- what can be seen of it ---

    @property
    def pid(self) -> int:
        """Of the server itself, whatever it was started through."""
        return int(self.ready["pid"])

    def memory(self) -> int:
        """Resident bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the server has no memory: it is gone")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def lines(self) -> list[str]:
        """All that it wrote to stderr. Only what is new is read: some attacks make it write a lot."""
        with self.stderr.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new.rfind(b"\n") + 1
        self._read += whole
        self._lines += new[:whole].decode(errors="replace").splitlines()
        return self._lines

    # --- ways in ---

    def address(self, name: str) -> tuple[str, int]:
        """Of `api`, `mqtts`, `https` or `plain_mqtt`."""
        if name == "api":
            host, _, port = self.ready["api"].removeprefix("http://").rpartition(":")
            return host, int(port)
        return self.ready[name]["host"], self.ready[name]["port"]

    def connect(self, name: str) -> socket.socket:
        """A fresh TCP connection."""
        return socket.create_connection(self.address(name), timeout=PATIENCE)

    def tls(self, name: str, files: tuple[Path, Path] | None = None, alpn: str | None = None) -> ssl.SSLSocket:
        """A fresh TLS connection, with a client certificate and its key where `files` names them."""
        context = ssl.create_default_context(cafile=self.ready["ca_file"])
        context.check_hostname = False
        if files is not None:
            context.load_cert_chain(*files)
        if alpn is not None:
            context.set_alpn_protocols([alpn])
        return context.wrap_socket(self.connect(name))

    def client(self, client_id: str, version: Version = Version.V3_1_1, **connect: Any) -> Client:
        """An MQTT client on the plain port, connected."""
        return Client(self.connect("plain_mqtt"), version).connect(client_id, **connect)

    def ask(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = b"",
        *,
        query: str = "",
        headers: dict[str, str] | None = None,
        tamper: Callable[[dict[str, str]], dict[str, str]] = lambda headers: headers,
        now: float | None = None,
        region: str = "us-east-1",
        key: tuple[str, str] = (KEY_ID, SECRET),
        timeout: float = 30,
    ) -> tuple[int, dict[str, str], bytes]:
        """A signed request to the API: status, headers and body of the answer. `tamper` gets the signed headers."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        host, port = self.address("api")
        request = Request(method, path, query, {"host": f"{host}:{port}", **(headers or {})}, content)
        signed = sign(request, *key, region=region, service=service, now=time.time() if now is None else now)
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        with contextlib.closing(connection):
            connection.putrequest(method, path + (f"?{query}" if query else ""), skip_host=True)
            for name, value in tamper(signed | {"content-length": str(len(content))}).items():
                connection.putheader(name, value)
            connection.endheaders(content)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def healthy(self) -> bool:
        connection = http.client.HTTPConnection(*self.address("api"), timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", "/_fogbank/health")
            return connection.getresponse().status == 200


@contextlib.contextmanager
def running(place: Path, *options: str) -> Iterator[Server]:
    """A server of one's own."""
    with Server(place, *options) as server:
        yield server
