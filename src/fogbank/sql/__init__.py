"""AWS IoT SQL: `parse` a statement, `compile_statement` it once, `evaluate` the query on any number of events.

A query that `asks` (it calls `get_thing_shadow` or the like) is evaluated by `evaluate_asking` instead, with `Answers`
made for that message from an `Outside`, which the rules engine implements.
"""

from fogbank.sql.coercion import render
from fogbank.sql.errors import SqlError
from fogbank.sql.event import CHANCE, Chance, Event, MqttProperties
from fogbank.sql.explain import Explanation
from fogbank.sql.nodes import Statement
from fogbank.sql.outside import Answers, CannedAnswers, Known, Outside, OutsideFailed
from fogbank.sql.parser import parse
from fogbank.sql.query import Expression, Outcome, Query, compile_expression, compile_statement
from fogbank.sql.values import UNDEFINED, Value
from fogbank.sql.version import Version

__all__ = [
    "CHANCE",
    "UNDEFINED",
    "Answers",
    "CannedAnswers",
    "Chance",
    "Event",
    "Explanation",
    "Expression",
    "Known",
    "MqttProperties",
    "Outcome",
    "Outside",
    "OutsideFailed",
    "Query",
    "SqlError",
    "Statement",
    "Value",
    "Version",
    "compile_expression",
    "compile_statement",
    "parse",
    "render",
]
