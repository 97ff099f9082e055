import pytest
from tests.docs.blocks import Block, blocks, commands, prints


def test_blocks_are_found_with_their_marks_and_lines() -> None:
    document = "# A\n\n```console test\n$ ls\na\n```\n\ntext `code`\n\n```json file=a.json\n{}\n```\n```\nplain\n```\n"
    assert blocks(document) == [
        Block("console", "test", "$ ls\na\n", 4),
        Block("json", "file=a.json", "{}\n", 11),
        Block("", "", "plain\n", 14),
    ]


def test_commands_come_with_what_they_print() -> None:
    assert commands("$ a\n1\n2\n$ b \\\n  c\n3\n$ d\n") == [("a\n", "1\n2\n"), ("b \\\n  c\n", "3\n"), ("d\n", "")]


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a", "a\n", True),
        ("a", "ab", False),
        ("a...c", "abbbc", True),
        ("a...", "b", False),
        ("...", "", True),
        ("(a)", "(a)", True),
    ],
)
def test_three_dots_stand_for_anything(expected: str, actual: str, same: bool) -> None:
    assert prints(expected, actual) is same
