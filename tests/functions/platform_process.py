"""A platform to be killed: starts a function that starts a daemon, says so on stdout, and waits for its end.

Arguments: the code directory, the executor (`process` or the path of bwrap), what the daemon's argument shall be.
"""

import asyncio
import sys
from pathlib import Path

import msgspec
from tests.functions.specimens import ARCHIVE, configuration

from fogbank.arns import Arns
from fogbank.clock import SystemClock
from fogbank.functions.executors.bubblewrap import BubblewrapExecutor
from fogbank.functions.executors.process import ProcessExecutor
from fogbank.functions.service import FunctionService
from fogbank.storage.memory import MemoryBlobs, MemoryDocuments, MemoryQueue
from fogbank.trace import Trace


async def main(directory: str, kind: str, argument: str) -> None:
    clock = SystemClock()
    service = FunctionService(
        MemoryDocuments(),
        MemoryQueue(),
        MemoryBlobs(),
        Arns("us-east-1", "123456789012"),
        clock,
        Trace(clock),
        Path(directory),
        dict,
        executor=ProcessExecutor() if kind == "process" else BubblewrapExecutor(kind),
    )
    await service.start()
    await service.create("f", ARCHIVE, configuration(timeout=60))
    await service.invoke("f", msgspec.json.encode({"do": "daemon", "argument": argument}))
    print("ready", flush=True)
    await service.invoke("f", msgspec.json.encode({"do": "sleep", "seconds": 60}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
