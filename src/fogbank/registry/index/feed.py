"""Which things and groups have changed since the index last looked: names, each once, however often they change.

Whoever changes something only adds its name to a set. One task takes what has gathered, has it worked off, and rests:
nearly a second and four times as long as it worked, so that in a flood of changes each thing is looked at about once a
second, and all of it costs a fifth of one core at most. It rests less where a change would not be found within two
seconds otherwise. A change that finds the task idle is taken at once, and who waits for what changed before (`settled`)
cuts the rest short. Where nothing changes for a while, whoever works is told to let go of what work needs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fogbank.clock import Clock
from fogbank.patience import wait_for
from fogbank.ports import StorageError
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

REST = 0.8
"""Seconds between two rounds, at least, while changes go on."""
RESTS = 4
"""Rests are so many times as long as the round before, where there is time for that."""
WITHIN = 1.9
"""Seconds in which a change is to be found: the rest of the round that is under way, a pause, and its own round."""
LEAST = 0.25
"""Of the time that a round took, what is rested in any case."""
RETRY = 1.0
"""Seconds after a round that failed."""
QUIET = 3.0
"""Seconds without a change after which the work is over for now."""
MOST = 100_000
"""Names that may wait. Beyond it they are forgotten, and the whole index is compared with what there is."""

Work = Callable[[set[str], set[str], set[str]], Awaitable[None]]
"""`work(things, reviews, groups)`: bring the index up to date with what these are now."""


class Feed:
    """Gathers names and hands them to `work`."""

    def __init__(
        self, work: Work, clock: Clock, overflowed: Callable[[], None], quiet: Callable[[], Awaitable[None]]
    ) -> None:
        """`overflowed` is called when names were forgotten, `quiet` awaited when there was no name for a while."""
        self._work = work
        self._quiet = quiet
        self._clock = clock
        self._overflowed = overflowed
        self._things: set[str] = set()
        self._reviews: set[str] = set()
        self._groups: set[str] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._idle = True
        """Whether the task waits for the first name."""
        self._working = False
        self._woken = asyncio.Event()
        self._hurry = asyncio.Event()
        self._pause: float = RESTS
        self._tasks = Tasks("fleet-index")

    # --- hot: called for every write of a shadow ---

    def thing(self, name: str) -> None:
        """The thing of this name, its shadows, groups or connection may have changed."""
        self._things.add(name)
        if self._idle:
            self._wake()

    # --- the rest ---

    def review(self, names: set[str]) -> None:
        """What these things are has not changed, but the queries of dynamic groups have."""
        self._reviews |= names
        self._wake()

    def group(self, name: str) -> None:
        """The thing group of this name may have changed."""
        self._groups.add(name)
        self._wake()

    def start(self) -> None:
        self._tasks.start(self._run(), "feed")

    async def close(self) -> None:
        """Stop; what still waits is found by comparison at the next start."""
        await self._tasks.close()
        self._release(len(self._waiting))

    async def settled(self, within: float, *, rest: float = 1.0) -> None:
        """Return when everything named before this call has been worked off, or after `within` seconds.

        `rest` is how long the pause is to be at least, in times of the round before.
        """
        if not (self._working or self._things or self._reviews or self._groups):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._pause = min(self._pause, rest)
        self._hurry.set()
        await wait_for(future, within, self._clock, self._tasks)

    async def _run(self) -> None:
        while True:
            self._idle = not (self._things or self._reviews or self._groups or self._waiting)
            if self._idle:
                self._woken.clear()
                await self._first()
            await self._round()

    async def _first(self) -> None:
        """Return when there is a first name."""
        woken = self._tasks.start(self._woken.wait(), "woken")
        await wait_for(woken, QUIET, self._clock, self._tasks)
        if self._idle:
            try:
                await self._quiet()
            except Exception:
                log.exception("the fleet index could not let go of its memory")
        await self._woken.wait()

    async def _round(self) -> None:
        """Work off what has gathered. Who comes meanwhile waits for the next one, and so does everybody if it fails."""
        waiting = len(self._waiting)
        things, self._things = self._things, set()
        reviews, self._reviews = self._reviews, set()
        groups, self._groups = self._groups, set()
        self._hurry.clear()
        self._pause = RESTS
        began = self._clock.monotonic()
        self._working = True
        try:
            await self._work(things, reviews, groups)
        except Exception as error:
            if isinstance(error, StorageError):  # a full disk, no descriptors: it says all there is to say
                log.warning("the fleet index is not up to date, next try in %.0f s: %s", RETRY, error)
            else:
                log.exception("the fleet index is not up to date, next try in %.0f s", RETRY)
            self._things |= things
            self._reviews |= reviews
            self._groups |= groups
            await self._clock.sleep(RETRY)
            return
        finally:
            self._working = False
        self._release(waiting)
        self._bound()
        await self._rest(self._clock.monotonic() - began)

    async def _rest(self, took: float) -> None:
        """Rest, long enough to leave others their share; who waits cuts it short."""
        rest = max(min(max(REST, RESTS * took), WITHIN - 2 * took), LEAST * took)
        began = self._clock.monotonic()
        await wait_for(self._tasks.start(self._hurry.wait(), "hurry"), rest, self._clock, self._tasks)
        left = min(rest, self._pause * took) - (self._clock.monotonic() - began)
        if left > 0:
            await self._clock.sleep(left)

    def _bound(self) -> None:
        if len(self._things) > MOST:
            self._things.clear()
            self._overflowed()

    def _wake(self) -> None:
        self._idle = False
        self._woken.set()

    def _release(self, count: int) -> None:
        """Those who have waited longest."""
        for future in self._waiting[:count]:
            if not future.done():
                future.set_result(None)
        del self._waiting[:count]
