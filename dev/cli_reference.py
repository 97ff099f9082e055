"""Writes docs/cli.md: every command with its options, as `--help` says it."""

from collections.abc import Iterator
from pathlib import Path

import click

from fogbank.cli import main

REFERENCE = Path(__file__).parent.parent / "docs" / "cli.md"
WIDTH = 100

HEAD = """\
# The command line

<!-- Written by `make docs` from what --help says; a test keeps it so. -->
"""


def commands(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """The command and all below it, depth first, each as the context it would run in."""
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    yield context
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from commands(found, child, context)


def reference() -> str:
    """The whole document."""
    chapters = [HEAD]
    for context in commands(main, "fogbank"):
        text = "\n".join(line.rstrip() for line in context.get_help().splitlines())
        chapters.append(f"## {context.command_path}\n\n```text\n{text}\n```\n")
    return "\n".join(chapters)


if __name__ == "__main__":
    REFERENCE.write_text(reference())
