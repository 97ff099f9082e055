"""Lambda's own errors, beside those in `fogbank.errors` that other services share. Codes are those of the API model."""

from fogbank.errors import Forbidden, ServiceError


class AccessDenied(Forbidden):
    """A service or account that no statement of the function's resource policy allows."""

    code = "AccessDeniedException"
    status = 403


class InvalidRequestContent(ServiceError):
    """The request body is no JSON."""

    code = "InvalidRequestContentException"
    status = 400


class PolicyLengthExceeded(ServiceError):
    """The resource policy would pass 20 KB."""

    code = "PolicyLengthExceededException"
    status = 400


class PreconditionFailed(ServiceError):
    """The caller's RevisionId is not the latest."""

    code = "PreconditionFailedException"
    status = 412


class RequestTooLarge(ServiceError):
    """The event, or the uploaded code, is larger than Lambda takes."""

    code = "RequestTooLargeException"
    status = 413


class TooManyRequests(ServiceError):
    """No environment may be started now. Member: `Reason`, by the model's ThrottleReason."""

    code = "TooManyRequestsException"
    status = 429
