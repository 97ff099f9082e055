"""The reserved topics of fleet provisioning (developer guide, fleet-provision-api), and what each asks."""

import re

import msgspec

from fogbank.registry.provisioning.payload_format import PayloadFormat
from fogbank.registry.provisioning.rates import Asked

CERTIFICATES = "$aws/certificates/"
TEMPLATES = "$aws/provisioning-templates/"

_CREATE = {
    f"{CERTIFICATES}create/": Asked.CREATE_KEYS,
    f"{CERTIFICATES}create-from-csr/": Asked.CREATE_FROM_CSR,
}
_PROVISION = re.compile(rf"{re.escape(TEMPLATES)}([^/]+)/provision/(json|cbor)")


class Question(msgspec.Struct, frozen=True):
    """What a topic asks."""

    asked: Asked
    format: PayloadFormat
    template: str = ""
    """The name in the topic; it may be any text."""

    @property
    def topic(self) -> str:
        """Where it was asked; answers are below it."""
        match self.asked:
            case Asked.CREATE_KEYS:
                return f"{CERTIFICATES}create/{self.format.value}"
            case Asked.CREATE_FROM_CSR:
                return f"{CERTIFICATES}create-from-csr/{self.format.value}"
            case Asked.REGISTER_THING:
                return f"{TEMPLATES}{self.template}/provision/{self.format.value}"


def question(topic: str) -> Question | None:
    """None where nothing is asked on this topic."""
    for prefix, asked in _CREATE.items():
        format_ = topic.removeprefix(prefix)
        if format_ != topic:
            return Question(asked, PayloadFormat(format_)) if format_ in ("json", "cbor") else None
    found = _PROVISION.fullmatch(topic)
    return None if found is None else Question(Asked.REGISTER_THING, PayloadFormat(found[2]), found[1])
