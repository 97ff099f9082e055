"""The command: what is needed, what is cleaned up, and the exit code."""

import importlib.util
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import click

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells give it."""


@click.command(short_help="See the whole of it at work.")
@click.option("--keep", is_flag=True, help="Leave the platform running until Ctrl-C, and say how to look around.")
def demo(keep: bool) -> None:
    """See the whole of it at work: a device, a rule, a function and a shadow, in under a minute.

    Starts the platform on free ports with a data directory that is gone afterwards. The device is AWS's IoT Device
    SDK in a process of its own, the app is boto3. Every step is checked; the exit code is 0 only where all came true.
    """
    if importlib.util.find_spec("awsiot") is None:
        raise click.ClickException("the demo's device needs AWS's IoT Device SDK: pip install 'fogbank[demo]'")
    for ending in ENDINGS:
        if ending is not signal.SIGHUP or signal.getsignal(ending) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(ending, _interrupt)
    try:
        come_true = _tell(keep=keep)
    except KeyboardInterrupt:
        click.echo("\nInterrupted: everything the demo started has ended.")
        sys.exit(INTERRUPTED)
    sys.exit(0 if come_true else 1)


def _tell(*, keep: bool) -> bool:
    """Play the story, and whether it came true. Whatever happens, nothing is left behind."""
    from fogbank.cli.demo.look_around import look_around
    from fogbank.cli.demo.screen import Screen
    from fogbank.cli.demo.server import Server
    from fogbank.cli.demo.stage import set_stage
    from fogbank.cli.demo.story import CHAPTERS, TELEMETRY, THE_END, prologue

    screen = Screen()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fogbank-demo-")))
        server = Server(directory / "data", log=directory / "server.log")
        stack.callback(server.stop)
        try:
            prologue(screen, server)
            stage = stack.enter_context(set_stage(screen, server, directory))
            for chapter in CHAPTERS:
                chapter(stage)
        except Exception as error:
            screen.failed(error, server.log_tail())
            return False
        screen.end(THE_END)
        if keep:
            look_around(stage, TELEMETRY)
    return True


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)  # impatience must not interrupt the cleaning up
    raise KeyboardInterrupt
