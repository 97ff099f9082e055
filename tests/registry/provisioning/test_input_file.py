import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import InvalidRequest
from fogbank.registry.provisioning import input_file
from fogbank.registry.provisioning.input_file import Cutter, Line, lines_of
from fogbank.registry.provisioning.tasks import Part

FILES = st.lists(st.binary(max_size=6).map(lambda one: one.replace(b"\n", b"")), max_size=30).map(b"\n".join)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of ten bytes or four lines, lines of six bytes."""
    for name, value in {"PART": 10, "LINES": 4, "LONGEST_LINE": 6}.items():
        monkeypatch.setattr(input_file, name, value)


def cut(content: bytes, sizes: list[int]) -> list[tuple[bytes, Part]]:
    cutter, at = Cutter(), 0
    found: list[tuple[bytes, Part]] = []
    for size in (*sizes, len(content)):
        found += cutter.feed(content[at : at + size])
        at += size
    found += cutter.end()
    return found


@given(content=FILES, sizes=st.lists(st.integers(1, 12), max_size=20))
def test_parts_are_the_file_however_it_comes(content: bytes, sizes: list[int]) -> None:
    parts = cut(content, sizes)
    assert b"".join(text for text, _ in parts) == content
    offset = 0
    for text, part in parts:
        assert (part.offset, part.size) == (offset, len(text))
        offset += len(text)
        assert text.count(b"\n") <= input_file.LINES
        assert text.endswith(b"\n") or offset == len(content)
    lines = [line for text, part in parts for line in lines_of(text, part)]
    wanted, at = [], 0
    for number, text in enumerate(content.split(b"\n"), start=1):
        wanted += [Line(number, at, text)] if text.strip() else []
        at += len(text) + 1
    assert lines == wanted


@given(content=FILES, kept=st.integers(0, 5))
def test_another_cutter_goes_on_where_one_has_ended(content: bytes, kept: int) -> None:
    before = cut(content, [])[:kept]
    if not before:
        return
    text, last = before[-1]
    cutter = Cutter(last.first + text.count(b"\n"), last.offset + last.size, len(before))
    after = [*cutter.feed(content[cutter.position :]), *cutter.end()]
    assert [part for _, part in (*before, *after)] == [part for _, part in cut(content, [])]


def test_a_line_that_is_too_long_is_named() -> None:
    for sizes in ([], [1] * 40):
        with pytest.raises(InvalidRequest, match="Line 3 of the input file is longer than 6 bytes"):
            cut(b"a\nb\n1234567\n" + b"c\n" * 10, sizes)
        with pytest.raises(InvalidRequest, match="is longer than 6 bytes"):
            cut(b"x" * 50, sizes)
    assert len(cut(b"123456\n" * 10, [])) == 5


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_file, "MOST_PARTS", 2)
    assert len(cut(b"a\n" * 8, [])) == 2
    with pytest.raises(InvalidRequest, match="too large for one task"):
        cut(b"a\n" * 9, [])
    monkeypatch.setattr(input_file, "MOST_PARTS", 100)
    monkeypatch.setattr(input_file, "LARGEST", 10)
    with pytest.raises(InvalidRequest, match="too large for one task"):
        cut(b"a\n" * 9, [])


@pytest.mark.parametrize("text", [b"", b"[]", b"1", b'{"a": 1}', b'{"a": ["b"]}', b"{", b'{"a": "\xff"}', b"[" * 9999])
def test_a_line_must_be_parameters(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match="not a JSON object of parameters with strings as values"):
        Line(1, 0, text).parameters()


def test_the_guide_s_example() -> None:
    """(bulk-provisioning)"""
    content = b'{"ThingName": "foo", "SerialNumber": "123", "CSR": "csr1"}\r\n'
    assert Line(1, 0, content).parameters() == {"ThingName": "foo", "SerialNumber": "123", "CSR": "csr1"}
    assert Line(1, 0, msgspec.json.encode({"a": "ü\n"})).parameters() == {"a": "ü\n"}
