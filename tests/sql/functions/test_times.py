"""`parse_time` and `time_to_epoch` as functions; the patterns have tests of their own in `tests/sql/times/`."""

import pytest
from tests.sql.evaluation import evaluate

from fogbank.sql import UNDEFINED, Value

U = UNDEFINED


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # the developer guide's example
        (
            "parse_time(\"yyyy.MM.dd G 'at' HH:mm:ss z\", 100000000, 'America/Belize')",
            "1970.01.01 AD at 21:46:40 CST",
        ),
        ("parse_time('yyyy-MM-dd', '100000000')", "1970-01-02"),
        ("parse_time('SSS', 1.6)", "002"),
        ("parse_time(2, 1)", "2"),
        ("parse_time('y', null)", U),
        ("parse_time('y', 1E20)", U),
        ("parse_time(p, 1)", U),
        ("parse_time('y', 1, z)", U),
        ("parse_time('y', 1, missing)", U),
        ("time_to_epoch(d, 'yyyy-MM-dd')", 1585872000000),
        ("time_to_epoch(d, p)", U),
        ("time_to_epoch('2020', 'yyyy-MM-dd')", U),
        ("time_to_epoch(missing, 'yyyy')", U),
        (
            "time_to_epoch(parse_time('yyyy-MM-dd HH:mm:ss.SSS', 1585903518123), 'yyyy-MM-dd HH:mm:ss.SSS')",
            1585903518123,
        ),
    ],
)
def test_values(text: str, value: Value) -> None:
    assert evaluate(text, p="y" * 201, z="Mars/Base", d="2020-04-03") == value
