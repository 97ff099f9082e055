"""One served service: its model with everything that reads it, loaded when the first request asks for it."""

from collections.abc import Mapping
from functools import cached_property

from fogbank.awswire.model import ServiceModel
from fogbank.awswire.rest_json import RestJson
from fogbank.awswire.routes import Routes
from fogbank.awswire.validate import Validator
from fogbank.errors import FogbankError
from fogbank.gateway import models
from fogbank.gateway.call import Handler


class Service:
    """A service by its botocore name, with the operations that are implemented."""

    def __init__(self, name: str, handlers: Mapping[str, Handler]) -> None:
        self.name = name
        self.handlers = handlers

    @cached_property
    def model(self) -> ServiceModel:
        """The model. Raises FogbankError where an API module declares an operation that is not in it."""
        model = models.load(self.name)
        if unknown := self.handlers.keys() - model.operations.keys():
            raise FogbankError(f"the model of {self.name} has no operation {', '.join(sorted(unknown))}")
        return model

    @cached_property
    def routes(self) -> Routes:
        return Routes(self.name, self.model)

    @cached_property
    def wire(self) -> RestJson:
        return RestJson(self.model)

    @cached_property
    def validator(self) -> Validator:
        return Validator(self.name, self.model)
