"""The two formats in which devices ask and are answered: JSON and CBOR, chosen by the last level of the topic."""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.registry.provisioning.errors import InvalidPayload


class PayloadFormat(enum.Enum):
    """As topics spell it."""

    JSON = "json"
    CBOR = "cbor"

    def decode(self, payload: bytes) -> dict[str, Any]:
        """The members of a request; an empty payload has none. Raises InvalidPayload."""
        if not payload:
            return {}
        document = _json(payload) if self is PayloadFormat.JSON else _cbor(payload)
        if not isinstance(document, dict):
            raise InvalidPayload(f"The payload must be one {self.name} map of names and values.")
        return document

    def encode(self, document: Mapping[str, Any]) -> bytes:
        """An answer."""
        if self is PayloadFormat.JSON:
            return msgspec.json.encode(document)
        from fogbank.registry.provisioning import cbor

        return cbor.encode(document)


def _json(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidPayload(f"The payload is not JSON: {error}") from None


def _cbor(payload: bytes) -> Any:
    from fogbank.registry.provisioning import cbor  # most instances never see any

    try:
        return cbor.decode(payload)
    except cbor.InvalidCbor as error:
        raise InvalidPayload(f"The payload is not CBOR: {error}") from None
