"""The registry's own modelled errors; those it shares with other services are in `fogbank.errors`."""

from fogbank.errors import ServiceError


class CertificateState(ServiceError):
    """The certificate's status does not allow this."""

    code = "CertificateStateException"
    status = 406


class MalformedPolicy(ServiceError):
    """The text is not a policy document AWS IoT would take."""

    code = "MalformedPolicyException"
    status = 400


class VersionsLimitExceeded(ServiceError):
    """A policy has five versions already."""

    code = "VersionsLimitExceededException"
    status = 409
