"""Writes docs/coverage.md: which operations of AWS's services are implemented, counted against botocore's models."""

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import fogbank.gateway
from fogbank.gateway import models
from fogbank.rules.actions.catalogue import MAKERS
from fogbank.sql.functions.catalogue import functions

REFERENCE = Path(__file__).parent.parent / "docs" / "coverage.md"

HEAD = """\
# What is covered

<!-- Written by `make docs` from the code and botocore's models; a test keeps it so. -->

An operation that is not here is refused by name with an error (HTTP 501), never ignored.
"""


def implemented() -> dict[str, set[str]]:
    """Service to the operations that some API module of the gateway declares."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for module in pkgutil.iter_modules(fogbank.gateway.__path__, "fogbank.gateway."):
        for thing in vars(importlib.import_module(module.name)).values():
            if isinstance(thing, type):
                for method in vars(thing).values():
                    if (declared := getattr(method, "__operation__", None)) is not None:
                        service, name = declared
                        found[service].add(name)
    return dict(found)


def coverage() -> str:
    """The whole document."""
    rows, chapters = [], []
    for service, names in sorted(implemented().items()):
        all_names = models.load(service).operations.keys()
        rows.append(f"| {service} | {len(names)} | {len(all_names)} |")
        rest = ", ".join(f"`{name}`" for name in sorted(all_names - names))
        chapters.append(
            f"## {service}\n\n{_list(names)}\n\n"
            f"<details><summary>Not implemented yet: {len(all_names - names)}</summary>\n\n{rest}\n\n</details>\n"
        )
    table = "\n".join(["| service | implemented | in AWS's model |", "|---|---|---|", *rows])
    return "\n".join(
        [
            HEAD,
            f"{table}\n",
            *chapters,
            f"## Rule actions\n\n{_list(MAKERS)}\n\nEvery other one is refused when the rule is created.\n",
            f"## SQL functions\n\n{_list(functions())}\n",
        ]
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    REFERENCE.write_text(coverage())
