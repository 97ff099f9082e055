from typing import Any

import pytest

from fogbank.jobs.configs import AbortConfig, RetryConfig, RolloutConfig, read
from fogbank.jobs.criteria import may_retry, rate, reason_to_abort
from fogbank.jobs.records import Execution, Progress
from fogbank.jobs.states import ExecutionStatus

NOTIFIED = {"numberOfNotifiedThings": 1000}


def rollout(**members: Any) -> RolloutConfig:
    found = read(RolloutConfig, members)
    assert found is not None
    return found


def exponential(criteria: dict[str, int], **members: Any) -> RolloutConfig:
    grows = {"baseRatePerMinute": 50, "incrementFactor": 2, "rateIncreaseCriteria": criteria}
    return rollout(exponentialRate=grows, **members)


@pytest.mark.parametrize(
    ("notified", "a_minute"),
    [(0, 50), (999, 50), (1000, 100), (2000, 200), (3000, 400), (4000, 800), (5000, 1000), (900_000, 1000)],
)
def test_the_guide_s_example_of_an_exponential_rate(notified: int, a_minute: int) -> None:
    """Developer guide, jobs-configurations-details: 50, 100, 200, 400 at every 1000 things, up to 1000."""
    assert rate(exponential(NOTIFIED), Progress(notified=notified), 1000) == a_minute


def test_a_rate_by_what_has_succeeded() -> None:
    config = exponential({"numberOfSucceededThings": 10}, maximumPerMinute=90)
    assert rate(config, Progress(notified=500, counts={"SUCCEEDED": 9}), 1000) == 50
    assert rate(config, Progress(counts={"SUCCEEDED": 10}), 1000) == 90


def test_a_plain_rate() -> None:
    assert rate(None, Progress(), 1000) == 1000
    assert rate(None, Progress(), None) is None
    assert rate(rollout(maximumPerMinute=7), Progress(), 1000) == 7


@pytest.mark.parametrize(
    ("criteria", "counts", "aborts"),
    [
        (("FAILED", 10, 10), {"FAILED": 1, "SUCCEEDED": 9}, True),
        (("FAILED", 10, 10), {"FAILED": 1, "SUCCEEDED": 8}, False),
        (("FAILED", 10, 10), {"FAILED": 1, "SUCCEEDED": 10}, False),
        (("FAILED", 10, 10), {"REJECTED": 5, "SUCCEEDED": 5}, False),
        (("ALL", 30, 3), {"REJECTED": 1, "TIMED_OUT": 1, "FAILED": 1, "SUCCEEDED": 6}, True),
        (("ALL", 100, 1), {"REJECTED": 1, "QUEUED": 50, "CANCELED": 3, "REMOVED": 2}, True),
        (("TIMED_OUT", 0.1, 1), {"TIMED_OUT": 1, "SUCCEEDED": 999}, True),
        (("TIMED_OUT", 0.1, 1), {"TIMED_OUT": 1, "SUCCEEDED": 1000}, False),
        (("ALL", 50, 1), {"QUEUED": 5}, False),
    ],
)
def test_when_a_job_is_aborted(criteria: tuple[str, float, int], counts: dict[str, int], aborts: bool) -> None:
    type_, percentage, least = criteria
    listed = {
        "failureType": type_,
        "action": "CANCEL",
        "thresholdPercentage": percentage,
        "minNumberOfExecutedThings": least,
    }
    config = read(AbortConfig, {"criteriaList": [listed]})
    assert (reason_to_abort(config, Progress(counts=counts)) is not None) is aborts


@pytest.mark.parametrize(
    ("criteria", "status", "retried", "may"),
    [
        ({"FAILED": 2}, "FAILED", {}, True),
        ({"FAILED": 2}, "FAILED", {"FAILED": 2}, False),
        ({"FAILED": 2}, "TIMED_OUT", {}, False),
        ({"FAILED": 2, "TIMED_OUT": 1}, "TIMED_OUT", {"FAILED": 2}, True),
        ({"ALL": 2}, "TIMED_OUT", {"FAILED": 1}, True),
        ({"ALL": 2}, "TIMED_OUT", {"FAILED": 1, "TIMED_OUT": 1}, False),
        ({"ALL": 2}, "REJECTED", {}, False),
        ({"ALL": 2}, "CANCELED", {}, False),
        ({"ALL": 0}, "FAILED", {}, False),
    ],
)
def test_who_tries_again(criteria: dict[str, int], status: str, retried: dict[str, int], may: bool) -> None:
    listed = [{"failureType": type_, "numberOfRetries": number} for type_, number in criteria.items()]
    config = read(RetryConfig, {"criteriaList": listed})
    failed = Execution(
        thing="t", job="j", number=1, status=ExecutionStatus(status), queued=0, updated=0, retried=retried
    )
    assert may_retry(config, failed) is may
    assert not may_retry(None, failed)
