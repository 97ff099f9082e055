"""What the compiler needs to know of a function."""

from collections.abc import Callable

import msgspec

from fogbank.sql.values import Value
from fogbank.sql.version import Version


class Function(msgspec.Struct, frozen=True):
    """A function by its lower-case name. `call` takes any values and returns one; it raises only if it `asks`.

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
    asks: bool = False
    """Whether it asks the world, see `fogbank.sql.outside`."""
    role: int | None = None
    """Which argument is the role that it asks with; that one has to be a literal."""
    times: int | None = None
    """How often it may stand in one statement; None: any number of times."""
    in_templates: bool = True
    """Whether it may stand in a substitution template."""
    catches: bool = False
    """Whether a failure to get an answer within its first argument is Undefined there, and the rule goes on."""
    effort: int = 1
    """How long it takes for the size of its arguments, a common function being 1; 0: it only glances at them."""
    longer: "Function | None" = None
    """What the name means with more arguments than `most`."""
