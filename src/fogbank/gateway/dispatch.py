"""From an authenticated request to the API method that serves it, and back: route, parse, validate, call, serialise."""

from collections import defaultdict
from collections.abc import Iterable

from fogbank.awswire.errors import MethodNotAllowed, UnknownOperation
from fogbank.awswire.http import parse_query
from fogbank.awswire.routes import DEVICE_SERVICES, SERVICES
from fogbank.errors import NotImplementedByFogbank, ServiceError
from fogbank.gateway.call import Call, Handler, operations
from fogbank.gateway.exchange import Exchange
from fogbank.gateway.service import Service


class Dispatcher:
    """Knows the served services and the methods behind their operations. Its methods are handlers of the pipeline."""

    def __init__(self, apis: Iterable[object]) -> None:
        """`apis` declare their operations with `call.operation`. Raises ValueError where two declare the same one."""
        handlers: defaultdict[str, dict[str, Handler]] = defaultdict(dict)
        for api in apis:
            for (service, name), handler in operations(api):
                if name in handlers[service]:
                    raise ValueError(f"{service}:{name} is declared twice, the second time by {type(api).__name__}")
                handlers[service][name] = handler
        self._services = {service: Service(service, handled) for service, handled in handlers.items()}
        self._meant = {signed: self._served(models) for signed, models in SERVICES.items()}
        self._meant_by_devices = self._served(DEVICE_SERVICES)

    @property
    def services(self) -> Iterable[Service]:
        """All that is served."""
        return self._services.values()

    def choose(self, exchange: Exchange) -> None:
        """Which services the caller can mean. Raises NotImplementedByFogbank naming those that are served."""
        claim = exchange.claim
        exchange.services = self._meant_by_devices if claim is None else self._meant.get(claim.service, ())
        if not exchange.services:
            served = sorted(signed for signed, services in self._meant.items() if services)
            asked = "the IoT data plane" if claim is None else f"'{claim.service[:64]}'"
            raise NotImplementedByFogbank(
                f"Fogbank does not serve {asked}; it serves {', '.join(served) or 'nothing'}."
            )

    def route(self, exchange: Exchange) -> None:
        """The operation. Raises UnknownOperation, MethodNotAllowed, NotImplementedByFogbank (AWS alone has it)."""
        request = exchange.request
        exchange.query = parse_query(request.query)
        for service in exchange.services:
            route = service.find(request, exchange.query)
            if route is not None:
                break
        else:
            raise _no_operation(exchange)
        exchange.service, exchange.route = service, route
        if route.operation.name not in service.handlers:
            raise NotImplementedByFogbank(f"Fogbank does not implement {service.name}:{route.operation.name} yet.")

    def parse(self, exchange: Exchange) -> None:
        """The parameters, typed by the model. Raises SerializationError."""
        exchange.params = _service(exchange).parse(exchange.route, exchange.request, exchange.query)

    def validate(self, exchange: Exchange) -> None:
        """Hold the parameters against the model's constraints. Raises the service's validation error."""
        _service(exchange).validator.check(exchange.route.operation, exchange.params)

    async def call(self, exchange: Exchange) -> None:
        """Await the API method. What it raises is the answer."""
        service, name = _service(exchange), exchange.route.operation.name
        call = Call(service.name, name, exchange.params, exchange.caller, exchange.request_id)
        exchange.result = await service.handlers[name](call)

    def serialise(self, exchange: Exchange) -> None:
        """The response, by the model."""
        service, operation = _service(exchange), exchange.route.operation
        exchange.response = service.serialise(operation, exchange.result, exchange.request_id)

    def _served(self, models: Iterable[str]) -> tuple[Service, ...]:
        return tuple(self._services[name] for name in models if name in self._services)


def _no_operation(exchange: Exchange) -> ServiceError:
    """Of wrong methods only the models of the data plane know."""
    method, path = exchange.request.method, exchange.request.path
    for service in exchange.services:
        if service.name in DEVICE_SERVICES and (methods := service.routes.methods(path)):
            return MethodNotAllowed(f"{method} is not allowed at {path[:256]}; {' and '.join(methods)} would be")
    names = " or ".join(service.name for service in exchange.services)
    return UnknownOperation(f"There is no operation of {names} at {method} {path[:256]}")


def _service(exchange: Exchange) -> Service:
    assert exchange.service is not None, "route comes first"
    return exchange.service
