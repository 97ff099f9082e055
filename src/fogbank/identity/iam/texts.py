"""Policy documents as they are handed in: within their sizes, and of the language."""

from fogbank.identity.iam.errors import LimitExceeded, MalformedPolicyDocument
from fogbank.policy import MalformedPolicy
from fogbank.policy.document import parse_document, parse_trust

MANAGED_SIZE = 6144
USER_INLINE_SIZE = 2048
"""Of all inline policies of a user together, as below."""
ROLE_INLINE_SIZE = 10_240
TRUST_SIZE = 2048
"""Characters other than white space (IAM user guide, "IAM and AWS STS quotas")."""


def check_managed(document: str) -> None:
    """Raises MalformedPolicyDocument, LimitExceeded."""
    check_permissions(document)
    if size_of(document) > MANAGED_SIZE:
        raise LimitExceeded(f"Cannot exceed quota for PolicySize: {MANAGED_SIZE}")


def check_permissions(document: str) -> None:
    """Raises MalformedPolicyDocument where the text is no policy that gives or takes rights."""
    try:
        parse_document(document)
    except MalformedPolicy as error:
        raise MalformedPolicyDocument(f"Syntax errors in policy: {error}") from None


def check_trust(document: str) -> None:
    """Raises MalformedPolicyDocument, LimitExceeded."""
    try:
        parse_trust(document)
    except MalformedPolicy as error:
        raise MalformedPolicyDocument(f"Syntax errors in trust policy: {error}") from None
    if size_of(document) > TRUST_SIZE:
        raise LimitExceeded(f"Cannot exceed quota for ACLSizePerRole: {TRUST_SIZE}")


def size_of(document: str) -> int:
    """Characters other than white space."""
    return sum(map(len, document.split()))
