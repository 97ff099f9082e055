"""Aggregations over all that a query finds (developer guide, index-aggregate). Blocking, over a `View`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fogbank.registry.index import documents as lay
from fogbank.registry.index.configuration import FieldType
from fogbank.registry.index.view import View
from fogbank.search.names import canonical

_MOST_BUCKETS = 60_000
"""The engine has a bound of 65 000 for all of a query."""
_FEW_VALUES = 10_000
"""Different values up to which percentiles are exact."""
_STEPS = 4096
"""Parts that a span of values is divided into, twice, where there are more."""


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """GetStatistics: of strings `count` alone, of numbers all, with booleans as 0 and 1.

    Where a sum goes beyond what a double can be, everything but `count` is None, as AWS has it.
    """

    count: int
    average: float | None = None
    sum: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    sum_of_squares: float | None = None
    variance: float | None = None
    std_deviation: float | None = None


class Buckets(msgspec.Struct, frozen=True):
    """GetBucketsAggregation: how many entries match, and the most frequent values, the most frequent first."""

    total: int
    buckets: tuple[tuple[str, int], ...]


def column(field: str, type_: FieldType) -> str:
    """The engine's name of the column with the values of a field that are of this type."""
    return f"{lay.COLUMN_OF[type_]}.{lay.column(canonical(field))}"


def statistics(view: View, field: str, type_: FieldType) -> Statistics:
    """Of the values of a field. The variance is that of a population."""
    values = column(field, type_)
    if type_ is FieldType.STRING:
        return Statistics(count=int(view.aggregate(it={"value_count": {"field": values}})["it"]["value"]))
    found = view.aggregate(it={"extended_stats": {"field": values}})["it"]
    if not found["count"] or not math.isfinite(found["sum_of_squares"]):
        return Statistics(count=int(found["count"]))
    return Statistics(
        count=int(found["count"]),
        average=found["avg"],
        sum=found["sum"],
        minimum=found["min"],
        maximum=found["max"],
        sum_of_squares=found["sum_of_squares"],
        variance=found["variance_population"] or 0.0,  # the engine has none of a single value
        std_deviation=found["std_deviation_population"] or 0.0,
    )


def cardinality(view: View, field: str, type_: FieldType) -> int:
    """How many different values a field has; approximately, where they are many."""
    found = view.aggregate(it={"cardinality": {"field": column(field, type_)}})
    return round(float(found["it"]["value"]))


def buckets(view: View, field: str, type_: FieldType, most: int) -> Buckets:
    """The most frequent values of a field; those as frequent as one another in the order of their texts."""
    found = _terms(view, column(field, type_), max(most, 1000))
    texts = ((_text(key, type_), count) for key, count in found)
    ranked = sorted(texts, key=lambda one: (-one[1], one[0]))
    return Buckets(view.count(), tuple(ranked[:most]))


def percentiles(view: View, field: str, percents: Sequence[float]) -> Mapping[float, float]:
    """By percent the value below which so many of the values are; {} without values.

    Between two values it is interpolated with a half step at either end, which fits the guide's example. Exact where
    a field has up to ten thousand different values, else to a sixteen-millionth of their span.
    """
    values = column(field, FieldType.NUMBER)
    found = view.aggregate(it={"stats": {"field": values}}, different={"cardinality": {"field": values}})
    count = int(found["it"]["count"])
    if not count:
        return {}
    ranks = {percent: min(max(percent / 100 * count - 0.5, 0.0), count - 1.0) for percent in percents}
    if found["different"]["value"] <= _FEW_VALUES:
        return _exact(sorted(_terms(view, values, _MOST_BUCKETS)), ranks)
    return _refined(view, canonical(field), float(found["it"]["min"]), float(found["it"]["max"]), ranks)


def _terms(view: View, values: str, size: int) -> list[tuple[Any, int]]:
    terms = {"field": values, "size": size, "segment_size": _MOST_BUCKETS}
    found = view.aggregate(it={"terms": terms})["it"]["buckets"]
    return [(bucket["key"], bucket["doc_count"]) for bucket in found]


def _text(key: Any, type_: FieldType) -> str:
    if type_ is FieldType.NUMBER:
        return str(int(key)) if float(key).is_integer() and abs(key) < 2**53 else repr(float(key))
    if type_ is FieldType.BOOLEAN:
        return "true" if key else "false"
    return str(key)


def _exact(counted: Sequence[tuple[float, int]], ranks: Mapping[float, float]) -> dict[float, float]:
    """From the different values in their order and how often each is there."""

    def at(rank: int) -> float:
        for value, count in counted:
            rank -= count
            if rank < 0:
                return float(value)
        return float(counted[-1][0])

    answers = {}
    for percent, rank in ranks.items():
        below, share = int(rank), rank % 1
        answers[percent] = at(below) + (share * (at(below + 1) - at(below)) if share else 0.0)
    return answers


def _refined(view: View, field: str, low: float, high: float, ranks: Mapping[float, float]) -> dict[float, float]:
    """By a histogram, and a second one of each of its steps that a rank lies in."""
    values = column(field, FieldType.NUMBER)
    step = (high - low) / _STEPS
    first = view.aggregate(it=_histogram(values, low, step))["it"]["buckets"]
    answers = {}
    for percent, rank in ranks.items():
        start, before, inside = _step_of(first, rank)
        if inside > 1:
            finer = view.aggregate_between(field, start, start + step, _histogram(values, start, step / _STEPS))
            start, _, _ = _step_of(finer["buckets"], rank - before)
        answers[percent] = min(max(start, low), high)
    return answers


def _histogram(values: str, start: float, step: float) -> dict[str, Any]:
    return {"histogram": {"field": values, "interval": step, "offset": start % step, "min_doc_count": 1}}


def _step_of(buckets: Sequence[Mapping[str, Any]], rank: float) -> tuple[float, int, int]:
    """Where the step begins that has the value of a rank, how many values are before it, and how many are in it."""
    before = 0
    for bucket in buckets[:-1]:
        if before + bucket["doc_count"] > rank:
            return float(bucket["key"]), before, int(bucket["doc_count"])
        before += bucket["doc_count"]
    last = buckets[-1]
    return float(last["key"]), before, int(last["doc_count"])
