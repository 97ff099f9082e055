"""Every example that a document marks is run as its reader would run it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.server import Server, serving
from tests.docs.blocks import DOCUMENTS, ROOT, Block, blocks, commands, prints

TIMEOUT = 60.0
SHELL = "set -e\n"


WITH_EXAMPLES = [
    document for document in DOCUMENTS if any("test" in one.mark.split() for one in blocks(document.read_text()))
]


@pytest.mark.parametrize("document", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of(document: Path, tmp_path: Path) -> None:
    place = tmp_path / "reader"
    place.mkdir()
    with serving(tmp_path / "data") as server:
        printed = ""
        for block in blocks(document.read_text()):
            where = f"{document.relative_to(ROOT)}:{block.line}"
            words = block.mark.split()
            if "test" in words and block.language == "console":
                run_console(where, block, place, server)
            elif "test" in words:
                assert block.language == "python", f"{where}: who should run {block.language}?"
                printed = run(where, [sys.executable, "-c", of(server, block.text)], place, server)
            elif words == ["output"]:
                assert prints(block.text, printed), f"{where}: said\n{block.text}\nbut was\n{printed}"
            elif block.mark.startswith("file="):
                (place / block.mark.removeprefix("file=")).write_text(of(server, block.text))


def run_console(where: str, block: Block, place: Path, server: Server) -> None:
    """Each command by a bash of its own, with the environment that the exports before it made."""
    exports = ""
    listed = commands(block.text)
    for number, (command, expected) in enumerate(listed, 1):
        if command.startswith(("eval ", "export ")):
            exports += command
        fails = "fails" in block.mark.split() and number == len(listed)
        printed = run(where, ["bash", "-c", SHELL + exports + of(server, command)], place, server, fails=fails)
        if expected:
            assert prints(of(server, expected), printed), f"{where}: {command}said\n{expected}\nbut was\n{printed}"


def run(where: str, command: list[str], place: Path, server: Server, *, fails: bool = False) -> str:
    """What the command prints, errors included."""
    done = subprocess.run(
        command,
        cwd=place,
        env=server.aws_environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode != 0) is fails, f"{where}: exit code {done.returncode}\n{command[-1]}\n{done.stdout}"
    return done.stdout


def of(server: Server, text: str) -> str:
    """The text with the default ports, which documents speak of, replaced by those of the server."""
    mqtts, https, api = server.ready["mqtts"]["port"], server.ready["https"]["port"], server.ready["api"]
    return text.replace("8883", str(mqtts)).replace("8443", str(https)).replace("http://127.0.0.1:4566", api)
