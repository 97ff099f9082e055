"""Everything that one instance keeps: the storage ports over one data directory.

data_dir/
  lock             held while a server runs; the kernel lets go of it however the server ends
  fogbank.sqlite   documents, queues and backlogs (with -wal and -shm beside it while open)
  blobs/           function code and files, by digest
  audit/           who has changed what, a JSON line each
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fogbank.ports import Backlogs, Blobs, Documents, LineLog, Queue
from fogbank.storage.directory import DataDirectory
from fogbank.storage.files import FileBlobs
from fogbank.storage.line_log import FileLineLog
from fogbank.storage.memory import MemoryBacklogs, MemoryBlobs, MemoryDocuments, MemoryLineLog, MemoryQueue
from fogbank.storage.sqlite import SqliteBacklogs, SqliteDocuments, SqliteFile, SqliteQueue


@dataclass(frozen=True, slots=True)
class Store:
    """The engines of one instance. `close()` finishes what was handed over; every later call raises StorageError."""

    documents: Documents
    queue: Queue
    backlogs: Backlogs
    blobs: Blobs
    audit: LineLog
    close: Callable[[], Coroutine[Any, Any, None]]


def open_store(data_dir: Path) -> Store:
    """Open, or make, the store in `data_dir`, readable by its owner alone.

    Whatever a kill left behind is put right first. Raises StorageError where the directory is in use by another
    server, cannot be written, or was written by a newer Fogbank.
    """
    directory = DataDirectory.claim(data_dir)
    try:
        blobs = FileBlobs(directory.path / "blobs")
        audit = FileLineLog(directory.path / "audit" / "audit.ndjson")
        file = SqliteFile(directory.path / "fogbank.sqlite")
    except BaseException:
        directory.release()
        raise

    async def close() -> None:
        try:
            await blobs.close()
            await file.close()
            await audit.close()
        finally:
            directory.release()

    return Store(SqliteDocuments(file), SqliteQueue(file), SqliteBacklogs(file), blobs, audit, close)


def memory_store() -> Store:
    """A store that ends with the process."""

    async def close() -> None:
        return None

    documents = MemoryDocuments()
    return Store(documents, MemoryQueue(), MemoryBacklogs(documents), MemoryBlobs(), MemoryLineLog(), close)
