"""What an authorizer's function answers, held against all that AWS IoT asks of it.

    {"isAuthenticated": true, "principalId": "sensor7", "policyDocuments": [{...}],
     "disconnectAfterInSeconds": 86400, "refreshAfterInSeconds": 300}

Rules: developer guide, "Defining your Lambda function". An answer that breaks one lets nobody in.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.errors import FogbankError
from fogbank.policy import MalformedPolicy, parse_document
from fogbank.ports import PolicyDocument

MAX_DOCUMENTS = 10
MAX_DOCUMENT = 2048
"""Characters."""
LONGEST = 86_400
"""Seconds; what counts where the answer does not say, too."""
SHORTEST = 300
MAX_ANSWER = 128 * 1024
"""Bytes; ten documents are far less."""

_PRINCIPAL = re.compile(r"[a-zA-Z0-9]{1,128}")
_MOST_SHOWN = 200


class InvalidAnswer(FogbankError):
    """Says which member is wrong, what it must be, and what came."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that makes sense. All but the first are as the function said, authenticated or not."""

    authenticated: bool
    principal: str = ""
    documents: tuple[str, ...] = ()
    disconnect: int = LONGEST
    """Seconds after CONNECT at which the connection ends."""
    refresh: int = LONGEST
    """Seconds after which the function is to be asked again."""

    def policies(self, authorizer: str) -> tuple[PolicyDocument, ...]:
        """The documents under names that say where they come from."""
        return tuple(
            PolicyDocument(f"policyDocuments[{number}] of authorizer {authorizer}", document)
            for number, document in enumerate(self.documents)
        )


def read_answer(payload: bytes, shortest: int = SHORTEST) -> Answer:
    """Judge a function's answer. `shortest` bounds both intervals, in seconds. Raises InvalidAnswer."""
    if len(payload) > MAX_ANSWER:
        raise InvalidAnswer(f"the answer must have {MAX_ANSWER} bytes at most, not {len(payload)}")
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidAnswer(f"the answer is not JSON ({error}): {_shown(payload)}") from None
    if not isinstance(found, dict):
        raise InvalidAnswer(f"the answer must be a JSON object, not {_shown(found)}")
    authenticated = found.get("isAuthenticated")
    if not isinstance(authenticated, bool):
        raise _wrong(found, "isAuthenticated", "true or false")
    if not authenticated:
        return Answer(authenticated=False)
    principal = found.get("principalId")
    if not isinstance(principal, str) or not _PRINCIPAL.fullmatch(principal):
        raise _wrong(found, "principalId", "1 to 128 letters and digits")
    return Answer(
        authenticated=True,
        principal=principal,
        documents=_documents(found),
        disconnect=_seconds(found, "disconnectAfterInSeconds", shortest),
        refresh=_seconds(found, "refreshAfterInSeconds", shortest),
    )


def _documents(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Each as text. None at all is allowed, for a certificate's own policies may do (custom-auth-509cert)."""
    documents = found.get("policyDocuments")
    if documents is None:
        return ()
    if not isinstance(documents, list):
        raise _wrong(found, "policyDocuments", "a list")
    if len(documents) > MAX_DOCUMENTS:
        raise InvalidAnswer(f"policyDocuments must be {MAX_DOCUMENTS} documents at most, not {len(documents)}")
    return tuple(_document(one, f"policyDocuments[{number}]") for number, one in enumerate(documents))


def _document(found: Any, where: str) -> str:
    if not isinstance(found, dict | str):
        raise InvalidAnswer(f"{where} must be a policy document, as an object or a string, not {_shown(found)}")
    text = found if isinstance(found, str) else msgspec.json.encode(found).decode()
    if len(text) > MAX_DOCUMENT:
        raise InvalidAnswer(f"{where} must have {MAX_DOCUMENT} characters at most, not {len(text)}")
    try:
        parse_document(text)
    except MalformedPolicy as error:
        raise InvalidAnswer(f"{where} is not a policy document: {error}: {_shown(text)}") from None
    return text


def _seconds(found: Mapping[str, Any], member: str, shortest: int) -> int:
    value = found.get(member)
    if value is None:
        return LONGEST
    if not isinstance(value, int) or isinstance(value, bool) or not shortest <= value <= LONGEST:
        raise _wrong(found, member, f"a number of seconds from {shortest} to {LONGEST}")
    return value


def _wrong(found: Mapping[str, Any], member: str, rule: str) -> InvalidAnswer:
    came = f"not {_shown(found[member])}" if member in found else "and is missing"
    return InvalidAnswer(f"{member} must be {rule}, {came}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
