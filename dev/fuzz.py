"""`make fuzz`: streams of packets, guided by the coverage of codec and broker, until one of them breaks something.

    python -m dev.fuzz [--runs N] [--seconds N] [--corpus DIRECTORY] [--compiled] [FILE ...]

Each run plays one stream of up to sixty packets from four clients against a broker in memory, and then checks that a
bystander is served and that nothing is left of them (tests/fuzz/scene.py). What fails is written to the corpus
directory as `crash-...`, and given as FILE it is played again. Progress tells the process's memory, which must not
grow. Coverage sees plain Python alone, so that is what runs, unless `--compiled` asks for the hot path as it is used.
"""

import argparse
import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from types import ModuleType

from fogbank import native

CORPUS = Path(".fuzz")
TOLD = 10_000
"""Runs between two lines of progress."""
HANG = 20
"""Seconds after which a run counts as hanging."""
MOST = 400
"""Bytes of an input: more steps than a stream may have."""
IMPATIENCE = 50
"""How soon inputs may be longer, 0 being at once: what goes wrong goes wrong late in a stream."""


class Progress:
    """Counts runs, and tells them with what they cost."""

    def __init__(self) -> None:
        self.runs = 0
        self._begun = time.monotonic()
        self._first = 0

    def another(self) -> None:
        self.runs += 1
        if self.runs == 1000:
            self._first = memory()  # caches have filled by now
        if self.runs % TOLD == 0:
            speed = self.runs / (time.monotonic() - self._begun)
            print(
                f"{self.runs} streams, {speed:.0f}/s, {memory()} MB; {self._first} MB after the first 1000", flush=True
            )


def memory() -> int:
    """Resident megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 >> 20


def main() -> None:
    """Play until something breaks, or until it has been enough."""
    arguments = _arguments()
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed; `make fuzz` does that (Python 3.11 to 3.13)")
    if not arguments.compiled:
        os.environ[native.PURE] = "1"
    logging.getLogger("fogbank").setLevel(logging.ERROR)  # what unruly clients cause is warnings by the million
    with atheris.instrument_imports(include=["fogbank.mqtt", "fogbank.broker"]):
        from tests.fuzz import scene, seeds
    _fuzz(atheris, scene, seeds, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1_000_000, help="streams to play (1 000 000)")
    parser.add_argument("--seconds", type=int, default=0, help="end after so long (never)")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="where inputs worth keeping are (.fuzz)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (the clock's)")
    parser.add_argument("--compiled", action="store_true", help="play against the compiled hot path")
    parser.add_argument("files", nargs="*", metavar="FILE", help="play these and nothing else")
    return parser.parse_args()


def _fuzz(atheris: ModuleType, scene: ModuleType, seeds: ModuleType, arguments: argparse.Namespace) -> None:
    loop = asyncio.new_event_loop()
    progress = Progress()

    def play(data: bytes) -> None:
        loop.run_until_complete(scene.play(*scene.script(data)))
        progress.another()

    options = [
        f"-runs={arguments.runs}",
        f"-max_total_time={arguments.seconds}",
        f"-timeout={HANG}",
        f"-max_len={MOST}",
        f"-len_control={IMPATIENCE}",
        f"-seed={arguments.seed}",
        "-print_final_stats=1",
        "-rss_limit_mb=1024",
    ]
    if arguments.files:
        options = arguments.files
    else:
        found = arguments.corpus
        found.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(seeds.corpus()):
            (found / f"seed-{number}").write_bytes(data)
        options += [f"-artifact_prefix={found}/", str(found)]
    atheris.Setup([sys.argv[0], *options], play)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
