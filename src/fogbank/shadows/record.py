"""Shadows as documents of the store."""

from fogbank.ports import Documents
from fogbank.shadows.cache import Held
from fogbank.shadows.document import Shadow
from fogbank.shadows.topics import ShadowId
from fogbank.storage.collection import Collection

KIND = "shadow"
DELETED: dict[str, list[str]] = {"deleted": ["yes"]}
"""The index by which those are found that are only kept for their version."""


def key_of(id_: ShadowId) -> str:
    """`thing/` for the classic shadow, `thing/name` for others: a thing's shadows are neighbours."""
    return f"{id_.thing}/{id_.name or ''}"


class Shadows(Collection[Shadow]):
    """All shadows there are, by `key_of`."""

    def __init__(self, documents: Documents) -> None:
        super().__init__(documents, KIND, Shadow, indexes=lambda shadow: DELETED if shadow.deleted else {})

    async def load(self, id_: ShadowId) -> Held:
        """A shadow as it is stored. Raises StorageError."""
        record = await self._documents.get(KIND, key_of(id_))
        if record is None:
            return Held(None, 0, 0)
        return Held(self._decode(record).value, record.version, len(record.body))
