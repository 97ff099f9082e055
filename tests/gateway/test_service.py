import pytest

from fogbank.awswire.model import ServiceModel
from fogbank.errors import FogbankError
from fogbank.gateway import models
from fogbank.gateway.call import Call, Members
from fogbank.gateway.service import Service


async def handler(call: Call) -> Members:
    return {}


def test_the_model_is_read_once_and_only_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load = models.load

    def counting(service: str) -> ServiceModel:
        read.append(service)
        return load(service)

    monkeypatch.setattr(models, "load", counting)
    service = Service("iot-data", {"Publish": handler})
    assert read == []
    assert service.routes.find("POST", "/topics/a", ()) is not None
    assert service.wire is service.wire
    assert service.validator is service.validator
    assert read == ["iot-data"]


def test_operations_that_the_model_lacks() -> None:
    with pytest.raises(FogbankError, match="the model of iot-data has no operation Publsh"):
        _ = Service("iot-data", {"Publsh": handler}).model
