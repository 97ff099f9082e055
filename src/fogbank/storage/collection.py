"""Documents of one kind as typed structs: how every service reads and writes its state."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from fogbank.ports import Delete, Documents, Expect, Put, Record, StorageError

T = TypeVar("T", bound=msgspec.Struct)

Indexes = Mapping[str, Sequence[str]]


class Stored(msgspec.Struct, Generic[T], frozen=True):
    """A value and the version it is stored at; hand the version back as `expect` to write only over what you read."""

    key: str
    version: int
    value: T


class Collection(Generic[T]):
    """A kind of document, encoded as JSON. `indexes` derives the index entries from a value."""

    def __init__(
        self, documents: Documents, kind: str, type_: type[T], *, indexes: Callable[[T], Indexes] | None = None
    ) -> None:
        self._documents = documents
        self._kind = kind
        self._decoder = msgspec.json.Decoder(type_)
        self._indexes = indexes

    async def get(self, key: str) -> Stored[T] | None:
        record = await self._documents.get(self._kind, key)
        return None if record is None else self._decode(record)

    async def scan(self, *, prefix: str = "", after: str = "", limit: int | None = None) -> list[Stored[T]]:
        """In key order, from the first key greater than `after`."""
        records = await self._documents.scan(self._kind, prefix=prefix, after=after, limit=limit)
        return [self._decode(record) for record in records]

    async def find(self, index: str, value: str, *, after: str = "", limit: int | None = None) -> list[Stored[T]]:
        """Those with `value` under `index`, in key order."""
        records = await self._documents.find(self._kind, index, value, after=after, limit=limit)
        return [self._decode(record) for record in records]

    async def put(self, key: str, value: T, *, expect: int | None = None) -> int:
        """Write durably; the new version. Raises StaleVersion. For several at once: `putting` and a commit."""
        [version] = await self._documents.commit(self.putting(key, value, expect=expect))
        return version

    async def delete(self, key: str, *, expect: int | None = None) -> None:
        await self._documents.commit(self.deleting(key, expect=expect))

    def putting(self, key: str, value: T, *, expect: int | None = None) -> Put:
        """The change that writes `value`, for `Documents.commit`."""
        indexes = {} if self._indexes is None else self._indexes(value)
        return Put(self._kind, key, msgspec.json.encode(value), expect, indexes)

    def deleting(self, key: str, *, expect: int | None = None) -> Delete:
        """The change that removes `key`, for `Documents.commit`."""
        return Delete(self._kind, key, expect)

    def expecting(self, key: str, version: int) -> Expect:
        """What fails a batch where `key` is not at `version`, for `Documents.commit`."""
        return Expect(self._kind, key, version)

    async def presence(self, key: str) -> Expect | None:
        """What fails a batch where `key` is not as it is now, for `Documents.commit`; None where it is not there."""
        record = await self._documents.get(self._kind, key)
        return None if record is None else self.expecting(key, record.version)

    def _decode(self, record: Record) -> Stored[T]:
        try:
            return Stored(record.key, record.version, self._decoder.decode(record.body))
        except msgspec.DecodeError as error:
            raise StorageError(f"the stored {self._kind} {record.key!r} cannot be read: {error}") from error
