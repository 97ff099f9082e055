"""The registry's own modelled errors; those it shares with other services are in `fogbank.errors`."""

from fogbank.errors import ServiceError


class CertificateState(ServiceError):
    """The certificate's status does not allow this."""

    code = "CertificateStateException"
    status = 406


class CertificateValidation(ServiceError):
    """The certificate is not one that could be registered; the text says what is wrong with it."""

    code = "CertificateValidationException"
    status = 400


class CertificateConflict(ServiceError):
    """Which CA certificate signed the device's cannot be told."""

    code = "CertificateConflictException"
    status = 409


class RegistrationCodeValidation(ServiceError):
    """The verification certificate is not for the registration code."""

    code = "RegistrationCodeValidationException"
    status = 400


class TransferConflict(ServiceError):
    """The certificate still holds policies or things, and so cannot go to another account."""

    code = "TransferConflictException"
    status = 409


class TransferAlreadyCompleted(ServiceError):
    """The transfer is over, one way or the other."""

    code = "TransferAlreadyCompletedException"
    status = 410


class MalformedPolicy(ServiceError):
    """The text is not a policy document AWS IoT would take."""

    code = "MalformedPolicyException"
    status = 400


class VersionsLimitExceeded(ServiceError):
    """A policy has five versions already."""

    code = "VersionsLimitExceededException"
    status = 409


class IndexNotReady(ServiceError):
    """The fleet index is being built, or does not hold what is asked for."""

    code = "IndexNotReadyException"
    status = 400


class ResourceRegistrationFailure(ServiceError):
    """A template could not be carried out for a device; nothing of it was."""

    code = "ResourceRegistrationFailureException"
    status = 400


class ResourceConflicts(ServiceError):
    """What a template is to make is there already, and other than it says (developer guide, provision-template)."""

    code = "ResourceConflictsException"
    status = 409


class ConflictingResourceUpdate(ServiceError):
    """Others change the same resources all the time."""

    code = "ConflictingResourceUpdateException"
    status = 409


class InvalidAggregation(ServiceError):
    """The field cannot be aggregated, or not so."""

    code = "InvalidAggregationException"
    status = 400
