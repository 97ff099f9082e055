import pytest

from fogbank.errors import InvalidRequest
from fogbank.gateway.named import named

PREFIX = "arn:aws:iot:eu-west-1:1:thing/"


@pytest.mark.parametrize(
    "params",
    [
        {"thingName": "lamp"},
        {"thingArn": f"{PREFIX}lamp"},
        {"thingName": "lamp", "thingArn": f"{PREFIX}lamp"},
    ],
)
def test_a_name_an_arn_or_both(params: dict[str, str]) -> None:
    assert named(params, "thing", PREFIX) == "lamp"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"thingName": "fan", "thingArn": f"{PREFIX}lamp"},
        {"thingArn": "arn:aws:iot:eu-west-1:2:thing/lamp"},
        {"thingArn": "lamp"},
    ],
)
def test_what_names_nothing(params: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        named(params, "thing", PREFIX)
