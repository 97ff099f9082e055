"""Functions that ask the world (developer guide: "Functions").

An argument that cannot be converted makes the result Undefined, as everywhere, and nothing is asked. The role has to be
a string in the statement: who creates the rule needs `iam:PassRole` for it, which no payload may decide.
"""

from decimal import Decimal
from typing import Any, Final

from fogbank.sql.coercion import text
from fogbank.sql.functions.function import Function
from fogbank.sql.outside.errors import OutsideFailed
from fogbank.sql.outside.requests import Invoke, Item, Predict, RegistryData, Request, Secret, ThingShadow
from fogbank.sql.scope import Scope
from fogbank.sql.values import UNDEFINED, Value, from_json, to_json
from fogbank.sql.version import Version

_REGISTRY_OPERATIONS: Final = ("DescribeThing", "ListThingGroupsForThing")

_STRING, _BINARY = "SecretString", "SecretBinary"
_SECRET_TYPES: Final = (_STRING, _BINARY)


def ask(scope: Scope, request: Request) -> Any:
    """The answer to the request, or `OutsideFailed`, or `Pending` where it has yet to be asked for."""
    if scope.known is None:
        raise OutsideFailed(f"{request.function}() asks another service, and there is none to ask here")
    return scope.known.to(request)


def _invoke(scope: Scope, function_arn: Value, payload: Value) -> Value:
    arn = text(function_arn)
    if arn is None or payload is UNDEFINED:
        return UNDEFINED
    answer: Value = ask(scope, Invoke(arn, to_json(payload)))
    return answer


def _thing_shadow(scope: Scope, thing: Value, *shadow_and_role: Value) -> Value:
    *shadow, role = map(text, shadow_and_role)
    name = text(thing)
    if name is None or role is None or None in shadow:
        return UNDEFINED
    answer: Value = ask(scope, ThingShadow(name, shadow[0] if shadow else None, role))
    return answer


def _registry_data(scope: Scope, operation: Value, thing: Value, role: Value) -> Value:
    wanted, name, role_arn = text(operation), text(thing), text(role)
    if wanted not in _REGISTRY_OPERATIONS or name is None or role_arn is None:
        return UNDEFINED
    answer: Value = ask(scope, RegistryData(wanted, name, role_arn))
    return answer


def _item(scope: Scope, table: Value, *keys_and_role: Value) -> Value:
    """Two or four arguments name the key, and are Undefined where they are another number of them."""
    *keys, role = keys_and_role
    name, role_arn = text(table), text(role)
    parts = [_key(*pair) for pair in zip(keys[::2], keys[1::2], strict=False)]
    if name is None or role_arn is None or len(keys) % 2 or None in parts:
        return UNDEFINED
    answer: Value = ask(scope, Item(name, tuple(part for part in parts if part is not None), role_arn))
    return answer


def _key(name: Value, value: Value) -> tuple[str, str, str] | None:
    """One part of a key as DynamoDB has it: Strings and numbers can be keys, nothing else of ours can."""
    if not isinstance(name, str):
        return None
    if isinstance(value, str):
        return (name, "S", value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return (name, "N", str(value))
    return None


def _secret(scope: Scope, secret_id: Value, type_: Value, *key_and_role: Value) -> Value:
    *key, role = map(text, key_and_role)
    name, wanted = text(secret_id), text(type_)
    if name is None or wanted not in _SECRET_TYPES or role is None or None in key:
        return UNDEFINED
    secret = ask(scope, Secret(name, role))
    if not isinstance(secret, dict) or not isinstance(secret.get(wanted), str):
        raise OutsideFailed(f"get_secret() failed: the secret {name} has no {wanted}")
    content: str = secret[wanted]
    if wanted == _BINARY:
        if key:
            raise OutsideFailed(f"get_secret() failed: {_BINARY} has no keys")
        return content
    return _secret_string(name, content, scope.version, *key)


def _secret_string(name: str, content: str, version: Version, key: str | None = None) -> Value:
    """The whole secret, an Object where it is one as JSON; with a key the member of that name."""
    members = from_json(content, version)
    if key is None:
        return members if isinstance(members, dict) else content
    if not isinstance(members, dict):
        raise OutsideFailed(f"get_secret() failed: the secret {name} is no JSON object, so it has no key {key!r}")
    if key not in members:
        raise OutsideFailed(f"get_secret() failed: the secret {name} has no key {key!r}")
    return members[key]


def _predict(scope: Scope, model: Value, role: Value, record: Value) -> Value:
    """A record has one layer: what nests is given as JSON text; what has no text is left out."""
    model_id, role_arn = text(model), text(role)
    if model_id is None or role_arn is None or not isinstance(record, dict):
        return UNDEFINED
    texts = ((name, text(value)) for name, value in record.items())
    answer: Value = ask(
        scope, Predict(model_id, tuple((name, value) for name, value in texts if value is not None), role_arn)
    )
    return answer


def _check_registry_data(operation: Value, *_: Value) -> str | None:
    if isinstance(operation, str) and operation not in _REGISTRY_OPERATIONS:
        return f"there is {' and '.join(_REGISTRY_OPERATIONS)}, not {operation!r}"
    return None


def _check_secret(_: Value, type_: Value, *__: Value) -> str | None:
    if isinstance(type_, str) and type_ not in _SECRET_TYPES:
        return f"there is {' and '.join(_SECRET_TYPES)}, not {type_!r}"
    return None


def _asking(name: str, call: Any, least: int, most: int, since: Version, **more: Any) -> Function:
    return Function(name, call, least, most, since, contextual=True, asks=True, **more)


_V2015, _V2016 = Version.V2015_10_08, Version.V2016_03_23

FUNCTIONS: Final = (
    _asking("aws_lambda", _invoke, 2, 2, _V2015),
    _asking("get_thing_shadow", _thing_shadow, 2, 3, _V2016, role=-1),
    _asking("get_registry_data", _registry_data, 3, 3, _V2016, role=-1, times=1, check=_check_registry_data),
    _asking("get_dynamodb", _item, 4, 6, _V2016, role=-1, times=1),
    _asking("get_secret", _secret, 3, 4, _V2015, role=-1, check=_check_secret),
    _asking("machinelearning_predict", _predict, 3, 3, _V2015, role=1),
)
