from uuid import UUID

from fogbank.awswire.http import Request
from fogbank.gateway.exchange import AsgiMessage, Exchange, read_head


async def receive() -> AsgiMessage:
    return {"type": "http.disconnect"}


def test_the_head_of_a_request_stays_as_it_was_sent() -> None:
    scope = {
        "method": "GET",
        "raw_path": b"/things/a%2Fb",
        "query_string": b"a=%20+",
        "headers": [(b"host", b"x"), (b"a", b"1"), (b"b", b"\xe4"), (b"a", b"2")],
    }
    headers = {"host": "x", "a": "1,2", "b": "ä"}
    assert read_head(scope) == Request("GET", "/things/a%2Fb", "a=%20+", headers)


def test_each_exchange_has_an_id_of_its_own() -> None:
    scope = {"method": "GET", "raw_path": b"/", "query_string": b"", "headers": []}
    ids = {Exchange(scope, receive).request_id for _ in range(10)}
    assert len(ids) == 10
    assert all(str(UUID(id_)) == id_ and UUID(id_).version == 4 for id_ in ids)
