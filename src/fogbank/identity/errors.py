"""The errors of authorizers and of those who are refused by them."""

from fogbank.errors import Forbidden, ServiceError


class InvalidResponse(ServiceError):
    """TestInvokeAuthorizer: the authorizer's function failed, or its answer is none that AWS IoT would take."""

    code = "InvalidResponseException"
    status = 400


class Rejected(Forbidden):
    """A client that is not let in. Its text is for the client; `detail` is for the log alone."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail or message


class NobodyToAsk(Rejected):
    """The client brought no credentials, named no authorizer, and there is no default one."""


class BadToken(Rejected):
    """The token or its signature is missing or wrong; the function was not asked."""


class NotAuthenticated(Rejected):
    """The function was asked and said no."""


class NoAnswer(Rejected):
    """The function could not be invoked, failed, or took too long."""


class BadAnswer(Rejected):
    """The function's answer is not one that AWS IoT would take."""
