import asyncio
import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.functions.logs import MAX_LINE, RING_BYTES, TAIL_BYTES, FunctionLog, LogPipe, Logs, Tail, report
from fogbank.testing import FakeClock


def test_keeps_the_last_lines_within_its_bound(clock: FakeClock) -> None:
    log = FunctionLog("f", clock)
    for number in range(1000):
        log.write(f"{number:05d} " + "x" * 1000)
    lines = log.lines()
    assert sum(len(line.text) + 1 for line in lines) <= RING_BYTES
    assert [int(line.text[:5]) for line in lines] == list(range(1000 - len(lines), 1000))
    assert [line.text[:5] for line in log.lines(2)] == ["00998", "00999"]
    assert log.lines(0) == []
    assert lines[0].time == clock.time()


def test_logs_are_by_function_and_can_be_forgotten(clock: FakeClock) -> None:
    logs = Logs(clock)
    logs.of("a").write("one")
    assert [line.text for line in logs.of("a").lines()] == ["one"]
    assert logs.of("b").lines() == []
    logs.forget("a")
    assert logs.of("a").lines() == []


@given(st.lists(st.text("ab\N{SNOWMAN}", max_size=3000), max_size=20))
def test_tail_is_the_end_of_all_lines(lines: list[str]) -> None:
    tail = Tail()
    for line in lines:
        tail.write(line)
    everything = "".join(f"{line}\n" for line in lines).encode()
    assert tail.take() == everything[-TAIL_BYTES:]
    assert tail.take() == b""


@given(
    text=st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"\xff", "\N{SNOWMAN}".encode()]), max_size=40),
    cuts=st.lists(st.integers(0, 60), max_size=5),
)
def test_lines_do_not_depend_on_how_they_arrive(text: list[bytes], cuts: list[int]) -> None:
    data = b"".join(text)

    async def read(chunks: list[bytes]) -> list[str]:
        lines: list[str] = []
        pipe = LogPipe(lines.append)
        for chunk in chunks:
            os.write(pipe.writer, chunk)
            pipe.drain()
        pipe.close()
        return [line for line in lines if line]

    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    split = [data[start:end] for start, end in pairwise(places)]
    expected = data.replace(b"\r", b"\n").decode("utf-8", "replace").split("\n")
    assert asyncio.run(read(split)) == [line for line in expected if line]


async def test_breaks_lines_that_are_too_long() -> None:
    lines: list[str] = []
    pipe = LogPipe(lines.append)
    for _ in range(3):
        os.write(pipe.writer, b"x" * (MAX_LINE // 2))
        pipe.drain()
    pipe.close()
    assert [len(line) for line in lines] == [MAX_LINE, MAX_LINE // 2]


async def test_reads_by_itself_and_ends_with_the_writers() -> None:
    lines: list[str] = []
    arrived = asyncio.Event()

    def write(line: str) -> None:
        lines.append(line)
        arrived.set()

    pipe = LogPipe(write)
    other = os.dup(pipe.writer)
    pipe.started()
    os.write(other, b"one\ntw")
    await asyncio.wait_for(arrived.wait(), 5)
    arrived.clear()
    os.write(other, b"o")
    os.close(other)
    await asyncio.wait_for(arrived.wait(), 5)
    assert lines == ["one", "two"]
    pipe.close()
    assert lines == ["one", "two"]


@pytest.mark.parametrize(
    ("init", "status", "expected"),
    [  # developer guide, "Python function logging"
        (
            130.49,
            "",
            "REPORT RequestId: r\tDuration: 15.74 ms\tBilled Duration: 147 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 56 MB\tInit Duration: 130.49 ms\t",
        ),
        (
            None,
            "Status: timeout",
            "REPORT RequestId: r\tDuration: 15.74 ms\tBilled Duration: 16 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 56 MB\tStatus: timeout",
        ),
    ],
)
def test_report_line(init: float | None, status: str, expected: str) -> None:
    line = report("r", duration_ms=15.74, init_ms=init, memory_size=128, memory_used=56, status=status)
    assert line == expected
