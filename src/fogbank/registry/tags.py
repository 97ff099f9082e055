"""Tags of everything that can be tagged, whichever service keeps it (developer guide, tagging-iot).

One document per resource, under its name in the ARN, so that nobody's records know of tags. Whoever keeps resources

- says once how to find one: `tags.register("job", jobs.presence)`, with the kind as it stands in ARNs
  (`arn:aws:iot:eu-west-1:123456789012:job/NAME`) and, of its `Collection`, the method that is given `NAME` and answers
  what fails a batch once that is gone;
- writes them with the resource, in its own batch: `commit(jobs.putting(...), tags.putting(arn, given))`, where
  `given = checked_tags(members["tags"])` has come from the request, and is `{}` where there are none;
- removes them with it: `commit(jobs.deleting(...), tags.deleting(arn))`.

Packages beside this one know it as the port `ResourceTags`.
"""

import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, LimitExceeded, ResourceNotFound
from fogbank.ports import Delete, Documents, Expect, Put
from fogbank.registry.changes import settle
from fogbank.storage.collection import Collection

TAGS = 50
"""Per resource (general reference, Tag basics)."""
LONGEST_KEY = 128
LONGEST_VALUE = 256
RESERVED = "aws:"

_PUNCTUATION = frozenset("_.:/=+-@")
_LONGEST_SHOWN = 300


class TagSet(msgspec.Struct, frozen=True):
    """A resource's tags."""

    tags: Mapping[str, str]


Find = Callable[[str], Awaitable[Expect | None]]
"""Given a name, what fails a batch once the resource of that name is gone; None where there is none."""


class Tags:
    """The tags of the account's resources. Port ResourceTags."""

    def __init__(self, documents: Documents, arns: Arns) -> None:
        self._documents = documents
        self._prefix = arns.of("iot", "")
        self._stored = Collection(documents, "tags", TagSet)
        self._kinds: dict[str, list[Find]] = {}

    def register(self, kind: str, find: Find) -> None:
        """Resources of `kind`, as ARNs have it, are found by `find`, or by another that is registered for the kind."""
        self._kinds.setdefault(kind, []).append(find)

    def putting(self, arn: str, tags: Mapping[str, str]) -> Put | Delete:
        """The write that gives a resource these tags and no others, for the batch that makes the resource."""
        key = self._key(arn)
        return self._stored.putting(key, TagSet(tags)) if tags else self._stored.deleting(key)

    def deleting(self, arn: str) -> Delete:
        """The write that removes a resource's tags, for the batch that removes the resource."""
        return self._stored.deleting(self._key(arn))

    async def of(self, arn: str) -> Mapping[str, str]:
        """The tags of a resource, in the order of their keys; none where it has none, does not exist or is not here."""
        if not arn.startswith(self._prefix):
            return {}
        stored = await self._stored.get(self._key(arn))
        return {} if stored is None else dict(sorted(stored.value.tags.items()))

    async def list(self, arn: str) -> Mapping[str, str]:
        """As `of`. Raises ResourceNotFound, InvalidRequest (nothing of that kind can have tags)."""
        await self._found(arn)
        return await self.of(arn)

    async def add(self, arn: str, tags: Mapping[str, str]) -> None:
        """Give a resource further tags; keys that it has get the new value.

        Raises ResourceNotFound, InvalidRequest, LimitExceeded.
        """

        def added(there: Mapping[str, str]) -> dict[str, str]:
            after = {**there, **tags}
            if len(after) > TAGS:
                raise LimitExceeded(f"A resource has at most {TAGS} tags; {arn} would have {len(after)}")
            return after

        await self._change(arn, added)

    async def remove(self, arn: str, keys: Iterable[str]) -> None:
        """Take tags off a resource; those it does not have are no error. Raises ResourceNotFound, InvalidRequest."""
        gone = frozenset(keys)
        await self._change(arn, lambda there: {key: value for key, value in there.items() if key not in gone})

    async def _change(self, arn: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
        """Together with the resource as it was found: one that goes away meanwhile leaves no tags behind."""
        key = self._key(arn)

        async def attempt() -> None:
            resource = await self._found(arn)
            stored = await self._stored.get(key)
            before = {} if stored is None else stored.value.tags
            after = change(before)
            if after != before:
                expect = 0 if stored is None else stored.version
                await self._documents.commit(resource, self._stored.putting(key, TagSet(after), expect=expect))

        await settle(attempt)

    async def _found(self, arn: str) -> Expect:
        """What fails a batch once the resource is gone."""
        kind, _, name = self._key(arn).partition("/")
        if kind not in self._kinds or not name:
            raise InvalidRequest(
                f"resourceArn {arn[:_LONGEST_SHOWN]!r} is not that of something that can be tagged, which goes on after"
                f" {self._prefix} with one of {', '.join(f'{one}/' for one in sorted(self._kinds))}"
            )
        for find in self._kinds[kind]:
            if (resource := await find(name)) is not None:
                return resource
        raise ResourceNotFound(f"Resource {arn[:_LONGEST_SHOWN]} not found")

    def _key(self, arn: str) -> str:
        """`kind/name`: what an instance that is started with another account keeps. Raises InvalidRequest."""
        if not arn.startswith(self._prefix):
            raise InvalidRequest(f"resourceArn {arn[:_LONGEST_SHOWN]!r} does not begin with {self._prefix}")
        return arn.removeprefix(self._prefix)


def checked_tags(given: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """The tags in a request, the API's list of `Key` and `Value`. Raises InvalidRequest."""
    tags: dict[str, str] = {}
    for one in given or ():
        key, value = one.get("Key") or "", one.get("Value") or ""
        if key in tags:
            raise InvalidRequest(f"The tag key {key!r} is given twice")
        check_key(key)
        if len(value) > LONGEST_VALUE or not _is_plain(value):
            raise InvalidRequest(f"The value of tag {key!r} must be at most {LONGEST_VALUE} characters, {_CHARACTERS}")
        tags[key] = value
    if len(tags) > TAGS:
        raise InvalidRequest(f"A resource has at most {TAGS} tags, not {len(tags)}")
    return tags


def check_key(key: str) -> str:
    """`key` itself. Raises InvalidRequest."""
    if not 1 <= len(key) <= LONGEST_KEY or not _is_plain(key):
        raise InvalidRequest(f"A tag key must be between 1 and {LONGEST_KEY} characters, {_CHARACTERS}: {key[:128]!r}")
    if key.lower().startswith(RESERVED):
        raise InvalidRequest(f"Tag keys that begin with {RESERVED} are reserved for AWS: {key!r}")
    return key


def header_tags(header: str | None) -> list[dict[str, str]]:
    """The list of tags in the header `x-amz-tagging` (CreateTopicRule): `key1=value1&key2=value2`, URL-encoded."""
    return [{"Key": key, "Value": value} for key, value in parse_qsl(header or "", keep_blank_values=True)]


_CHARACTERS = "letters, digits, spaces and _ . : / = + - @"


def _is_plain(text: str) -> bool:
    r"""AWS's pattern for tag keys, `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`, which holds for values as well (Tag restrictions)."""
    return all(one in _PUNCTUATION or unicodedata.category(one)[0] in "LZN" for one in text)
