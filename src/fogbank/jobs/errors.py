"""Errors that only jobs have, and how the topics of jobs call errors (developer guide, jobs-api: ErrorCode)."""

from collections.abc import Mapping

from fogbank.errors import (
    InvalidRequest,
    LimitExceeded,
    ResourceNotFound,
    ServiceError,
    Throttling,
)


class InvalidStateTransition(ServiceError):
    """The job or the execution is not in a state for this."""

    code = "InvalidStateTransitionException"
    status = 409


class VersionMismatch(InvalidStateTransition):
    """The execution is not at the version that a device expects. Over HTTP the model knows no name for it but that of
    its base. UNVERIFIED."""


class TerminalState(ServiceError):
    """The execution has ended; a device cannot read it any more."""

    code = "TerminalStateException"
    status = 410


class InvalidTopic(InvalidRequest):
    """There is no request about jobs with such a topic."""


class InvalidJson(InvalidRequest):
    """The payload of a request is no JSON."""


_CODES: Mapping[type[ServiceError], str] = {
    InvalidTopic: "InvalidTopic",
    InvalidJson: "InvalidJson",
    InvalidRequest: "InvalidRequest",
    VersionMismatch: "VersionMismatch",
    InvalidStateTransition: "InvalidStateTransition",
    TerminalState: "TerminalStateReached",
    ResourceNotFound: "ResourceNotFound",
    Throttling: "RequestThrottled",
    LimitExceeded: "RequestThrottled",
}


def error_code(error: ServiceError) -> str:
    """What a rejected document calls an error."""
    return next((code for type_, code in _CODES.items() if isinstance(error, type_)), "InternalError")
