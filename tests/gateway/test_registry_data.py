"""What `get_registry_data` is answered is what the API answers."""

import pytest
from tests.gateway.toy import ARNS

from fogbank.errors import ResourceNotFound
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.registry_data import RegistryData


class ThingsApi:
    """Knows one thing."""

    @operation("iot", "DescribeThing")
    async def describe_thing(self, call: Call) -> Members:
        if call.params != {"thingName": "lamp"}:
            raise ResourceNotFound("there is none")
        return {"thingName": "lamp", "thingTypeName": None, "attributes": {}, "thingArn": ARNS.iot("thing", "lamp")}


async def test_the_answer_of_the_api_as_json() -> None:
    answer = await RegistryData(ThingsApi()).answer("DescribeThing", "lamp")
    assert answer == b'{"thingName":"lamp","attributes":{},"thingArn":"arn:aws:iot:us-east-1:123456789012:thing/lamp"}'


async def test_its_errors_are_reasons() -> None:
    with pytest.raises(ResourceNotFound, match="there is none"):
        await RegistryData(ThingsApi()).answer("DescribeThing", "other")
