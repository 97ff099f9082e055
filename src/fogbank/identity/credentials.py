"""What a client sends for an authorizer: which one it means, a token, and a signature over it.

The three come as headers or query parameters of a request, or at the end of the MQTT user name as in
`user?x-amz-customauthorizer-name=...&token=...` (developer guide, "Connecting to AWS IoT Core by using custom
authentication"). Names are not case-sensitive here, as headers are not.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import msgspec

from fogbank.ports import HttpHead

NAME = "x-amz-customauthorizer-name"
SIGNATURE = "x-amz-customauthorizer-signature"

_SIGV4 = ("X-Amz-Signature=", "X-Amz-Algorithm=", "X-Amz-Credential=")


class Credentials(msgspec.Struct, frozen=True):
    """Named values as they came, decoded. They stay out of `repr` and so out of logs."""

    fields: Mapping[str, str] = {}

    @property
    def authorizer(self) -> str | None:
        """The name of the authorizer that the client wants to be judged by."""
        return self.fields.get(NAME) or None

    @property
    def signature(self) -> str | None:
        """Base64 has no spaces: where there are some, a client's form encoding has made them of plus signs."""
        return self.fields.get(SIGNATURE, "").replace(" ", "+") or None

    def token(self, key_name: str | None) -> str | None:
        """The token, where the authorizer looks for it."""
        return None if key_name is None else self.fields.get(key_name.lower()) or None

    def over(self, other: "Credentials") -> "Credentials":
        """These, and those of `other` which are not among them."""
        return Credentials({**other.fields, **self.fields})

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self.fields))})"


def of_head(head: HttpHead) -> Credentials:
    """Those of a request. Headers go before query parameters."""
    return Credentials({**dict(_parameters(head.query)), **head.headers})


def of_username(username: str | None) -> Credentials:
    """Those at the end of an MQTT user name, behind the first question mark."""
    return Credentials(dict(_parameters((username or "").partition("?")[2])))


def is_signed(head: HttpHead) -> bool:
    """Whether the request claims to be signed by an access key (SigV4), which an authorizer has no part in."""
    authorization = head.headers.get("authorization", "")
    return authorization.startswith("AWS4-") or any(name in head.query for name in _SIGV4)


def _parameters(query: str) -> Iterator[tuple[str, str]]:
    """A plus sign stays one: tokens and signatures are often base64, and not every client encodes them. UNVERIFIED."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name:
            yield unquote(name).lower(), unquote(value)
