"""Made-up values for any shape of a model: what the round trips through botocore are fed with."""

import math
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

from fogbank.awswire.model import Operation, ServiceModel, Shape, ShapeRef
from fogbank.gateway import models

SERVICES = ("iot", "iot-data", "iot-jobs-data", "lambda")
AWKWARD = ("a", "plain", "a/b", "a b+c", "50%", "täg", "a:b@c", "//", "x?y&z=1#", "日本", "a\\b\"c'", "..", "~-_.")
HEADER_SAFE = ("a", "plain", "a/b", "a b+c", "50%", "x=1&y=2", "a:b@c")

load = cache(models.load)


def operations() -> list[tuple[str, str]]:
    """Every operation of every service we know."""
    return [(service, name) for service in SERVICES for name in load(service).operations]


def operation(service: str, name: str) -> tuple[ServiceModel, Operation]:
    model = load(service)
    return model, model.operations[name]


class Specimens:
    """Values by shape; the same seed gives the same values."""

    def __init__(self, model: ServiceModel, seed: str) -> None:
        self._shapes = model.shapes
        self._random = Random(seed)

    def structure(self, shape: Shape, depth: int = 0) -> dict[str, Any]:
        """All required members and some of the others."""
        members = {}
        for name, ref in shape.members.items():
            wanted = name in shape.required or ref.location == "uri"
            if wanted or (depth < 6 and self._random.random() < 0.6):
                members[name] = self.value(ref, depth + 1)
        return members

    def value(self, ref: ShapeRef, depth: int = 0) -> Any:
        shape = self._shapes[ref.shape]
        pick = self._random.choice
        match shape.type:
            case "structure":
                return self.structure(shape, depth)
            case "list":
                assert shape.member is not None
                return [self.value(shape.member, depth + 1) for _ in range(self._random.randint(1, 3))]
            case "map":
                assert shape.value is not None
                return {pick(AWKWARD): self.value(shape.value, depth + 1) for _ in range(self._random.randint(1, 3))}
            case "string" if ref.jsonvalue:
                return pick(([{"deviceName": "alpha"}, {"deviceCnt": "45"}], {"a": None}, "text", 7))
            case "string" if shape.enum:
                return pick(shape.enum)
            case "string":
                return pick(HEADER_SAFE if ref.location == "header" else AWKWARD)
            case "blob":
                return pick((b"a", b'{"state":{}}', b"text"))
            case "boolean":
                return pick((True, False))
            case "integer" | "long" if ref.location == "statusCode":
                return pick((200, 202))
            case "integer":
                return pick((0, 1, -1, 2**31 - 1))
            case "long":
                return pick((0, 1, 2**53 + 1, 2**63 - 1, -(2**63)))
            case "float" | "double":
                return pick((0.5, -1.25, 1e300, 3.0))
            case "timestamp":
                return datetime.fromtimestamp(pick((0, 1, 1_700_000_000, 2**31)), UTC)
        raise AssertionError(shape.type)


def plain(value: Any) -> Any:
    """The value with its moments in seconds, as services see them."""
    match value:
        case datetime():
            return value.timestamp()
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case float() if math.isnan(value):
            return "NaN"
        case _:
            return value
