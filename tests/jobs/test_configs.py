from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import InvalidRequest
from fogbank.jobs.configs import (
    AbortConfig,
    RetryConfig,
    RolloutConfig,
    SchedulingConfig,
    TimeoutConfig,
    parse_time,
    read,
    written,
    written_time,
)

NOTIFIED = {"numberOfNotifiedThings": 1000}


def rollout(**members: Any) -> RolloutConfig:
    found = read(RolloutConfig, members)
    assert found is not None
    return found


def exponential(criteria: dict[str, int], **members: Any) -> RolloutConfig:
    grows = {"baseRatePerMinute": 50, "incrementFactor": 2, "rateIncreaseCriteria": criteria}
    return rollout(exponentialRate=grows, **members)


@pytest.mark.parametrize(
    "config",
    [
        rollout(maximumPerMinute=1001),
        exponential({}),
        exponential({"numberOfNotifiedThings": 1, "numberOfSucceededThings": 1}),
        exponential(NOTIFIED, maximumPerMinute=49),
    ],
)
def test_rollouts_that_cannot_be(config: RolloutConfig) -> None:
    with pytest.raises(InvalidRequest):
        config.check(1000)


@pytest.mark.parametrize(
    "criteria",
    [{"ALL": 11}, {"FAILED": 6, "TIMED_OUT": 5}, {"ALL": 1, "FAILED": 1}],
)
def test_retries_that_cannot_be(criteria: dict[str, int]) -> None:
    listed = [{"failureType": type_, "numberOfRetries": number} for type_, number in criteria.items()]
    config = read(RetryConfig, {"criteriaList": listed})
    assert config is not None
    with pytest.raises(InvalidRequest):
        config.check()


@pytest.mark.parametrize(
    ("member", "config"),
    [
        ("thresholdPercentage", AbortConfig),
        ("inProgressTimeoutInMinutes", TimeoutConfig),
    ],
)
def test_numbers_that_cannot_be(member: str, config: type[AbortConfig] | type[TimeoutConfig]) -> None:
    listed = {"failureType": "ALL", "action": "CANCEL", "thresholdPercentage": 0.0, "minNumberOfExecutedThings": 1}
    params = {"criteriaList": [listed]} if config is AbortConfig else {"inProgressTimeoutInMinutes": 0}
    found = read(config, params)
    assert found is not None
    with pytest.raises(InvalidRequest, match=member):
        found.check()


HOUR = 3600.0


@pytest.mark.parametrize(
    ("starts", "ends", "good"),
    [
        (HOUR, None, True),
        (HOUR / 4, None, False),
        (366 * 24 * HOUR, None, False),
        (None, HOUR, True),
        (None, HOUR / 4, False),
        (None, 731 * 24 * HOUR, False),
        (HOUR, 2 * HOUR, True),
        (2 * HOUR, 2.25 * HOUR, False),
        (2 * HOUR, HOUR, False),
    ],
)
def test_when_a_job_may_begin_and_end(starts: float | None, ends: float | None, good: bool) -> None:
    now = parse_time("now", "2026-01-15 09:00")
    times = {"startTime": starts, "endTime": ends}
    params = {name: written_time(now + ahead) for name, ahead in times.items() if ahead is not None}
    config = read(SchedulingConfig, params)
    assert config is not None
    assert written(config) == params
    if good:
        config.check(now, continuous=False)
    else:
        with pytest.raises(InvalidRequest):
            config.check(now, continuous=False)


@pytest.mark.parametrize("text", ["2026-01-15 09:00", "2026-01-15T09:00:00Z", "2026-01-15T11:00+02:00"])
def test_spellings_of_a_time(text: str) -> None:
    assert written_time(parse_time("startTime", text)) == "2026-01-15 09:00"


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        assert isinstance(parse_time("startTime", text), float)
    except InvalidRequest:
        pass
