"""Every worked case in `cases/`: examples of AWS's guides, runs on AWS, and our decisions where both are silent."""

from pathlib import Path

import pytest

from fogbank.rules.templates import Template
from fogbank.sql import Event, Known, Statement
from fogbank.sql.cases import Case, read_cases, run_case

FILES = sorted(Path(__file__).with_name("cases").glob("*.json"))
CASES = [(file.stem, number, case) for file in FILES for number, case in enumerate(read_cases(file.read_bytes()), 1)]


def render(text: str, statement: Statement, event: Event, known: Known) -> str:
    return Template(text, statement, "template").render(event, known)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{stem}-{number}") for stem, number, case in CASES])
def test_case(case: Case) -> None:
    verdict = run_case(case, render)
    assert verdict.passed, f"{case.sql}\nexpected {verdict.expected}\nactual {verdict.actual}"


def test_every_case_names_its_source() -> None:
    assert len(CASES) > 180
    assert [(stem, number) for stem, number, case in CASES if not case.source] == []


@pytest.mark.parametrize(
    ("expected", "output"),
    [
        (b'{"a":1}', b'{"a":2}'),
        (b'{"a":1}', b"{}"),
        (b'{"a":1}', b'{"a":1,"b":2}'),
        (b'{"a":1}', b'{"a":"1"}'),
        (b'{"a":1}', b'{"a":true}'),
        (b"[1,2]", b"[2,1]"),
        (b"[1]", b"[1,1]"),
        (b"1.5", b"1.5000000001"),
        (b"null", b'""'),
    ],
)
def test_a_case_can_fail(expected: bytes, output: bytes) -> None:
    case = read_cases(
        b'[{"sql":"SELECT VALUE v FROM \'t\'","topic":"t","payload":{"v":%b},"expected":%b}]' % (output, expected)
    )
    verdict = run_case(case[0], render)
    assert not verdict.passed
    assert (verdict.expected, verdict.actual) == (expected.decode(), output.decode())


def test_a_case_that_should_not_fire_fails_where_it_does() -> None:
    case = read_cases(
        b'[{"sql":"SELECT 1 AS a FROM \'t\'","topic":"t","fires":false},{"sql":"SELECT","topic":"t","fires":false}]'
    )
    assert not run_case(case[0], render).passed
    broken = run_case(case[1], render)
    assert not broken.passed
    assert "line 1, column 7" in broken.actual


@pytest.mark.parametrize(("approximate", "passed"), [("true", True), ("false", False)])
def test_approximate_cases_round_to_the_places_expected(approximate: str, passed: bool) -> None:
    case = '{"sql":"SELECT VALUE 215/9 FROM \'t\'","topic":"t","expected":23.89,"approximate":'
    assert run_case(read_cases(f"[{case}{approximate}}}]".encode())[0], render).passed is passed
