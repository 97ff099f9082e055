"""The query language of fleet indexing (developer guide, query-syntax): parsed, checked and matched. Pure."""

from fogbank.search.errors import InvalidQuery
from fogbank.search.fields import Fields, Point, Value
from fogbank.search.matching import matches
from fogbank.search.parser import MOST_TERMS, parse
from fogbank.search.query import Query

__all__ = ["MOST_TERMS", "Fields", "InvalidQuery", "Point", "Query", "Value", "matches", "parse"]
