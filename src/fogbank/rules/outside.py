"""Who answers what statements and templates ask: the platform's own functions, shadows and registry, and services of
AWS wherever the operator has them.

Developer Guide, "Functions": `aws_lambda` has no role, the function's resource policy must allow iot.amazonaws.com with
the rule as its source; all others but `decode` ask in the name of the role that the statement names.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import FogbankError
from fogbank.patience import invoke_within
from fogbank.ports import AwsServices, Invoker, RoleRights, ServiceCaller
from fogbank.rules.answer_cache import AnswerCache
from fogbank.sql import Outside
from fogbank.tasks import Tasks

PATIENCE = 2.0
"""Seconds that `aws_lambda` waits for a function (AWS IoT quotas, rules engine)."""
KEPT = 900.0
"""Seconds that secrets and objects are kept (Developer Guide: "up to 15 minutes")."""
MAX_OBJECT = 64 * 1024
"""Bytes of an object that are kept. AWS takes descriptors of 32 KiB, which SQL holds them to."""
SHOWN = 200
"""Characters of a function's error that are told."""

SERVICES: Mapping[str, str] = {
    "decode": "s3",
    "get_dynamodb": "dynamodb",
    "get_secret": "secretsmanager",
    "machinelearning_predict": "machinelearning",
}
"""The services that functions of SQL ask and the platform is not itself, as botocore names them."""


class Unanswered(FogbankError):
    """There is no answer to be had."""


class Shadows(Protocol):
    """Who knows shadows. Implemented by `shadows/`."""

    async def get(self, thing: str, name: str | None = None) -> bytes:
        """The document of a shadow, `name` None for the classic one. Raises ServiceError."""
        ...


Registry = Callable[[str, str], Awaitable[bytes]]
"""Answers an operation (`DescribeThing`) about a thing as the API does, in JSON. Raises ServiceError."""


class Answering:
    """All who answer, shared by all rules."""

    def __init__(
        self,
        invoker: Invoker,
        shadows: Shadows,
        registry: Registry,
        aws: AwsServices,
        rights: RoleRights | None,
        arns: Arns,
        clock: Clock,
    ) -> None:
        """Without `rights` roles are not checked."""
        self.invoker = invoker
        self.shadows = shadows
        self.registry = registry
        self.aws = aws
        self.rights = rights
        self.arns = arns
        self.clock = clock
        self.tasks = Tasks("rules.answering")
        self.secrets: AnswerCache[dict[str, Any]] = AnswerCache(KEPT, clock)
        self.objects: AnswerCache[bytes] = AnswerCache(KEPT, clock)

    def to(self, rule_arn: str) -> Outside:
        """Whom a rule asks."""
        return RuleOutside(self, rule_arn)

    def obstacle(self, function: str) -> str | None:
        """Why a function of SQL will never be answered, naming the setting that is missing; None: it can be."""
        service = SERVICES.get(function)
        return None if service is None else self.aws.obstacle(service)

    async def close(self) -> None:
        """Give up what is being waited for."""
        await self.tasks.close()


class RuleOutside:
    """Answers one rule. Port `sql.Outside`."""

    def __init__(self, answering: Answering, rule_arn: str) -> None:
        self._by = answering
        self._rule_arn = rule_arn

    async def invoke(self, function_arn: str, payload: bytes) -> bytes:
        """Port Outside. The function goes on where it takes too long."""
        caller = ServiceCaller("iot.amazonaws.com", self._rule_arn, self._by.arns.account)
        by = self._by
        result = await invoke_within(PATIENCE, by.invoker, function_arn, payload, caller, by.clock, by.tasks)
        if result is None:
            raise Unanswered(f"{function_arn} did not answer within {PATIENCE * 1000:.0f} ms")
        if result.function_error is not None:
            told = result.payload[:SHOWN].decode("utf-8", "replace")
            raise Unanswered(f"{function_arn} failed ({result.function_error}): {told}")
        return result.payload

    async def thing_shadow(self, thing: str, shadow: str | None, role_arn: str) -> bytes:
        """Port Outside."""
        resource = self._by.arns.iot("thing", thing if shadow is None else f"{thing}/{shadow}")
        await self._check(role_arn, "iot:GetThingShadow", resource)
        return await self._by.shadows.get(thing, shadow)

    async def registry_data(self, operation: str, thing: str, role_arn: str) -> bytes:
        """Port Outside."""
        await self._check(role_arn, f"iot:{operation}", self._by.arns.iot("thing", thing))
        return await self._by.registry(operation, thing)

    async def item(self, table: str, key: Mapping[str, Mapping[str, str]], role_arn: str) -> bytes:
        """Port Outside."""
        await self._check(role_arn, "dynamodb:GetItem", self._by.arns.of("dynamodb", f"table/{table}"))
        return msgspec.json.encode(await self._by.aws.call("dynamodb", "GetItem", {"TableName": table, "Key": key}))

    async def secret(self, secret_id: str, role_arn: str) -> bytes:
        """Port Outside. What the role may is asked on the ARN that the service tells, which ends in random letters."""

        async def ask() -> dict[str, Any]:
            return await self._by.aws.call("secretsmanager", "GetSecretValue", {"SecretId": secret_id})

        answer = await self._by.secrets.get(secret_id, ask)
        resource = answer.get("ARN") or self._by.arns.of("secretsmanager", f"secret:{secret_id}")
        await self._check(role_arn, "secretsmanager:GetSecretValue", resource)
        return msgspec.json.encode(answer)

    async def predict(self, model_id: str, record: Mapping[str, str], role_arn: str) -> bytes:
        """Port Outside. An own endpoint answers for all models; AWS's needs no more than its general address."""
        arns = self._by.arns
        await self._check(role_arn, "machinelearning:Predict", arns.of("machinelearning", f"mlmodel/{model_id}"))
        general = f"https://realtime.machinelearning.{arns.region}.amazonaws.com"
        endpoint = self._by.aws.url("machinelearning") or general
        params = {"MLModelId": model_id, "Record": record, "PredictEndpoint": endpoint}
        return msgspec.json.encode(await self._by.aws.call("machinelearning", "Predict", params))

    async def object(self, bucket: str, key: str) -> bytes:
        """Port Outside."""

        async def ask() -> bytes:
            answer = await self._by.aws.call("s3", "GetObject", {"Bucket": bucket, "Key": key})
            body: bytes = answer["Body"]
            if len(body) > MAX_OBJECT:
                raise Unanswered(f"s3://{bucket}/{key} has {len(body)} bytes; {MAX_OBJECT} are taken")
            return body

        return await self._by.objects.get((bucket, key), ask)

    async def _check(self, role_arn: str, action: str, resource: str) -> None:
        if self._by.rights is not None:
            await self._by.rights.check(role_arn, action, resource, source=self._rule_arn)
