"""One expression on one payload, for tests of functions."""

import json

from fogbank.sql import Event, Value, compile_expression


def evaluate(text: str, **payload: object) -> Value:
    """The value of the expression where the payload has those members."""
    event = Event(topic="t", payload=json.dumps(payload).encode())
    return compile_expression(text, "2016-03-23").evaluate(event)
