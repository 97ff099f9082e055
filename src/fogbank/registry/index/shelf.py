"""One index on disk: entries in a directory of tantivy's.

Blocking, for the threads of the engine: one writes, several read. A change is a commit of tantivy's, atomic and on
disk, and readers see the state of the last one. A directory that does not open, or is of another format than today's,
is emptied: what is in it is derived, and can be made again.
"""

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from fogbank.registry.index import documents as lay
from fogbank.registry.index.entry import GroupEntry, ThingEntry
from fogbank.registry.index.landmarks import Landmarks
from fogbank.registry.index.view import View
from fogbank.search import Query
from fogbank.search.query import Everything

if TYPE_CHECKING:
    import tantivy

log = logging.getLogger(__name__)

E = TypeVar("E", ThingEntry, GroupEntry)

_HEAP = 16_000_000
"""Bytes that gather in memory before the engine writes them out by itself."""
_FORMAT = "format"
"""The file that is written last when an index is made, and says how."""


_PARTS = ("fast", "fieldnorm", "idx", "pos", "store", "term")
"""The files of a segment: the endings of their names."""


class _Segment(msgspec.Struct):
    segment_id: str


class _Meta(msgspec.Struct):
    """What the engine writes of the state of an index, as far as it matters here."""

    segments: list[_Segment]


class Shelf(Generic[E]):
    """The entries of one kind."""

    def __init__(self, path: Path, type_: type[E]) -> None:
        """Touches nothing yet."""
        self._path = path
        self._decoder: msgspec.msgpack.Decoder[E] = msgspec.msgpack.Decoder(type_)
        self._landmarks = Landmarks()
        self._index: tantivy.Index | None = None
        self._writer: tantivy.IndexWriter | None = None

    def open(self) -> bool:
        """Open what is there. False: nothing was, or nothing that can be trusted; it is empty now."""
        if self._index is not None:
            return True
        if self._format() == lay.FORMAT:
            try:
                self._check_files()
                self._index = self._opened()
                self.view(Everything()).entries(1, "")
                return True
            except BaseException as error:  # a damaged file may be a panic of the engine, which is no Exception
                if not _is_fault_of_files(error):
                    raise
                log.warning("the index in %s is damaged and is built again: %s", self._path, error)
        self.clear()
        return False

    def close(self) -> None:
        """Let go of the files."""
        self._stop_writing()
        self._index = None

    def drop(self) -> None:
        """Close it, and remove its files."""
        self.close()
        shutil.rmtree(self._path, ignore_errors=True)

    def clear(self) -> None:
        """Make it an empty one, whatever is there."""
        self.drop()
        self._path.mkdir(parents=True, exist_ok=True)
        self._index = self._opened()
        (self._path / _FORMAT).write_text(lay.FORMAT)

    def put(self, entries: Sequence[E]) -> None:
        """Make these the entries under their names; all of them, or none where it fails."""
        last = {entry.name: entry for entry in entries}
        with self._commit() as writer:
            for entry in last.values():
                writer.delete_documents_by_term(lay.KEY, lay.ordered(entry.name))
                writer.add_document(lay.document(entry))

    def remove(self, names: Sequence[str]) -> None:
        """Forget the entries under these names."""
        with self._commit() as writer:
            for name in names:
                writer.delete_documents_by_term(lay.KEY, lay.ordered(name))

    def rest(self) -> None:
        """Let go of what only a change needs: threads, and tens of megabytes. The next change takes them again."""
        self._stop_writing()

    def view(self, query: Query) -> View:
        """What a query finds now."""
        return View(self._opened_index(), query, self._decoder, self._landmarks)

    def _opened_index(self) -> "tantivy.Index":
        if self._index is None:
            raise RuntimeError(f"the index in {self._path} is not open")
        return self._index

    @contextmanager
    def _commit(self) -> "Iterator[tantivy.IndexWriter]":
        """What is done within becomes durable and visible at the end of it; nothing of it where it fails."""
        index = self._opened_index()
        if self._writer is None:
            self._writer = index.writer(_HEAP, 1)
        try:
            yield self._writer
            self._writer.commit()
        except BaseException:  # a writer that has failed once is of no use any more, and a panic is no Exception
            self._writer = None
            raise
        index.reload()

    def _stop_writing(self) -> None:
        """End the threads of the writer, which may be merging files."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.wait_merging_threads()

    def _opened(self) -> "tantivy.Index":
        import tantivy

        index = tantivy.Index(lay.schema(), str(self._path))
        index.register_tokenizer(lay.TOKENIZER, lay.tokenizer())
        index.config_reader("manual")
        index.reload()
        return index

    def _check_files(self) -> None:
        """Of a segment all files must be there; one of them the engine would do without, and find no phrases then."""
        meta = msgspec.json.decode((self._path / "meta.json").read_bytes(), type=_Meta)
        for segment in meta.segments:
            for part in _PARTS:
                (self._path / f"{segment.segment_id.replace('-', '')}.{part}").stat()

    def _format(self) -> str | None:
        try:
            return (self._path / _FORMAT).read_text()
        except (OSError, UnicodeDecodeError):
            return None


def _is_fault_of_files(error: BaseException) -> bool:
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
