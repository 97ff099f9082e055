"""Engines behind the storage ports: one SQLite file and a directory of blobs, or memory for tests.

Services see `ports.Documents`, `ports.Queue`, `ports.Backlogs` and `ports.Blobs` alone, mostly through
`collection.Collection`.
"""

from fogbank.storage.store import Store, memory_store, open_store

__all__ = ["Store", "memory_store", "open_store"]
