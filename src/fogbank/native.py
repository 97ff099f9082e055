"""The hot path as machine code, where it has been compiled from just these sources; else it runs as plain Python.

mypyc takes the modules that every message passes as they are, typed Python, and makes extension modules of them
(`dev/compile.py`, part of the installation where there is a C compiler). These lie in a directory that is named by the
hash of the sources. So code that has been edited since is never run in its old form: its hash names another
directory, which is not there.
"""

import hashlib
import importlib.util
import logging
import os
import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

log = logging.getLogger(__name__)

MODULES = (
    "broker.answering",
    "broker.connection",
    "broker.flow",
    "broker.inflight",
    "broker.ingest",
    "broker.line",
    "broker.router",
    "broker.runs",
    "broker.session",
    "broker.throttling",
    "transport.channel",
    "transport.readiness",
    "transport.tls_link",
)
"""What is compiled."""
SOURCES = ("*.py", "broker/*.py", "mqtt/*.py", "policy/*.py", "transport/*.py")
"""All of Fogbank that they import: compiled code relies on the types of it."""
LIBRARY = "fogbank__mypyc"
"""Holds the code of all modules; each of them is a file that asks it to be initialised."""
PURE = "FOGBANK_PURE"
"""The environment variable that chooses plain Python."""

SUFFIX = EXTENSION_SUFFIXES[0]
"""Of compiled modules; it names the interpreter's version and the machine."""
PACKAGE = Path(__file__).parent
PLACE = PACKAGE / "_native"


def place() -> Path:
    """Where the code compiled from the sources as they are now is, or would be."""
    digest = hashlib.sha256(SUFFIX.encode())
    for pattern in SOURCES:
        for path in sorted(PACKAGE.glob(pattern)):
            digest.update(f"{path.relative_to(PACKAGE)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return PLACE / digest.hexdigest()[:20]


@cache
def modules() -> list[str]:
    """For a package's `__path__`, before its own directory: where its compiled modules are, if there are any."""
    if os.environ.get(PURE) or not PLACE.is_dir():
        return []
    directory = place()
    library = directory / (LIBRARY + SUFFIX)
    if not library.exists():
        return []
    spec = importlib.util.spec_from_file_location(LIBRARY, library)
    assert spec is not None
    try:
        sys.modules[LIBRARY] = importlib.util.module_from_spec(spec)
    except ImportError as error:
        log.warning("the compiled code cannot be loaded, and the hot path runs as plain Python: %s", error)
        return []
    return [str(directory)]


def status() -> str:
    """What runs, for people."""
    if modules():
        return "compiled"
    if os.environ.get(PURE):
        return f"plain Python, as {PURE} says"
    stale = any(PLACE.glob("*/*"))
    return "plain Python" + (", for the sources have changed since they were compiled" if stale else "")
