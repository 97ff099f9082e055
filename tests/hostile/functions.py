"""Functions on the server under attack: made from source, invoked, deleted."""

import base64
import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.server import Server
from tests.hostile.test_documents import ROLE, zipped

FUNCTIONS = "/2015-03-31/functions"


@contextlib.contextmanager
def function(server: Server, name: str, source: str, **configuration: Any) -> Iterator[str]:
    """A function with a handler `h.h` from `source`, for as long as the block lasts."""
    code = {"ZipFile": base64.b64encode(zipped({"h.py": source.encode()})).decode()}
    body = {"FunctionName": name, "Runtime": "python3.11", "Role": ROLE, "Handler": "h.h", "Code": code}
    status, _, answer = server.ask("lambda", "POST", FUNCTIONS, body | configuration)
    assert status == 201, answer
    try:
        yield name
    finally:
        assert server.ask("lambda", "DELETE", f"{FUNCTIONS}/{name}")[0] == 204


def invoke(server: Server, name: str, payload: Any = None) -> tuple[str | None, Any]:
    """The kind of error, None where there is none, and what it returned."""
    status, headers, body = server.ask(
        "lambda", "POST", f"{FUNCTIONS}/{name}/invocations", payload if isinstance(payload, bytes) else {"in": payload}
    )
    assert status == 200, body
    return headers.get("x-amz-function-error"), json.loads(body)
