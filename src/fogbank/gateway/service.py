"""One served service: its model with everything that reads it, loaded when the first request asks for it."""

from collections.abc import Mapping
from functools import cached_property

from fogbank.awswire.http import Request, Response
from fogbank.awswire.model import Operation, ServiceModel
from fogbank.awswire.query import Query
from fogbank.awswire.rest_json import RestJson
from fogbank.awswire.routes import Route, Routes
from fogbank.awswire.validate import Validator
from fogbank.errors import FogbankError, ServiceError
from fogbank.gateway import models
from fogbank.gateway.call import Handler, Members


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
    def wire(self) -> RestJson | Query:
        """How it speaks, by its model."""
        return Query(self.name, self.model) if self.model.metadata.protocol == "query" else RestJson(self.model)

    @cached_property
    def validator(self) -> Validator:
        return Validator(self.name, self.model)

    def find(self, request: Request, query: list[tuple[str, str]]) -> Route | None:
        """The operation that a request is for. Raises SerializationError, InvalidAction."""
        if isinstance(self.wire, Query):
            return self.wire.find(self.wire.fields(request))
        return self.routes.find(request.method, request.path, query)

    def parse(self, route: Route, request: Request, query: list[tuple[str, str]]) -> Members:
        """The parameters, typed by the model. Raises SerializationError, MalformedQueryString."""
        fields = self.wire.fields(request) if isinstance(self.wire, Query) else query
        return self.wire.parse(route, request, fields)

    def serialise(self, operation: Operation, result: Members, request_id: str) -> Response:
        """The response of a call that succeeded; XML bears the request's ID too."""
        if isinstance(self.wire, Query):
            return self.wire.serialise(operation, result, request_id)
        return self.wire.serialise(operation, result)

    def serialise_error(self, error: ServiceError, request_id: str) -> Response:
        """The response of a call that failed."""
        if isinstance(self.wire, Query):
            return self.wire.serialise_error(error, request_id)
        return self.wire.serialise_error(error)
