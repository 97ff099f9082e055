from collections.abc import Sequence

import pytest

from fogbank.awswire.errors import RequestEntityTooLarge
from fogbank.awswire.sigv4 import Claim
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
    await body.read(one)
    assert one.request.body == b"".join(chunks)


@pytest.mark.parametrize("length", [str(body.DEFAULT_LIMIT + 1), "9" * 5000, "-1", "many"])
async def test_a_declared_length_is_judged_before_anything_is_read(length: str) -> None:
    with pytest.raises(RequestEntityTooLarge, match="smaller than 1048576 bytes"):
        await body.read(exchange([], length))


async def test_a_body_of_undeclared_length_is_cut_at_the_limit() -> None:
    chunk = b"x" * (body.DEFAULT_LIMIT // 2)
    one = exchange([chunk, chunk, b"x", b"never read"])
    with pytest.raises(RequestEntityTooLarge):
        await body.read(one)
    assert (await one.receive())["body"] == b"never read"


async def test_lambda_takes_more() -> None:
    one = exchange([b"x" * (body.DEFAULT_LIMIT + 1)])
    one.claim = LAMBDA
    await body.read(one)
    one = exchange([], str(body.LIMITS["lambda"] + 1))
    one.claim = LAMBDA
    with pytest.raises(RequestEntityTooLarge, match="smaller than 69905067 bytes"):
        await body.read(one)


async def test_a_client_that_leaves() -> None:
    with pytest.raises(Disconnected):
        await body.read(exchange([b"a"], leaves=True))
