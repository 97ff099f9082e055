"""What can go wrong when a device provisions itself over MQTT, in the words of rejected documents.

`{"statusCode": int, "errorCode": str, "errorMessage": str}` (developer guide, fleet-provision-api). The guide names no
codes: InvalidCertificateOwnershipToken was seen in the field; the others are UNVERIFIED, and to be changed here.
"""

from typing import ClassVar

from fogbank.errors import FogbankError


class Rejection(FogbankError):
    """A request that is not granted. The text is for whoever builds the device, `detail` for whoever owns the account:
    log and trace have it, the device does not."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "InternalError"

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail or message


class InvalidPayload(Rejection):
    """It cannot be read, or a member is missing or of the wrong kind."""

    status = 400
    code = "InvalidPayload"


class InvalidOwnershipToken(Rejection):
    """Not ours, expired, another's, or used."""

    status = 400
    code = "InvalidCertificateOwnershipToken"


class InvalidCsr(Rejection):
    """No certificate can be made for the certificate signing request."""

    status = 400
    code = "InvalidCSR"


class InvalidParameters(Rejection):
    """The template cannot be filled with these."""

    status = 400
    code = "InvalidParameters"


class AccessDenied(Rejection):
    """The template is off, its hook or its role does not allow it."""

    status = 403
    code = "AccessDenied"


class TemplateNotFound(Rejection):
    """There is no such template for devices."""

    status = 404
    code = "ResourceNotFound"


class Conflicting(Rejection):
    """What is there already is not to be changed, or is being changed by somebody else."""

    status = 409
    code = "ResourceConflict"


class Throttled(Rejection):
    """Too many at once."""

    status = 429
    code = "Throttled"


class Unavailable(Rejection):
    """Not now; the same request may be granted a little later."""

    status = 503
    code = "ServiceUnavailable"


class InternalError(Rejection):
    """A fault of ours; the text never tells internals."""
