"""The errors that services raise and that each edge translates once.

A `ServiceError` carries the name of the exception as AWS's API models spell it. The gateway finds the HTTP status
in the model of the operation; `status` here serves where the model is silent (signature errors, unknown routes).
"""

from typing import Any, ClassVar


class FogbankError(Exception):
    """Anything this platform raises on purpose. Its text is meant for a person: what, where, what to do."""


class ServiceError(FogbankError):
    """An error of an AWS API. `members` are further members of the modelled exception shape (`resourceArn`, ...)."""

    code: ClassVar[str] = "InternalFailureException"
    status: ClassVar[int] = 500

    def __init__(self, message: str, **members: Any) -> None:
        super().__init__(message)
        self.message = message
        self.members = members


class InternalFailure(ServiceError):
    """A fault of ours; the text never tells internals."""


class ServiceUnavailable(ServiceError):
    """The platform cannot serve this now; the caller may try again."""

    code = "ServiceUnavailableException"
    status = 503


class InvalidRequest(ServiceError):
    """IoT's word for a bad parameter."""

    code = "InvalidRequestException"
    status = 400


class InvalidParameterValue(ServiceError):
    """Lambda's word for a bad parameter."""

    code = "InvalidParameterValueException"
    status = 400


class ResourceNotFound(ServiceError):
    code = "ResourceNotFoundException"
    status = 404


class ResourceAlreadyExists(ServiceError):
    """IoT: the name is taken by something different. Members: `resourceId`, `resourceArn`."""

    code = "ResourceAlreadyExistsException"
    status = 409


class ResourceConflict(ServiceError):
    """Lambda: the name is taken, or the resource is busy."""

    code = "ResourceConflictException"
    status = 409


class VersionConflict(ServiceError):
    code = "VersionConflictException"
    status = 409


class Conflict(ServiceError):
    """The shadow service's version conflict."""

    code = "ConflictException"
    status = 409


class DeleteConflict(ServiceError):
    code = "DeleteConflictException"
    status = 409


class LimitExceeded(ServiceError):
    code = "LimitExceededException"
    status = 410


class RequestEntityTooLarge(ServiceError):
    """The body of a request is longer than what is taken."""

    code = "RequestEntityTooLargeException"
    status = 413


class Throttling(ServiceError):
    code = "ThrottlingException"
    status = 429


class Unauthorized(ServiceError):
    code = "UnauthorizedException"
    status = 401


class Forbidden(ServiceError):
    """Signed, known, and still not allowed."""

    code = "ForbiddenException"
    status = 403


class GatewayTimeout(ServiceError):
    """Somebody who was to answer did not in time."""

    code = "GatewayTimeoutException"
    status = 504


class NotImplementedByFogbank(ServiceError):
    """The operation exists in AWS's model and not here: said by name, never a silence."""

    code = "NotImplementedException"
    status = 501
