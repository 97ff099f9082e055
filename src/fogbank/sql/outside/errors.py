"""How asking the world fails."""

from fogbank.errors import FogbankError


class OutsideFailed(FogbankError):
    """A function that asks the world got no answer it can use; the text names the function and says why.

    The rule ends there for this message: no action, and no error action either (developer guide: "Functions").
    """
