"""The errors of IAM and STS, by the codes that they have on the wire."""

from fogbank.errors import ServiceError


class NoSuchEntity(ServiceError):
    code = "NoSuchEntity"
    status = 404


class EntityAlreadyExists(ServiceError):
    code = "EntityAlreadyExists"
    status = 409


class DeleteConflict(ServiceError):
    code = "DeleteConflict"
    status = 409


class LimitExceeded(ServiceError):
    code = "LimitExceeded"
    status = 409


class MalformedPolicyDocument(ServiceError):
    code = "MalformedPolicyDocument"
    status = 400


class InvalidInput(ServiceError):
    code = "InvalidInput"
    status = 400


class ValidationError(ServiceError):
    code = "ValidationError"
    status = 400


class AccessDenied(ServiceError):
    """Signed, known, and not allowed by any policy."""

    code = "AccessDeniedException"
    status = 403


class PackedPolicyTooLarge(ServiceError):
    """The policies and tags of a session do not fit into its token."""

    code = "PackedPolicyTooLarge"
    status = 400
