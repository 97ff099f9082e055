import time
import warnings

import pytest
from tests.awswire.specimens import SERVICES, load

from fogbank.awswire.patterns import compile_pattern
from fogbank.awswire.routes import QUERY_SERVICES

SHAPES = [shape for service in (*SERVICES, *QUERY_SERVICES) for shape in load(service).shapes.values()]
PATTERNS = sorted({shape.pattern for shape in SHAPES if shape.pattern})


def test_python_can_express_every_pattern_of_the_models() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [pattern for pattern in PATTERNS if compile_pattern(pattern) is None] == []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_takes_long_over_any_value(pattern: str) -> None:
    """Long values that nearly match are what makes a careless pattern take exponential time."""
    compiled = compile_pattern(pattern)
    assert compiled is not None
    start = time.process_time()
    for body in ("a", "A", "1", "/", ".", ":", "-", "a:", "a.", "a/", "a-", "a1", "ä", " ", "arn:aws:lambda:"):
        for end in ("", "\0", "\n", " ", "!"):
            compiled.fullmatch(body * (4096 // len(body)) + end)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("[a-zA-Z0-9:_-]+", ["a", "A:b_c-1"], ["", "a b", "ä", "a\n"]),
        (r"[\p{Graph}\x20]*", ["", "a b!"], ["ä", "a\n", "\x7f"]),
        (r"[^\p{C}]+", ["a b", "ä日本", "\N{GRINNING FACE}"], ["", "a\n", "\0", "a\u200bb", "\x85"]),
        (r"[^\p{C}]*", ["", "a"], ["\x1b"]),
        (r"[\p{Upper}\p{Digit}_]+", ["A_1"], ["a", "Ä"]),
        (r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$", ["", "täg 1:/=+-@", "日本\u2003x"], ["a#", "a\n", "%"]),
        (r"\p{Upper}\p{Lower}+", ["Ab"], ["ab"]),
        (r"[\w+=,.@-]+", ["Bob_1+=,.@-"], ["Bób", "a b", ""]),
        (r"\d{3}", ["123"], ["١٢٣"]),
        (r"[^\s]+", ["a\u2003b"], ["a b"]),
    ],
)
def test_properties(pattern: str, yes: list[str], no: list[str]) -> None:
    compiled = compile_pattern(pattern)
    assert compiled is not None
    assert [text for text in yes if not compiled.fullmatch(text)] == []
    assert [text for text in no if compiled.fullmatch(text)] == []


@pytest.mark.parametrize("pattern", ["(", r"[\p{Klingon}]", "a{3,1}"])
def test_what_python_cannot_express_is_skipped(pattern: str) -> None:
    assert compile_pattern(pattern) is None
