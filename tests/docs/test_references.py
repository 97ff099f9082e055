"""What is written by a script is what the script would write now, and complete."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.docs.blocks import ROOT

from dev import cli_reference, coverage
from fogbank.cli import main

WRITTEN = {cli_reference.REFERENCE: "cli_reference.reference", coverage.REFERENCE: "coverage.coverage"}


@pytest.mark.parametrize("document", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_is_fresh(document: Path) -> None:
    """By a process of its own, as click's commands remember how they were called before."""
    script = f"from dev import cli_reference, coverage; print({WRITTEN[document]}(), end='')"
    command = [sys.executable, "-W", "error", "-c", script]
    written = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert document.read_text() == written, "run `make docs`"


def test_every_command_and_option_is_in_the_reference() -> None:
    text = cli_reference.REFERENCE.read_text()
    for context in cli_reference.commands(main, "fogbank"):
        chapter = text.partition(f"## {context.command_path}\n")[2].partition("\n## ")[0]
        assert chapter, f"{context.command_path} is not described"
        assert context.command.help, f"{context.command_path} does not say what it is for"
        for parameter in context.command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{context.command_path} {parameter.opts} does not say what it is for"
                assert all(option in chapter for option in parameter.opts)


def test_what_is_implemented_is_found() -> None:
    found = coverage.implemented()
    assert found.keys() == {"iot", "iot-data", "iot-jobs-data", "lambda", "iam", "sts"}
    assert "CreateThing" in found["iot"]
    assert "Publish" in found["iot-data"]
    assert "Invoke" in found["lambda"]
