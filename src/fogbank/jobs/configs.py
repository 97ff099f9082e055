"""How a job is configured: the API's structures as values, with the rules that the model cannot say. Pure.

They are stored as they came. Sources: API reference of each structure; developer guide, jobs-configurations-details.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.jobs.limits import LONGEST_TIMEOUT
from fogbank.jobs.windows import MaintenanceWindow

C = TypeVar("C", bound=msgspec.Struct)

RETRIES = 10
RETRY_CRITERIA = 2
SOONEST = timedelta(minutes=30)
LATEST_START = timedelta(days=365)
LATEST_END = timedelta(days=730)


class _Config(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Reads and writes the API's own member names."""


class RateIncreaseCriteria(_Config, frozen=True):
    """After how many things the rate grows: of those that were notified, or of those that succeeded."""

    number_of_notified_things: int | None = None
    number_of_succeeded_things: int | None = None


class ExponentialRate(_Config, frozen=True):
    """Begin slowly, and be quicker by a factor with every so many things."""

    base_rate_per_minute: int
    increment_factor: float
    rate_increase_criteria: RateIncreaseCriteria


class RolloutConfig(_Config, frozen=True):
    """How fast executions are made."""

    maximum_per_minute: int | None = None
    exponential_rate: ExponentialRate | None = None

    def check(self, most: int | None) -> None:
        """Raise InvalidRequest where it is faster than allowed, or cannot be."""
        if most is not None and (self.maximum_per_minute or 0) > most:
            raise InvalidRequest(f"maximumPerMinute must be at most {most}, not {self.maximum_per_minute}")
        rate = self.exponential_rate
        if rate is None:
            return
        criteria = rate.rate_increase_criteria
        if (criteria.number_of_notified_things is None) == (criteria.number_of_succeeded_things is None):
            raise InvalidRequest(
                "rateIncreaseCriteria needs either numberOfNotifiedThings or numberOfSucceededThings, and not both"
            )
        if self.maximum_per_minute is not None and rate.base_rate_per_minute > self.maximum_per_minute:
            raise InvalidRequest("baseRatePerMinute must not be greater than maximumPerMinute")


class AbortCriteria(_Config, frozen=True):
    """When a job is aborted."""

    failure_type: Literal["FAILED", "REJECTED", "TIMED_OUT", "ALL"]
    action: Literal["CANCEL"]
    threshold_percentage: float
    min_number_of_executed_things: int


class AbortConfig(_Config, frozen=True):
    """In the order in which they are tried."""

    criteria_list: tuple[AbortCriteria, ...]

    def check(self) -> None:
        """Raises InvalidRequest."""
        for one in self.criteria_list:
            if one.threshold_percentage <= 0:
                raise InvalidRequest("thresholdPercentage must be greater than 0 and at most 100")


class TimeoutConfig(_Config, frozen=True):
    """How long an execution may be in progress."""

    in_progress_timeout_in_minutes: int | None = None

    def check(self) -> None:
        """Raises InvalidRequest."""
        minutes = self.in_progress_timeout_in_minutes
        if minutes is not None and not 1 <= minutes <= LONGEST_TIMEOUT:
            raise InvalidRequest(f"inProgressTimeoutInMinutes must be between 1 and {LONGEST_TIMEOUT}, not {minutes}")


class RetryCriteria(_Config, frozen=True):
    """How often a thing may try again after one kind of failure."""

    failure_type: Literal["FAILED", "TIMED_OUT", "ALL"]
    number_of_retries: int


class RetryConfig(_Config, frozen=True):
    """At most one for each kind of failure."""

    criteria_list: tuple[RetryCriteria, ...]

    def check(self) -> None:
        """Raises InvalidRequest."""
        types = [one.failure_type for one in self.criteria_list]
        if len(set(types)) < len(types) or len(types) > RETRY_CRITERIA or ("ALL" in types and len(types) > 1):
            raise InvalidRequest("jobExecutionsRetryConfig: one failureType twice, or ALL beside another")
        if sum(one.number_of_retries for one in self.criteria_list) > RETRIES:
            raise InvalidRequest(f"jobExecutionsRetryConfig: an execution is tried again at most {RETRIES} times")

    def check_update(self) -> None:
        """Of a job that exists retries can only be given up. Raises InvalidRequest."""
        self.check()
        if any(one.number_of_retries for one in self.criteria_list):
            raise InvalidRequest("jobExecutionsRetryConfig: numberOfRetries of an existing job can only be set to 0")


class PresignedUrlConfig(_Config, frozen=True):
    """In whose name, and for how long, the URLs in a job document are signed."""

    role_arn: str | None = None
    expires_in_sec: int | None = None


class SchedulingConfig(_Config, frozen=True):
    """When a job begins and ends, and at which times things are told of it. Times are UTC."""

    start_time: str | None = None
    end_time: str | None = None
    end_behavior: Literal["STOP_ROLLOUT", "CANCEL", "FORCE_CANCEL"] | None = None
    maintenance_windows: tuple[MaintenanceWindow, ...] = ()

    @property
    def starts(self) -> float | None:
        """Seconds since the epoch."""
        return None if self.start_time is None else parse_time("startTime", self.start_time)

    @property
    def ends(self) -> float | None:
        """Seconds since the epoch."""
        return None if self.end_time is None else parse_time("endTime", self.end_time)

    def check(self, now: float, *, continuous: bool) -> None:
        """Raise InvalidRequest where it is too soon, too late, or cannot be."""
        starts, ends = self.starts, self.ends
        if starts is not None:
            _check_span("startTime", starts - now, LATEST_START)
        if ends is not None:
            _check_span("endTime", ends - now, LATEST_END)
            if starts is not None:
                _check_span("the time between startTime and endTime", ends - starts, LATEST_END)
        if self.maintenance_windows and not continuous:
            raise InvalidRequest("maintenanceWindows are for jobs whose targetSelection is CONTINUOUS")
        if self.maintenance_windows and starts is not None:
            raise InvalidRequest("A job has either a startTime or maintenanceWindows")
        for window in self.maintenance_windows:
            window.check()


def _check_span(what: str, seconds: float, latest: timedelta) -> None:
    if not SOONEST.total_seconds() <= seconds <= latest.total_seconds():
        raise InvalidRequest(f"{what} must be at least 30 minutes and at most {latest.days} days ahead")


def parse_time(member: str, text: str) -> float:
    """`2030-01-31 13:00`, or with seconds, `T` or an offset; as seconds since the epoch. Raises InvalidRequest."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{member} must be a time like 2030-01-31 13:00, and is {text!r}") from None


def written_time(seconds: float) -> str:
    """A time as the API spells it: `2030-01-31 13:00`, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def read(type_: type[C], params: Any) -> C | None:
    """A structure of a request, which the gateway has held against the model. Raises InvalidRequest."""
    if params is None:
        return None
    try:
        return msgspec.convert(params, type_)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{type_.__name__}: {error}") from None


def written(config: msgspec.Struct | None) -> Any:
    """A structure as the API answers it."""
    return None if config is None else msgspec.to_builtins(config)


def read_all(params: Mapping[str, Any], otherwise: object, most_per_minute: int | None) -> dict[str, Any]:
    """The configurations of a request, by their names in records; those of `otherwise` where it names none.

    Raises InvalidRequest.
    """
    rollout = read(RolloutConfig, params.get("jobExecutionsRolloutConfig"))
    abort = read(AbortConfig, params.get("abortConfig"))
    timeout = read(TimeoutConfig, params.get("timeoutConfig"))
    retry = read(RetryConfig, params.get("jobExecutionsRetryConfig"))
    if rollout is not None:
        rollout.check(most_per_minute)
    for config in (abort, timeout, retry):
        if config is not None:
            config.check()
    given = {
        "presigned": read(PresignedUrlConfig, params.get("presignedUrlConfig")),
        "rollout": rollout,
        "abort": abort,
        "timeout": timeout,
        "retry": retry,
    }
    return {name: getattr(otherwise, name, None) if value is None else value for name, value in given.items()}
