"""The policies that AWS manages, as far as templates for IoT and Lambda name them.

`managed_policies.json` has their documents in the versions that AWS publishes (AWS managed policy reference guide).
What is not in it is refused by name when somebody attaches it, never taken for a policy that allows nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

PREFIX = "arn:aws:iam::aws:policy/"


class AwsPolicy(msgspec.Struct, frozen=True):
    """One of them."""

    arn: str
    version: str
    """`v3`: how many times AWS has changed it."""
    created: float
    """When that version was made, in seconds since the epoch."""
    document: str

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def path(self) -> str:
        return f"/{self.arn.removeprefix(PREFIX)}".removesuffix(self.name)

    @property
    def id(self) -> str:
        """Made from the name: AWS's own is not published."""
        return "ANPAFOGBANK" + "".join(one for one in self.name.upper() if one.isalnum())[:117]


class _Entry(msgspec.Struct):
    version: str
    created: datetime
    document: Any


@cache
def aws_policies() -> Mapping[str, AwsPolicy]:
    """By ARN."""
    text = Path(__file__).with_name("managed_policies.json").read_bytes()
    found = msgspec.json.decode(text, type=dict[str, _Entry])
    return {
        PREFIX + name: AwsPolicy(
            PREFIX + name, one.version, one.created.timestamp(), msgspec.json.encode(one.document).decode()
        )
        for name, one in found.items()
    }
