"""What goes wrong between a command and the API of the instance, told as one clear line."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def api_errors(doing: str = "") -> Iterator[None]:
    """Raises ClickException for refusals, failed requests and files that cannot be had: `cannot DOING: why`."""
    from botocore.exceptions import BotoCoreError, ClientError

    before = f"cannot {doing}: " if doing else ""
    try:
        yield
    except ClientError as error:
        answer = error.response["Error"]
        raise click.ClickException(f"{before}{answer['Message']} ({answer['Code']})") from None
    except (BotoCoreError, OSError, UnicodeError) as error:
        raise click.ClickException(f"{before}{error}") from None
