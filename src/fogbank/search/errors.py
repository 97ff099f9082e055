"""What is wrong with a query: where, and what would have been right there."""

from fogbank.errors import ServiceError


class InvalidQuery(ServiceError):
    """The text is no query of the language, or beyond its limits."""

    code = "InvalidQueryException"
    status = 400

    @classmethod
    def at(cls, offset: int, message: str) -> "InvalidQuery":
        """The error at the character `offset`; it is told counting from 1."""
        return cls(f"Invalid query at character {offset + 1}: {message}")
