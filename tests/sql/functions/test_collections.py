"""Functions on arrays and objects (developer guide: "Functions")."""

import pytest
from tests.sql.evaluation import evaluate

from fogbank.sql import UNDEFINED, Value

U = UNDEFINED


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("get([1, 2], 1)", 2),
        ("get([1, 2], '1')", 2),
        ("get([1, 2], 0.6)", 2),
        ("get([1, 2], 2)", U),
        ("get([1, 2], -1)", U),
        ("get([1, 2], null)", U),
        ("get('abc', 2)", "c"),
        ("get({'1': 5}, '1')", 5),
        ("get({'1': 5}, 1)", U),
        ("get({'a': 5}, 'b')", U),
        ("get(5, 0)", U),
        ("get(missing, 0)", U),
        ("get(*, 'a-b')", 7),
        ("get((SELECT o FROM *), 0).o", {"x": 1}),
        ("get((SELECT o FROM *), 'o')", {"x": 1}),
        ("get((SELECT o FROM *), 1)", U),
        ("isNull(null)", True),
        ("isNull(missing)", False),
        ("isNull('')", False),
        ("isUndefined(missing)", True),
        ("isUndefined(null)", False),
        ("get_or_default(null, 'd')", "d"),
        ("get_or_default(missing, missing)", U),
        ("get_or_default(0, 'd')", 0),
        ("transform('enrichArray', {'a': 1, 'b': 2}, [{'a': 5}])", [{"a": 5, "b": 2}]),
        ("transform('enrichArray', {'a': 1}, [1])", U),
        ("transform('enrichArray', [1], [])", U),
        ("transform('enrichArray', {'a': 1}, {'b': 2})", U),
        ("transform('enrichArray', {'a': 1}, [])", []),
    ],
)
def test_values(text: str, value: Value) -> None:
    actual = evaluate(text, **{"a-b": 7, "o": {"x": 1}})
    assert (type(actual), actual) == (type(value), value)
