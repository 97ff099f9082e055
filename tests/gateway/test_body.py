import asyncio
from collections.abc import Sequence

import pytest

from fogbank.awswire.sigv4 import Claim
from fogbank.errors import RequestEntityTooLarge, ServiceUnavailable
from fogbank.gateway import body
from fogbank.gateway.exchange import AsgiMessage, Disconnected, Exchange

LAMBDA = Claim("AK", "20231114", "us-east-1", "lambda", "host", "", "20231114T221320Z")


def exchange(chunks: Sequence[bytes], length: str | None = None, *, leaves: bool = False) -> Exchange:
    left = list(chunks)

    async def receive() -> AsgiMessage:
        if leaves and not left:
            return {"type": "http.disconnect"}
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left) or leaves}

    headers = [] if length is None else [(b"content-length", length.encode())]
    return Exchange({"method": "POST", "raw_path": b"/", "query_string": b"", "headers": headers}, receive)


@pytest.mark.parametrize("chunks", [[b""], [b"abc"], [b"a", b"", b"bc"], [b"x" * body.DEFAULT_LIMIT]])
async def test_a_body_is_put_together(chunks: list[bytes]) -> None:
    one = exchange(chunks)
    await body.Bodies().read(one)
    assert one.request.body == b"".join(chunks)


@pytest.mark.parametrize("length", [str(body.DEFAULT_LIMIT + 1), "9" * 5000, "-1", "many"])
async def test_a_declared_length_is_judged_before_anything_is_read(length: str) -> None:
    with pytest.raises(RequestEntityTooLarge, match="smaller than 1048576 bytes"):
        await body.Bodies().read(exchange([], length))


async def test_a_body_of_undeclared_length_is_cut_at_the_limit() -> None:
    chunk = b"x" * (body.DEFAULT_LIMIT // 2)
    one = exchange([chunk, chunk, b"x", b"never read"])
    with pytest.raises(RequestEntityTooLarge):
        await body.Bodies().read(one)
    assert (await one.receive())["body"] == b"never read"


async def test_lambda_takes_more() -> None:
    one = exchange([b"x" * (body.DEFAULT_LIMIT + 1)])
    one.claim = LAMBDA
    await body.Bodies().read(one)
    one = exchange([], str(body.LIMITS["lambda"] + 1))
    one.claim = LAMBDA
    with pytest.raises(RequestEntityTooLarge, match="smaller than 69905067 bytes"):
        await body.Bodies().read(one)


async def test_a_client_that_leaves() -> None:
    with pytest.raises(Disconnected):
        await body.Bodies().read(exchange([b"a"], leaves=True))


async def test_long_bodies_together_are_bounded_and_short_ones_find_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_LARGE", 3 * body.DEFAULT_LIMIT)
    bodies = body.Bodies()
    going_on, chunk = asyncio.Event(), b"x" * (2 * body.DEFAULT_LIMIT)

    def large() -> Exchange:
        one = exchange([chunk, b"end"])
        one.claim = LAMBDA
        return one

    first, whole = large(), large()
    receive = first.receive

    async def wait_after_the_first() -> AsgiMessage:
        message = await receive()
        if message["body"] == b"end":
            await going_on.wait()
        return message

    first.receive = wait_after_the_first
    reading = asyncio.create_task(bodies.read(first))
    await asyncio.sleep(0)
    with pytest.raises(ServiceUnavailable, match="try again later"):
        await bodies.read(large())
    await bodies.read(exchange([b"x" * body.DEFAULT_LIMIT]))
    going_on.set()
    await reading
    await bodies.read(whole)
    assert whole.request.body == chunk + b"end"
