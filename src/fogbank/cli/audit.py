"""`fogbank audit`: who has changed what in an instance, and who was refused."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fogbank.cli.data_dir import default_data_dir
from fogbank.cli.terminal import printable

LOG = Path("audit") / "audit.ndjson"
KEPT = 64
"""More files than an instance sets aside."""


@click.command()
@click.option("--who", metavar="TEXT", help="Only what was done by those whose ARN or key has this in it.")
@click.option("--what", metavar="TEXT", help="Only operations with this in their name, or about things named so.")
@click.option("--refused", is_flag=True, help="Only what failed, with the reason.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="The last N. Default: all.")
@click.option("--json", "as_json", is_flag=True, help="Print the records as they are, a JSON object per line.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The data directory, of an instance that runs or not.  [default: $FOGBANK_DATA, else ~/.local/share/fogbank]",
)
def audit(
    who: str | None, what: str | None, refused: bool, count: int | None, as_json: bool, data: Path | None
) -> None:
    """Print who has changed what, and who was refused for want of a right; the latest at the end.

    \b
      fogbank audit --count 20
      fogbank audit --who bob --refused
      fogbank audit --what Certificate --json | jq .requestParameters

    Calls of the control plane that only read are not in the log, nor is what devices do.
    """
    from collections import deque

    import msgspec

    path = (data or default_data_dir()) / LOG
    if not path.exists():
        raise click.ClickException(
            f"there is no audit log at {path}; say with --data where the instance keeps its data"
        )
    kept: deque[str] = deque(maxlen=count)
    for line in _lines(path):
        record = msgspec.json.decode(line)
        if _wanted(record, who, what, refused):
            kept.append(line.decode().rstrip() if as_json else _told(record))
    for one in kept:
        click.echo(one)
    if not kept:
        click.echo("nothing of that kind is in the log", err=True)
        sys.exit(1)


def _lines(path: Path) -> Iterator[bytes]:
    """Of all files, the oldest first."""
    older = [path.with_name(f"{path.name}.{number}") for number in range(KEPT, 0, -1)]
    for one in (*older, path):
        try:
            with one.open("rb") as file:
                yield from (line for line in file if line.endswith(b"\n"))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise click.ClickException(f"{one} cannot be read: {error.strerror}") from None


def _wanted(record: dict[str, Any], who: str | None, what: str | None, refused: bool) -> bool:
    identity = record["userIdentity"]
    if who is not None and not any(who in (identity.get(name) or "") for name in ("arn", "principalId", "accessKeyId")):
        return False
    if what is not None and what not in record["eventName"] and what not in str(record.get("requestParameters") or ""):
        return False
    return "errorCode" in record or not refused


def _told(record: dict[str, Any]) -> str:
    """One line for a person."""
    who = record["userIdentity"]["arn"].split(":", 5)[-1]
    about = ", ".join(
        f"{name}={value}" for name, value in (record.get("requestParameters") or {}).items() if isinstance(value, str)
    )
    failed = f"  {record['errorCode']}: {record['errorMessage']}" if "errorCode" in record else ""
    text = f"{record['eventTime']}  {who:24}  {record['eventName']:32}  {about[:200]}{failed}"
    return click.style(printable(text), fg="red" if failed else None)
