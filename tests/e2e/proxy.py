"""A TCP proxy that tells when something came through, for what can only be seen on the wire."""

import socket
import threading
from typing import Self

from fogbank.cli.demo.inbox import Inbox


class Proxy:
    """Takes one connection. `answers` gets the size of each chunk that the server sends."""

    def __init__(self, host: str, port: int) -> None:
        self.answers: Inbox[int] = Inbox()
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._listener.close()
        assert not self._thread.is_alive(), "the device is still connected"

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client, socket.create_connection(self._target) as server:
            upwards = threading.Thread(target=self._pump, args=(client, server), daemon=True)
            upwards.start()
            self._pump(server, client, self.answers)
            upwards.join()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, seen: Inbox[int] | None = None) -> None:
        try:
            while chunk := source.recv(65536):
                sink.sendall(chunk)
                if seen is not None:
                    seen.put(len(chunk))
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side has gone
