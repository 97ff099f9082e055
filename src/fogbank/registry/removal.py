"""How a document that many rely on is removed, without these having to meet at it.

Attaching one policy to ten thousand certificates must not have them queue up at the policy's record. So a batch that
merely relies on a document (the policy exists) expects it as it was read and writes nothing there. But then who removes
the document cannot see by its version who has come to rely on it in the meantime. So removal takes two steps:

1. It marks the document as leaving, which raises its version: batches that expect the earlier one fail and look again.
2. It looks whether anything relies on the document and, where nothing does, deletes it as it was marked.

Who finds the mark takes it off in its own batch, so that the deletion fails and looks again. A mark that a refused
removal or a kill leaves behind costs the next batch a write, and nothing else.
"""

from typing import TypeVar

import msgspec

from fogbank.ports import Expect, Put
from fogbank.registry.changes import Change, Changes
from fogbank.registry.records import BillingGroup, Policy, ThingGroup
from fogbank.storage.collection import Collection, Stored

T = TypeVar("T", Policy, ThingGroup, BillingGroup)


def relying(collection: Collection[T], stored: Stored[T]) -> Put | Expect:
    """What lets a batch succeed only while `stored` is there as it was read, whoever else relies on it."""
    if not stored.value.leaving:
        return collection.expecting(stored.key, stored.version)
    staying = msgspec.structs.replace(stored.value, leaving=False)
    return collection.putting(stored.key, staying, expect=stored.version)


async def mark(changes: Changes, collection: Collection[T], stored: Stored[T]) -> Stored[T]:
    """The first step: `stored` as it is once marked. Raises StaleVersion."""
    if stored.value.leaving:
        return stored
    leaving = msgspec.structs.replace(stored.value, leaving=True)
    await changes.commit(collection.putting(stored.key, leaving, expect=stored.version), change=Change())
    return Stored(stored.key, stored.version + 1, leaving)
