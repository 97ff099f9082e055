"""The tokens of lists in the data plane: the name after which to go on, in base64 so that nobody builds on that."""

import base64
import binascii

from fogbank.errors import InvalidRequest

LONGEST = 131_072
"""Characters; a topic of the greatest length makes fewer."""


def write_token(name: str) -> str:
    """The token of the page that begins behind this name."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def read_token(token: str | None) -> str:
    """The name, which is empty where there is no token. Raises InvalidRequest."""
    if token is None:
        return ""
    try:
        if len(token) > LONGEST:
            raise ValueError
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidRequest("Invalid nextToken: pass the nextToken of the page before") from None
