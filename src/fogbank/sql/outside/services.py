"""What compiled statements ask of the world beyond the message; the rules engine implements it."""

from collections.abc import Mapping
from typing import Protocol


class Outside(Protocol):
    """One method for each service. Each returns the body of the service's answer, byte for byte.

    What goes wrong is any `FogbankError`, its text the reason: no such thing, role not allowed, no endpoint configured,
    too slow. It ends the rule for this message unless the statement guards the call with `get_or_default`. Time limits
    and caches are the implementer's: AWS gives Lambda 2000 ms, and keeps secrets and S3 objects up to 15 minutes
    (developer guide: "Functions").
    """

    async def invoke(self, function_arn: str, payload: bytes) -> bytes:
        """`aws_lambda`: what the function returns for the JSON `payload`, which has to be JSON.

        There is no role: the function's resource policy has to allow iot.amazonaws.com, with the rule's ARN as source.
        """
        ...

    async def thing_shadow(self, thing: str, shadow: str | None, role_arn: str) -> bytes:
        """`get_thing_shadow`: the document as GetThingShadow has it; `shadow` is None for the unnamed one."""
        ...

    async def registry_data(self, operation: str, thing: str, role_arn: str) -> bytes:
        """`get_registry_data`: the answer of the registry's `DescribeThing` or `ListThingGroupsForThing`, as JSON."""
        ...

    async def item(self, table: str, key: Mapping[str, Mapping[str, str]], role_arn: str) -> bytes:
        """`get_dynamodb`: the answer of GetItem. `key` is in DynamoDB's JSON: `{"id": {"S": "x"}}`."""
        ...

    async def secret(self, secret_id: str, role_arn: str) -> bytes:
        """`get_secret`: the answer of Secrets Manager's GetSecretValue for the stage AWSCURRENT."""
        ...

    async def predict(self, model_id: str, record: Mapping[str, str], role_arn: str) -> bytes:
        """`machinelearning_predict`: the answer of Amazon Machine Learning's Predict."""
        ...

    async def object(self, bucket: str, key: str) -> bytes:
        """`decode(.., 'proto', ..)`: an object of S3. There is no role: the bucket has to allow iot.amazonaws.com."""
        ...
