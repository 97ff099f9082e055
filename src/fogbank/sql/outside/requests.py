"""Questions to the world as values: two that are equal have one answer, however often a statement asks."""

from typing import Any, ClassVar, Protocol

import msgspec

from fogbank.sql.outside.errors import OutsideFailed
from fogbank.sql.outside.services import Outside
from fogbank.sql.values import UNDEFINED, Value, from_json
from fogbank.sql.version import Version


class Request(Protocol):
    """What one call of a function asks. It can be compared and hashed."""

    function: ClassVar[str]

    async def ask(self, outside: Outside) -> bytes:
        """Put it to the service that knows."""
        ...

    def read(self, answer: bytes, version: Version) -> Any:
        """What the service's answer says, as a value or bytes, or `OutsideFailed`. Numbers as `version` has them."""
        ...


def _json(answer: bytes, version: Version) -> Value:
    value = from_json(answer, version)
    if value is UNDEFINED:
        raise OutsideFailed("the answer is not JSON")
    return value


def _member(answer: bytes, version: Version, name: str, what_lacks: str) -> Any:
    value = _json(answer, version)
    if not isinstance(value, dict) or name not in value:
        raise OutsideFailed(what_lacks)
    return value[name]


class Invoke(msgspec.Struct, frozen=True):
    """Invoke a function of Lambda and wait for its result."""

    function: ClassVar[str] = "aws_lambda"
    function_arn: str
    payload: bytes

    async def ask(self, outside: Outside) -> bytes:
        return await outside.invoke(self.function_arn, self.payload)

    def read(self, answer: bytes, version: Version) -> Value:
        return _json(answer, version)


class ThingShadow(msgspec.Struct, frozen=True):
    """Read a shadow."""

    function: ClassVar[str] = "get_thing_shadow"
    thing: str
    shadow: str | None
    role_arn: str

    async def ask(self, outside: Outside) -> bytes:
        return await outside.thing_shadow(self.thing, self.shadow, self.role_arn)

    def read(self, answer: bytes, version: Version) -> Value:
        return _json(answer, version)


class RegistryData(msgspec.Struct, frozen=True):
    """Ask the registry about a thing."""

    function: ClassVar[str] = "get_registry_data"
    operation: str
    thing: str
    role_arn: str

    async def ask(self, outside: Outside) -> bytes:
        return await outside.registry_data(self.operation, self.thing, self.role_arn)

    def read(self, answer: bytes, version: Version) -> Value:
        return _json(answer, version)


class Item(msgspec.Struct, frozen=True):
    """Read an item of a DynamoDB table. The key is names with types and values: `(("id", "S", "x"),)`."""

    function: ClassVar[str] = "get_dynamodb"
    table: str
    key: tuple[tuple[str, str, str], ...]
    role_arn: str

    async def ask(self, outside: Outside) -> bytes:
        return await outside.item(self.table, {name: {type_: value} for name, type_, value in self.key}, self.role_arn)

    def read(self, answer: bytes, version: Version) -> Value:
        item = _member(answer, version, "Item", f"the table {self.table} has no such item")
        return _plain({"M": item}, version)


class Secret(msgspec.Struct, frozen=True):
    """Read a secret."""

    function: ClassVar[str] = "get_secret"
    secret_id: str
    role_arn: str

    async def ask(self, outside: Outside) -> bytes:
        return await outside.secret(self.secret_id, self.role_arn)

    def read(self, answer: bytes, version: Version) -> Value:
        return _json(answer, version)


class Predict(msgspec.Struct, frozen=True):
    """Ask a model of Amazon Machine Learning."""

    function: ClassVar[str] = "machinelearning_predict"
    model_id: str
    record: tuple[tuple[str, str], ...]
    role_arn: str

    async def ask(self, outside: Outside) -> bytes:
        return await outside.predict(self.model_id, dict(self.record), self.role_arn)

    def read(self, answer: bytes, version: Version) -> Value:
        prediction: Value = _member(answer, version, "Prediction", "the answer holds no Prediction")
        return prediction


class Object(msgspec.Struct, frozen=True):
    """Read an object of S3: its bytes, as they are."""

    function: ClassVar[str] = "decode"
    bucket: str
    key: str

    async def ask(self, outside: Outside) -> bytes:
        return await outside.object(self.bucket, self.key)

    def read(self, answer: bytes, version: Version) -> bytes:
        return answer


def _plain(attribute: Any, version: Version) -> Value:
    """A value of DynamoDB (API reference: AttributeValue) as plain JSON: numbers exact, sets as arrays."""
    if not isinstance(attribute, dict) or len(attribute) != 1:
        raise OutsideFailed("the answer is not DynamoDB's JSON")
    ((type_, value),) = attribute.items()
    match type_, value:
        case "M", dict():
            return {name: _plain(member, version) for name, member in value.items()}
        case "L", list():
            return [_plain(item, version) for item in value]
        case "N", str():
            return _number(value, version)
        case "NS", list():
            return [_number(number, version) for number in value]
        case ("S" | "B", str()) | ("BOOL", bool()) | ("SS" | "BS", list()):
            plain: Value = value
            return plain
        case "NULL", _:
            return None
    raise OutsideFailed(f"the answer has a value of the type {type_!r}, which DynamoDB does not know")


def _number(text: Any, version: Version) -> Value:
    number = from_json(text, version) if isinstance(text, str) else UNDEFINED
    if number is UNDEFINED or isinstance(number, (str, list, dict, bool)) or number is None:
        raise OutsideFailed(f"the answer's number {text!r} is none")
    return number
