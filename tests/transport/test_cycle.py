import asyncio
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from fogbank.transport.cycle import Cycle

NAMES = st.sampled_from([b"content-length", b"connection", b"transfer-encoding", b"x-a", b"X-B", b"x c", b"x:", b""])
VALUES = st.sampled_from(
    [b"2", b"3", b"close", b"keep-alive", b"chunked", b"v", b"a\tb", b"\xff", b"a\r\nx-d: e", b"\n", b"\0"]
)


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def resume_reading(self) -> None:
        pass


def cycle(kind: type[RequestResponseCycle], wire: Wire, method: str = "GET", *, keep_alive: bool = True) -> Any:
    return kind(
        scope={"method": method, "http_version": "1.1"},  # type: ignore[typeddict-item]
        transport=wire,
        flow=FlowControl(wire),
        logger=logging.getLogger("test"),
        access_logger=logging.getLogger("test"),
        access_log=False,
        default_headers=[(b"server", b"fogbank")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )


async def answered(
    kind: type[RequestResponseCycle], method: str, keep_alive: bool, status: int, headers: list[tuple[bytes, bytes]]
) -> tuple[bytes, bool, bool]:
    """What was written, whether the connection was closed, and whether the application was told off."""
    wire = Wire()
    one = cycle(kind, wire, method, keep_alive=keep_alive)
    try:
        await one.send({"type": "http.response.start", "status": status, "headers": headers})
        await one.send({"type": "http.response.body", "body": b"{}"})
    except (RuntimeError, ValueError):
        return wire.written, wire.closed, True
    return wire.written, wire.closed, False


@given(
    st.sampled_from(["GET", "HEAD"]),
    st.booleans(),
    st.sampled_from([200, 204, 404]),
    st.lists(st.tuples(NAMES, VALUES) | st.just((b"content-length", b"2")), max_size=4),
)
def test_it_writes_the_same_as_uvicorn(
    method: str, keep_alive: bool, status: int, headers: list[tuple[bytes, bytes]]
) -> None:
    ours = asyncio.run(answered(Cycle, method, keep_alive, status, headers))
    assert ours == asyncio.run(answered(RequestResponseCycle, method, keep_alive, status, headers))


async def test_a_whole_body_comes_once_and_then_the_end_is_waited_for() -> None:
    one = cycle(Cycle, Wire())
    one.body, one.more_body = bytearray(b"abc"), False
    one.message_event.set()
    assert await one.receive() == {"type": "http.request", "body": b"abc", "more_body": False}
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(one.receive(), 0.01)
    one.disconnected = True
    one.message_event.set()
    assert (await one.receive())["type"] == "http.disconnect"
