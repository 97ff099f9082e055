"""The errors of the wire itself, before any service is asked: AWS's common errors, with its codes and statuses."""

from fogbank.errors import ServiceError


class SerializationError(ServiceError):
    """The request cannot be read: JSON that is not JSON, a string where a number belongs."""

    code = "SerializationException"
    status = 400


class ValidationError(ServiceError):
    """Parameters break the model's constraints. IoT says InvalidRequestException instead, see `validate`."""

    code = "ValidationException"
    status = 400


class UnknownOperation(ServiceError):
    """No operation of the service has this method and path."""

    code = "UnknownOperationException"
    status = 404


class MethodNotAllowed(ServiceError):
    """The data plane has something at this path, and not by this method."""

    code = "MethodNotAllowedException"
    status = 405


class MissingAuthenticationToken(ServiceError):
    """Neither a signature nor a client certificate."""

    code = "MissingAuthenticationTokenException"
    status = 403


class IncompleteSignature(ServiceError):
    """The signature lacks a part or has one that cannot be read."""

    code = "IncompleteSignatureException"
    status = 400


class UnrecognizedClient(ServiceError):
    """The access key ID is not one of this instance."""

    code = "UnrecognizedClientException"
    status = 403


class InvalidSignature(ServiceError):
    """The signature is wrong, too old, or made for another region."""

    code = "InvalidSignatureException"
    status = 403


class ContentSha256Mismatch(ServiceError):
    """The body is not the one that was signed."""

    code = "XAmzContentSHA256Mismatch"
    status = 400


class InvalidAction(ServiceError):
    """The query protocol's word for an operation that there is not."""

    code = "InvalidAction"
    status = 400


class MalformedQueryString(ServiceError):
    """A form that cannot be read."""

    code = "MalformedQueryString"
    status = 400


class ExpiredToken(ServiceError):
    """The session that signed is over."""

    code = "ExpiredTokenException"
    status = 403
