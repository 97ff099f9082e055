"""Operations of IoT by name, each held against botocore's model."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from fogbank.errors import NotImplementedByFogbank, ServiceError
from fogbank.gateway.call import Call, Caller, Handler, Members, operations


@cache
def iot_model() -> ServiceModel:
    [path] = (Path(botocore.__file__).parent / "data" / "iot").glob("*/service-2.json*")
    data = path.read_bytes()
    return ServiceModel(json.loads(gzip.decompress(data) if path.suffix == ".gz" else data), "iot")


class Iot:
    """Calls operations by name, holding parameters, answers and error codes against the model."""

    def __init__(self, apis: list[object], model: ServiceModel) -> None:
        self.handlers: dict[tuple[str, str], Handler] = {}
        for api in apis:
            self.handlers.update(operations(api))
        self._model = model

    async def call(self, name: str, **params: Any) -> Members:
        shapes = self._model.operation_model(name)
        self._check(params, shapes.input_shape)
        answer = _without_none(await self.handlers["iot", name](Call("iot", name, params, Caller("AKIA", "arn"), "r")))
        assert isinstance(answer, dict)
        if shapes.output_shape is None:
            assert answer == {}
        else:
            self._check(answer, shapes.output_shape)
            assert answer.keys() <= shapes.output_shape.members.keys()
        return answer

    async def refused(self, name: str, **params: Any) -> str:
        """The code of the error that the call comes to; one that the model gives the operation."""
        with pytest.raises(ServiceError) as refused:
            await self.call(name, **params)
        code = refused.value.code
        if refused.type is not NotImplementedByFogbank:
            assert code in [shape.name for shape in self._model.operation_model(name).error_shapes]
        return code

    @staticmethod
    def _check(value: Members, shape: Any) -> None:
        report = ParamValidator().validate(value, shape)
        assert not report.has_errors(), report.generate_report()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list) else value
