"""What the compiler needs to know of a function."""

from collections.abc import Callable

import msgspec

from fogbank.sql.values import Value
from fogbank.sql.version import Version


class Function(msgspec.Struct, frozen=True):
    """A function by its lower-case name. `call` takes any values, returns one, and never raises.

    Called with fewer arguments than `least` or more than `most` (None: any number) the result is Undefined, as AWS
    documents it, and `call` is not asked.
    """

    name: str
    call: Callable[..., Value]
    least: int
    most: int | None
    since: Version = Version.V2015_10_08
    contextual: bool = False
    """Whether `call` takes the scope before the arguments."""
    takes_payload: bool = False
    """Whether a bare `*` as argument is the payload's bytes instead of its value."""
    check: Callable[..., str | None] | None = None
    """Told the arguments when the statement is compiled, Undefined for those not constant; what is wrong with them."""
