"""How many, how long and how fast: the quotas of jobs (AWS general reference, IoT Device Management, jobs limits)."""

import msgspec

from fogbank.settings import Limits


class JobLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds in force. None where there is none."""

    rollout_per_minute: int | None
    """Executions that a job makes a minute where it does not say, and the most that it may say."""
    active_jobs: int | None
    targets: int | None
    deletions: int | None
    """Jobs that are being deleted at a time."""
    in_flight: int | None
    """Unanswered requests per thing and connection. UNVERIFIED: as shadows have it."""
    request_bytes: int = 128 * 2**10
    pending_bytes: int = 32 * 2**20
    """Of all unanswered requests that came over MQTT, together: our own bound on memory."""

    @classmethod
    def of(cls, limits: Limits) -> "JobLimits":
        """The bounds for the instance's choice."""
        if limits is Limits.OPEN:
            return cls(rollout_per_minute=None, active_jobs=None, targets=None, deletions=None, in_flight=None)
        return cls(rollout_per_minute=1000, active_jobs=100_000, targets=100, deletions=10, in_flight=10)


LONGEST_TIMEOUT = 10_080
"""Minutes: seven days."""
DETAILS = 10
"""Pairs in the status details of an execution."""
LONGEST_DETAIL = 1024
KEPT_DAYS = 730
"""How long a job that has ended is kept."""
