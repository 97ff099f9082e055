"""Chooses how functions run: in a sandbox where this machine can make one, as plain processes elsewhere."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from fogbank.functions.executors.base import Executor, Launch, RunningProcess
from fogbank.functions.executors.bubblewrap import BubblewrapExecutor
from fogbank.functions.executors.process import ProcessExecutor

log = logging.getLogger(__name__)


class AutomaticExecutor:
    """Decides with the first start, which pays some 30 ms for it; the platform's own start pays nothing.

    `private` directories are hidden from the functions where that can be done.
    """

    def __init__(self, private: Sequence[Path] = ()) -> None:
        self._private = private
        self._plain = ProcessExecutor()
        self._chosen: Executor | None = None

    async def start(self, launch: Launch) -> RunningProcess:
        if self._chosen is None:
            self._chosen = await self._choose()
        return await self._chosen.start(launch)

    async def sweep(self, scratch: Path) -> None:
        await self._plain.sweep(scratch)

    async def _choose(self) -> Executor:
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            log.warning(
                "functions run as plain processes, which see all that this server's user sees, its keys included: "
                "install bubblewrap to give each a sandbox"
            )
            return self._plain
        sandboxed = BubblewrapExecutor(bwrap, self._private)
        if not await sandboxed.usable():
            log.warning(
                "functions run as plain processes, which see all that this server's user sees, its keys included: "
                "%s cannot make a sandbox on this machine",
                bwrap,
            )
            return self._plain
        return sandboxed
