"""A gateway with an API that is only made for tests, on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from fogbank.arns import Arns
from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import sign
from fogbank.clock import SystemClock
from fogbank.errors import InvalidParameterValue, ResourceAlreadyExists, ResourceNotFound, Throttling
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.pipeline import Gateway
from fogbank.ports import Arrival, Identity
from fogbank.settings import AccessKey
from fogbank.trace import Trace
from fogbank.transport.http import HttpServer

REGION = "us-east-1"
KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
ARNS = Arns(REGION, "123456789012")


class ToyApi:
    """Says back what it is told, and remembers the calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    @operation("iot", "CreateThing")
    async def create_thing(self, call: Call) -> Members:
        self.calls.append(call)
        if call.params["thingName"] == "taken":
            raise ResourceAlreadyExists("Thing taken already exists.", resourceId="1", resourceArn="arn:taken")
        return {"thingName": call.params["thingName"], "thingArn": ARNS.iot("thing", "x"), "thingId": None}

    @operation("iot", "DescribeThing")
    async def describe_thing(self, call: Call) -> Members:
        raise ResourceNotFound(f"Thing {call.params['thingName']} does not exist.")

    @operation("iot", "ListThings")
    async def list_things(self, call: Call) -> Members:
        raise RuntimeError("internal detail")

    @operation("iot", "DeleteThing")
    async def delete_thing(self, call: Call) -> Members:
        return {"no such member": 1}

    @operation("iot-data", "GetThingShadow")
    async def get_thing_shadow(self, call: Call) -> Members:
        self.calls.append(call)
        return {"payload": msgspec.json.encode(call.params)}

    @operation("iot-data", "UpdateThingShadow")
    async def update_thing_shadow(self, call: Call) -> Members:
        return {"payload": call.params["payload"]}

    @operation("iot-data", "Publish")
    async def publish(self, call: Call) -> Members:
        self.calls.append(call)
        return {}

    @operation("lambda", "Invoke")
    async def invoke(self, call: Call) -> Members:
        if call.params.get("InvocationType") == "Event":
            return {"StatusCode": 202}
        if call.params["FunctionName"] == "busy":
            raise Throttling("Rate Exceeded.")
        return {"StatusCode": 200, "Payload": call.params["Payload"], "ExecutedVersion": "$LATEST"}

    @operation("lambda", "CreateFunction")
    async def create_function(self, call: Call) -> Members:
        if not call.params["Code"].get("ZipFile"):
            raise InvalidParameterValue("Please provide a source for function code.")
        return {"FunctionName": call.params["FunctionName"], "CodeSize": len(call.params["Code"]["ZipFile"])}

    @operation("lambda", "DeleteFunction")
    async def delete_function(self, call: Call) -> Members:
        return {"StatusCode": 204}


class Toy(msgspec.Struct):
    """What a test holds in its hands."""

    api: ToyApi
    gateway: Gateway
    http: HttpServer
    trace: Trace
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def signed(self, method: str, path: str, query: str = "", body: bytes = b"", **options: Any) -> Request:
        """A request signed for us-east-1, now, unless `options` say otherwise."""
        known: dict[str, Any] = {"region": REGION, "service": "iot", "now": SystemClock().time()} | options
        request = Request(method, path, query, {"host": f"127.0.0.1:{self.port}"}, body)
        return msgspec.structs.replace(request, headers=sign(request, KEY.id, KEY.secret, **known))


class Answer(msgspec.Struct):
    """An HTTP response as read from the socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@asynccontextmanager
async def serving(identity: Identity | None = None, **options: Any) -> AsyncIterator[Toy]:
    """A toy on a free port. `identity` is what its transports know of their clients."""
    api, clock = ToyApi(), SystemClock()
    trace = Trace(clock)
    known: dict[str, Any] = {"arns": ARNS, "clock": clock, "access_keys": {KEY.id: KEY}.get, "trace": trace}
    gateway = Gateway([api], **(known | options))
    http = HttpServer(gateway)

    def protocol() -> asyncio.Protocol:
        return with_identity(http.protocol, identity)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield Toy(api, gateway, http, trace, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        gateway.close()
        await http.shutdown()


def with_identity(make: Callable[[], asyncio.Protocol], identity: Identity | None) -> asyncio.Protocol:
    """A protocol whose transport knows its client, as one over TLS does."""
    protocol = make()
    connection_made = protocol.connection_made

    def knowing(transport: Any) -> None:
        extra_info = transport.get_extra_info

        class Knowing:
            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

            def get_extra_info(self, name: str, default: Any = None) -> Any:
                return Arrival(identity=identity) if name == "fogbank.arrival" else extra_info(name, default)

        connection_made(Knowing())  # type: ignore[arg-type]

    protocol.connection_made = knowing  # type: ignore[method-assign]
    return protocol


async def send(port: int, request: Request, headers: Mapping[str, str] | None = None) -> Answer:
    """One request on a connection of its own."""
    told = request.headers | {"content-length": str(len(request.body)), "connection": "close"} | dict(headers or {})
    target = request.path + (f"?{request.query}" if request.query else "")
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
    return read_answer(await raw(port, "\r\n".join(lines).encode("latin-1") + request.body))


async def raw(port: int, data: bytes) -> bytes:
    """Everything that comes back for some bytes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def read_answer(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(status.split(" ")[1]), headers, body)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something has come about that nobody announces."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0)
