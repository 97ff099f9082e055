"""What a job's configurations mean for its numbers: how fast it goes, when it is aborted, who tries again. Pure."""

import math

from fogbank.jobs.configs import AbortConfig, AbortCriteria, RetryConfig, RolloutConfig
from fogbank.jobs.records import Execution, Progress
from fogbank.jobs.states import EXECUTED, RETRYABLE, ExecutionStatus

_FAILURES = (ExecutionStatus.FAILED, ExecutionStatus.REJECTED, ExecutionStatus.TIMED_OUT)


def rate(config: RolloutConfig | None, progress: Progress, default: int | None) -> int | None:
    """Executions a minute at this point of a rollout; None: as many as may be.

    The exponential rate begins at its base and grows by its factor with every so many things (50, 100, 200, 400 at
    1000, 2000 and 3000 things, for a factor of 2), up to the maximum.
    """
    most = default if config is None or config.maximum_per_minute is None else config.maximum_per_minute
    if config is None or config.exponential_rate is None:
        return most
    exponential = config.exponential_rate
    criteria = exponential.rate_increase_criteria
    if criteria.number_of_notified_things is not None:
        times = progress.notified // criteria.number_of_notified_things
    else:
        times = progress.count(ExecutionStatus.SUCCEEDED) // (criteria.number_of_succeeded_things or 1)
    grown = exponential.base_rate_per_minute * exponential.increment_factor ** min(times, 64)
    return int(grown if most is None else min(grown, most))


def reason_to_abort(config: AbortConfig | None, progress: Progress) -> AbortCriteria | None:
    """The first criterion that is met: enough things have executed the job, and the share of failures is too great."""
    executed = progress.count(*EXECUTED)
    for criteria in () if config is None else config.criteria_list:
        failures = _FAILURES if criteria.failure_type == "ALL" else (ExecutionStatus(criteria.failure_type),)
        failed = progress.count(*failures)
        if executed >= criteria.min_number_of_executed_things and (
            failed * 100 >= criteria.threshold_percentage * executed
            or math.isclose(failed * 100, criteria.threshold_percentage * executed)
        ):
            return criteria
    return None


def may_retry(config: RetryConfig | None, failed: Execution) -> bool:
    """Whether the thing is given another attempt after this one. REJECTED says that it wants none."""
    if failed.status not in RETRYABLE:
        return False
    for criteria in () if config is None else config.criteria_list:
        if criteria.failure_type == "ALL":
            return sum(failed.retried.values()) < criteria.number_of_retries
        if criteria.failure_type == failed.status.value:
            return failed.retried.get(failed.status.value, 0) < criteria.number_of_retries
    return False
