import asyncio
from typing import Any, cast

from fogbank.transport.corked import MOST_HELD, Corked
from fogbank.transport.lingering import Lingering


class Recorder(asyncio.Transport):
    """Remembers what is asked of it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5)})
        self.asked: list[Any] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.asked.append(bytes(data))

    def close(self) -> None:
        self.asked.append("close")

    def abort(self) -> None:
        self.asked.append("abort")

    def is_closing(self) -> bool:
        return bool({"close", "abort"} & {one for one in self.asked if isinstance(one, str)})

    def pause_reading(self) -> None:
        self.asked.append("pause")

    def resume_reading(self) -> None:
        self.asked.append("resume")


async def corked() -> tuple[Corked, Recorder]:
    recorder = Recorder()
    return Corked(recorder, asyncio.get_running_loop()), recorder


async def test_all_of_one_turn_is_one_write() -> None:
    transport, recorder = await corked()
    for part in (b"a", bytearray(b"b"), memoryview(b"c")):
        transport.write(part)
    assert recorder.asked == []
    await asyncio.sleep(0)
    assert recorder.asked == [b"abc"]
    transport.write(b"d")
    await asyncio.sleep(0)
    assert recorder.asked == [b"abc", b"d"]


async def test_much_is_written_at_once() -> None:
    transport, recorder = await corked()
    transport.write(b"a")
    transport.write(b"x" * MOST_HELD)
    assert recorder.asked == [b"a" + b"x" * MOST_HELD]


async def test_closing_writes_first_and_aborting_does_not() -> None:
    transport, recorder = await corked()
    transport.write(b"a")
    transport.close()
    assert recorder.asked == [b"a", "close"]
    transport, recorder = await corked()
    transport.write(b"a")
    transport.abort()
    await asyncio.sleep(0)
    assert recorder.asked == ["abort"]


async def test_nothing_is_written_to_what_is_closing() -> None:
    transport, recorder = await corked()
    transport.write(b"a")
    recorder.close()
    await asyncio.sleep(0)
    assert recorder.asked == ["close"]
    assert transport.is_closing()


async def test_the_rest_goes_straight_through() -> None:
    transport, recorder = await corked()
    transport.pause_reading()
    transport.resume_reading()
    assert recorder.asked == ["pause", "resume"]
    assert transport.get_extra_info("peername") == ("192.0.2.1", 5)
    assert transport.get_extra_info("nothing", 7) == 7


class Parting:
    """Remembers whom it closed."""

    def __init__(self) -> None:
        self.parted: list[asyncio.Transport] = []
        self.part = self.parted.append


async def test_the_last_words_are_given_time() -> None:
    parting, recorder = Parting(), Recorder()
    transport = Corked(recorder, asyncio.get_running_loop(), cast(Lingering, parting))
    transport.write(b"a")
    transport.close()
    assert (recorder.asked, parting.parted) == ([b"a"], [recorder])
    assert transport.is_closing()  # though what is below stays open for a while
    transport.write(b"b")
    await asyncio.sleep(0)
    assert recorder.asked == [b"a"]
