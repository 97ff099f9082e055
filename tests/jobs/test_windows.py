from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import InvalidRequest
from fogbank.jobs.windows import MaintenanceWindow, is_open, parse_cron, upcoming


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def text(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("cron", "first"),
    [
        ("cron(0 10 * * ? *)", ["2026-01-15 10:00", "2026-01-16 10:00"]),
        ("0 10 * * ? *", ["2026-01-15 10:00", "2026-01-16 10:00"]),
        ("cron(15 12 ? * MON *)", ["2026-01-19 12:15", "2026-01-26 12:15"]),
        ("cron(0 8 1 * ? *)", ["2026-02-01 08:00", "2026-03-01 08:00"]),
        ("cron(0/30 22-23 ? * FRI-SAT *)", ["2026-01-16 22:00", "2026-01-16 22:30", "2026-01-16 23:00"]),
        ("cron(0 0 29 2 ? *)", ["2028-02-29 00:00"]),
        ("cron(5,10 0 1 JAN ? 2027)", ["2027-01-01 00:05", "2027-01-01 00:10"]),
        ("cron(0 0 ? * 1 *)", ["2026-01-18 00:00"]),
        ("cron(0 0 31 2 ? *)", []),
    ],
)
def test_windows_begin(cron: str, first: list[str]) -> None:
    """1 is Sunday, as AWS has it (EventBridge user guide, cron expressions); 15 January 2026 is a Thursday."""
    window = MaintenanceWindow(cron, 60)
    window.check()
    assert [text(time) for time in upcoming((window,), at("2026-01-15 09:00"), len(first))] == first


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "cron(0 10 * * ?)",
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(60 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 10 0 * ? *)",
        "cron(0 10 * 13 ? *)",
        "cron(0 10 * FOO ? *)",
        "cron(0 10 ? * 8 *)",
        "cron(5-1 10 * * ? *)",
        "cron(0/0 10 * * ? *)",
        "cron(-1 10 * * ? *)",
        "cron(0 10 L * ? *)",
        "cron(99999999999 10 * * ? *)",
        "rate(5 minutes)",
    ],
)
def test_what_is_no_cron_expression(cron: str) -> None:
    with pytest.raises(InvalidRequest, match="maintenanceWindows"):
        parse_cron(cron)


@pytest.mark.parametrize("minutes", [0, 1431])
def test_how_long_a_window_may_be(minutes: int) -> None:
    with pytest.raises(InvalidRequest, match="durationInMinutes"):
        MaintenanceWindow("cron(0 10 * * ? *)", minutes).check()


@pytest.mark.parametrize(
    ("now", "open_"),
    [
        ("2026-01-15 22:59:59", False),
        ("2026-01-15 23:00", True),
        ("2026-01-16 00:59:59", True),
        ("2026-01-16 01:00", False),
    ],
)
def test_a_window_may_go_past_midnight(now: str, open_: bool) -> None:
    assert is_open((MaintenanceWindow("cron(0 23 * * ? *)", 120),), at(now)) is open_


def test_without_windows_it_is_always_open() -> None:
    assert is_open((), 0.0)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.integers(0, 59),
    st.integers(0, 23),
    st.sampled_from([1, 30, 60, 1430]),
)
def test_it_is_open_from_a_beginning_on_for_the_duration(moment: datetime, minute: int, hour: int, length: int) -> None:
    moment = moment.replace(tzinfo=UTC)
    today = moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
    begun = today if today <= moment else today - timedelta(days=1)
    window = MaintenanceWindow(f"cron({minute} {hour} * * ? *)", length)
    assert is_open((window,), moment.timestamp()) is (moment - begun < timedelta(minutes=length))
