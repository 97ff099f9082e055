"""What the rule operations of IoT refuse with, beyond the errors every service shares."""

from fogbank.errors import ServiceError, Unauthorized


class SqlParse(ServiceError):
    """The SQL statement, or an expression of a substitution template, is wrong or uses what is not supported yet."""

    code = "SqlParseException"
    status = 400


class ConflictingResourceUpdate(ServiceError):
    """Two changes of one rule at the same time; the one refused may be tried again."""

    code = "ConflictingResourceUpdateException"
    status = 409


def unknown_rule(name: str) -> ServiceError:
    """What every operation answers where there is no rule `name`.

    The model of these operations knows no ResourceNotFoundException; UnauthorizedException with this text is what
    clients of AWS report to get (UNVERIFIED). This is the one place to change it.
    """
    return Unauthorized(f"Access to topic rule '{name}' was denied: there is no such rule")
