"""The table of the standards' statements is complete, true, and what the document shows."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conformance.statements import FILES, deviations, held, statements

from dev import conformance

ROOT = Path(__file__).parent.parent.parent
COUNTS = {"3.1.1": 141, "5.0": 251}
"""As many as the standards number: see the heads of the two files."""


@pytest.mark.parametrize("standard", FILES)
def test_no_statement_is_missing(standard: str) -> None:
    assert sum(key[0] == standard for key in statements()) == COUNTS[standard]


def test_each_statement_is_held_or_says_why_it_does_not_apply() -> None:
    tested = held()
    unsure = [
        key
        for key, one in statements().items()
        if ((key in tested) or (one.elsewhere is not None)) == (one.not_applicable is not None)
    ]
    assert unsure == [], "neither a test nor a reason, or both"


def test_tests_name_statements_that_there_are() -> None:
    named = set(held()) | {key for _, _, keys in deviations() for key in keys}
    assert named - statements().keys() == set()


@pytest.mark.parametrize("place", sorted({one.elsewhere for one in statements().values() if one.elsewhere}))
def test_tests_elsewhere_exist(place: str) -> None:
    path, _, name = place.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in found, f"{place} is gone: which test holds the statement now?"


def test_the_document_is_fresh() -> None:
    """By a process of its own, as `make docs` writes it."""
    script = "from dev import conformance; print(conformance.conformance(), end='')"
    command = [sys.executable, "-W", "error", "-c", script]
    written = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert conformance.REFERENCE.read_text() == written, "run `python -m dev.conformance`"
