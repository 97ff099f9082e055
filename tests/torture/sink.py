"""Where rules send to: a queue that speaks as much of SQS as their action does, and outlives the brokers."""

import hashlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import msgspec

Take = Callable[[str], object]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever is killed breaks its connections."""


class Sink:
    """An HTTP server on a thread. While it is `deaf` it takes requests and answers none."""

    def __init__(self, take: Take = lambda _: None) -> None:
        self.take = take
        """Is given each message's body, on a thread of the server's."""
        self.listens = threading.Event()
        self.listens.set()
        self.asked = threading.Event()
        """Set by every request, answered or not."""
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def queue(self) -> str:
        """The URL of its one queue."""
        return f"{self._url}/123456789012/sink"

    @property
    def environment(self) -> dict[str, str]:
        """What makes it a platform's SQS."""
        return {"AWS_ENDPOINT_URL_SQS": self._url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.listens.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """To SendMessage, and to SendMessageBatch."""
        if "Entries" not in request:
            return self._accept(request["MessageBody"])
        return {"Successful": [{"Id": one["Id"], **self._accept(one["MessageBody"])} for one in request["Entries"]]}

    def _accept(self, body: str) -> dict[str, Any]:
        self.take(body)
        digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        return {"MessageId": digest, "MD5OfMessageBody": digest}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                deaf = not sink.listens.is_set()
                sink.asked.set()
                if deaf:
                    self.close_connection = True
                    sink.listens.wait()
                    return
                answer = msgspec.json.encode(sink.answer(msgspec.json.decode(body)))
                self.send_response(200)
                self.send_header("content-type", "application/x-amz-json-1.0")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler
