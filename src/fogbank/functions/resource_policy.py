"""A function's resource policy: who else than the account itself may invoke it (developer guide, "Resource-based
policies"). One statement per AddPermission, always an Allow."""

import re

import msgspec

from fogbank.errors import InvalidParameterValue
from fogbank.ports import ServiceCaller

MAX_BYTES = 20 * 1024
INVOKE = "lambda:InvokeFunction"

_ACTION = re.compile(r"lambda:\*|lambda:[a-zA-Z]+|\*")
_SID = re.compile(r"[a-zA-Z0-9-_]{1,100}")
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.[a-z]{2})?")
_ACCOUNT = re.compile(r"\d{12}")
_PRINCIPAL_ARN = re.compile(r"arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:.+")


class Statement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One permission, as AddPermission gave it."""

    sid: str
    action: str
    principal: str
    source_arn: str | None = None
    source_account: str | None = None
    event_source_token: str | None = None


def check(statement: Statement) -> Statement:
    """Return `statement`, or raise InvalidParameterValue where a member has no valid form."""
    if not _SID.fullmatch(statement.sid):
        raise InvalidParameterValue(f"The statement id {statement.sid!r} is not of up to 100 letters, digits, '-', '_'")
    if not _ACTION.fullmatch(statement.action):
        raise InvalidParameterValue(f"The action {statement.action!r} is not 'lambda:' and an operation, nor '*'")
    forms = (_SERVICE, _ACCOUNT, _PRINCIPAL_ARN)
    if statement.principal != "*" and not any(form.fullmatch(statement.principal) for form in forms):
        raise InvalidParameterValue(f"The provided principal was invalid: {statement.principal}")
    if statement.source_arn is not None and statement.source_arn.count(":") < 5:
        raise InvalidParameterValue(f"The source ARN {statement.source_arn!r} has not the six parts of an ARN")
    if statement.source_account is not None and not _ACCOUNT.fullmatch(statement.source_account):
        raise InvalidParameterValue(f"The source account {statement.source_account!r} is not of twelve digits")
    return statement


def document(statement: Statement, resource: str, partition: str = "aws") -> dict[str, object]:
    """The statement in the policy language, as AddPermission and GetPolicy show it."""
    conditions: dict[str, dict[str, str]] = {}
    equals = {
        "AWS:SourceAccount": statement.source_account,
        "lambda:EventSourceToken": statement.event_source_token,
    }
    if present := {key: value for key, value in equals.items() if value is not None}:
        conditions["StringEquals"] = present
    if statement.source_arn is not None:
        conditions["ArnLike"] = {"AWS:SourceArn": statement.source_arn}
    shown: dict[str, object] = {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Principal": _principal(statement.principal, partition),
        "Action": statement.action,
        "Resource": resource,
    }
    return shown | ({"Condition": conditions} if conditions else {})


def policy(statements: tuple[Statement, ...], resource: str, partition: str = "aws") -> str:
    """The whole policy as JSON text."""
    shown = [document(one, resource, partition) for one in statements]
    return msgspec.json.encode({"Version": "2012-10-17", "Id": "default", "Statement": shown}).decode()


def allows(statements: tuple[Statement, ...], caller: ServiceCaller, action: str = INVOKE) -> bool:
    """Whether a statement lets `caller` do `action`."""
    return any(_allows(one, caller, action) for one in statements)


def arn_like(pattern: str, arn: str) -> bool:
    """IAM's ArnLike: the six colon-parted pieces match one by one, each with `*` and `?`."""
    wanted, given = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(given) and all(_like(*pair) for pair in zip(wanted, given, strict=True))


def _allows(statement: Statement, caller: ServiceCaller, action: str) -> bool:
    return (
        statement.principal in ("*", caller.principal)
        and statement.action in ("*", "lambda:*", action)
        and (statement.source_arn is None or arn_like(statement.source_arn, caller.source_arn))
        and statement.source_account in (None, caller.source_account)
        and statement.event_source_token is None  # only Alexa's events carry one
    )


def _like(pattern: str, text: str) -> bool:
    pieces = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(pieces), text, re.DOTALL) is not None


def _principal(principal: str, partition: str) -> str | dict[str, str]:
    if principal == "*":
        return "*"
    if _ACCOUNT.fullmatch(principal):
        return {"AWS": f"arn:{partition}:iam::{principal}:root"}
    return {"AWS": principal} if principal.startswith("arn:") else {"Service": principal}
