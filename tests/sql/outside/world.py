"""A world to ask, for tests: it answers from a table and remembers what it was asked."""

import json
from collections.abc import Mapping
from typing import Any

from fogbank.errors import FogbankError


class World:
    """`answers` has one entry for each method: the body as bytes, what is to be JSON, or the error to raise."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []

    def _answer(self, method: str, *arguments: Any) -> bytes:
        self.asked.append((method, *arguments))
        answer = self.answers.get(method, FogbankError("there is no such thing"))
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    async def invoke(self, function_arn: str, payload: bytes) -> bytes:
        return self._answer("invoke", function_arn, payload)

    async def thing_shadow(self, thing: str, shadow: str | None, role_arn: str) -> bytes:
        return self._answer("thing_shadow", thing, shadow, role_arn)

    async def registry_data(self, operation: str, thing: str, role_arn: str) -> bytes:
        return self._answer("registry_data", operation, thing, role_arn)

    async def item(self, table: str, key: Mapping[str, Mapping[str, str]], role_arn: str) -> bytes:
        return self._answer("item", table, key, role_arn)

    async def secret(self, secret_id: str, role_arn: str) -> bytes:
        return self._answer("secret", secret_id, role_arn)

    async def predict(self, model_id: str, record: Mapping[str, str], role_arn: str) -> bytes:
        return self._answer("predict", model_id, record, role_arn)

    async def object(self, bucket: str, key: str) -> bytes:
        return self._answer("object", bucket, key)
