"""HTTP that is none, that never ends or that is too much; requests that are not signed as they should be."""

import json
import socket
import time
from collections.abc import Callable

import pytest
from tests.hostile.certificates import Credentials
from tests.hostile.server import KEY_ID, SECRET, Server
from tests.hostile.siege import siege

from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import sign

REFUSED = r"127.0.0.1: HTTP refused with 4\d\d: \w"
Headers = dict[str, str]

GARBAGE = {
    "no HTTP": b"HELLO\r\n\r\n",
    "binary": bytes(range(128, 256)) * 4,
    "MQTT": bytes.fromhex("100e00044d5154540402003c00026162"),
    "a header without a colon": b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    "a path that is not ASCII": b"GET /\xff HTTP/1.1\r\n\r\n",
    "a control character in a header": b"GET / HTTP/1.1\r\na: \x01\r\n\r\n",
    "a header folded": b"GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\na : b\r\n\r\n",
    "another version": b"GET / HTTP/7.3\r\n\r\n",
    "a length that is no number": b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a length and chunks": b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length beyond 64 bits": b"POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
    "a broken chunk": b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nnope\r\n",
    "a chunk beyond 64 bits": b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "an endless request line": b"GET /" + b"a" * 200_000,
    "an endless header": b"GET / HTTP/1.1\r\na: " + b"b" * 200_000,
    "ten thousand headers": b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 30_000,
    "a proxy's request": b"CONNECT example.com:443 HTTP/1.1\r\n\r\n",
    "no path": b"OPTIONS * HTTP/1.1\r\nconnection: close\r\n\r\n",
}


def exchange(link: socket.socket, data: bytes) -> bytes:
    """Send, and read until the server closes."""
    answer = b""
    try:
        link.sendall(data)
        while more := link.recv(65536):
            answer += more
    except ConnectionError:
        pass
    return answer


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage(server: Server, name: str) -> None:
    # What begins well is refused for that already: nobody has signed it.
    lines = (
        [REFUSED]
        if name not in ("a broken chunk", "a chunk beyond 64 bits")
        else [REFUSED, "refused: MissingAuthenticationToken"]
    )
    with siege(server, *lines) if name != "no path" else siege(server, "refused: "), server.connect("api") as link:
        answer = exchange(link, GARBAGE[name])
        assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")), answer[:200]


def test_a_request_smuggled_behind_another_is_a_request(server: Server) -> None:
    """Two answers, and neither is to what the other held."""
    first = (
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 40\r\n\r\n"
        + b"GET /_fogbank/health HTTP/1.1\r\nhost: x\r\n\r\n"[:40]
    )
    with siege(server, r"refused: MissingAuthenticationToken"), server.connect("api") as link:
        link.sendall(first)
        link.settimeout(0.5)
        answer = b""
        try:
            while more := link.recv(65536):
                answer += more
        except TimeoutError:
            pass
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"MissingAuthenticationToken" in answer


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"G", id="one byte"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: x\r\n", id="half a head"),
        pytest.param(b"POST / HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n" + bytes(1000), id="half a body"),
        pytest.param(
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + b"400\r\n" + bytes(1024) + b"\r\n", id="chunks"
        ),
    ],
)
def test_slow_requests(server: Server, begun: bytes) -> None:
    """Three hundred that do not go on; the deadlines that end them are tests/transport's matter."""
    with siege(server, any_lines=True):
        links = [server.connect("api") for _ in range(300)]
        for link in links:
            link.sendall(begun)
        for link in links:
            link.close()


@pytest.mark.parametrize("head", ["content-length: 100000000", "transfer-encoding: chunked"])
def test_a_body_without_end_is_not_kept(server: Server, head: str) -> None:
    """Who has no right is refused by the head alone, and what comes after is thrown away."""
    with siege(server, r"refused: MissingAuthenticationToken"), server.connect("api") as link:
        link.sendall(f"POST /things/x HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n".encode())
        assert b"MissingAuthenticationToken" in link.recv(4096)
        piece = bytes(65536) if "length" in head else b"10000\r\n" + bytes(65536) + b"\r\n"
        for _ in range(800):
            link.sendall(piece)
        assert server.memory() < 250 << 20


def test_a_signed_body_that_is_too_long_is_refused_by_its_length(server: Server) -> None:
    with siege(server, *[r"refused: RequestEntityTooLarge"] * 4):
        for service, length in (("iot", 1_048_577), ("iotdata", 1_048_577), ("lambda", 69_905_068), ("iot", 10**17)):
            status, _, body = server.ask(
                service,
                "POST",
                "/things/x",
                tamper=lambda headers, n=length: headers | {"content-length": str(n)},  # type: ignore[misc]
            )
            assert (status, b"must be smaller" in body) == (413, True), body


def test_thousands_of_pipelined_requests(server: Server) -> None:
    """Answered one after the other; nobody else waits for them."""
    request = b"GET /_fogbank/health HTTP/1.1\r\nhost: x\r\n\r\n"
    with siege(server), server.connect("api") as link:
        link.sendall(request * 5000)
        answers = 0
        rest = b""
        while answers < 5000:
            data = rest + link.recv(1 << 20)
            answers += data.count(b"HTTP/1.1 200")
            rest = data[-11:] if b"HTTP/1.1 200" not in data[-11:] else b""


def test_answers_that_nobody_reads(server: Server) -> None:
    request = b"GET /_fogbank/health HTTP/1.1\r\nhost: x\r\n\r\n" * 1000
    with siege(server, any_lines=True), server.connect("api") as link:
        link.settimeout(0.5)
        sent = 0
        try:
            while sent < 100 << 20:
                sent += link.send(request)
        except (TimeoutError, ConnectionError):
            pass
        assert sent < 100 << 20
        assert server.memory() < 250 << 20


# --- signatures -----------------------------------------------------------------------------------------------------


def _without(*names: str) -> Callable[[Headers], Headers]:
    return lambda headers: {name: value for name, value in headers.items() if name not in names}


def _replaced(name: str, old: str, new: str) -> Callable[[Headers], Headers]:
    return lambda headers: headers | {name: headers[name].replace(old, new)}


TAMPERED: dict[str, tuple[Callable[[Headers], Headers], str]] = {
    "no Authorization": (_without("authorization"), "MissingAuthenticationToken"),
    "no date": (_without("x-amz-date"), "IncompleteSignature"),
    "another algorithm": (_replaced("authorization", "AWS4-HMAC-SHA256", "AWS3"), "IncompleteSignature"),
    "basic": (lambda headers: headers | {"authorization": "Basic YTpi"}, "IncompleteSignature"),
    "empty": (lambda headers: headers | {"authorization": ""}, "IncompleteSignature"),
    "only the algorithm": (lambda headers: headers | {"authorization": "AWS4-HMAC-SHA256"}, "IncompleteSignature"),
    "no signature": (_replaced("authorization", "Signature=", "Nothing="), "IncompleteSignature"),
    "a signature that is not ASCII": (_replaced("authorization", "Signature=", "Signature=\xe9"), "InvalidSignature"),
    "a short scope": (_replaced("authorization", "/aws4_request", ""), "IncompleteSignature"),
    "another terminator": (_replaced("authorization", "aws4_request", "aws5_request"), "IncompleteSignature"),
    "host not signed": (_replaced("authorization", "host", "hose"), "IncompleteSignature"),
    "a date of nonsense": (lambda headers: headers | {"x-amz-date": "99999999T999999Z"}, "Signature"),
    "a date of an e-mail": (lambda headers: headers | {"x-amz-date": "Mon, 99 Foo 20000 99:99:99 +9999"}, "Signature"),
    "an empty date": (lambda headers: headers | {"x-amz-date": "", "date": "()"}, "IncompleteSignature"),
    "a date far away": (lambda headers: headers | {"x-amz-date": "Mon, 01 Jan 0001 00:00:00 +2359"}, "Signature"),
    "another key": (_replaced("authorization", KEY_ID, "AKIANOBODY"), "UnrecognizedClient"),
    "another region": (_replaced("authorization", "us-east-1", "eu-west-1"), "InvalidSignature"),
    "another service": (_replaced("authorization", "/iot/", "/iotdata/"), "InvalidSignature"),
    "an unknown service": (_replaced("authorization", "/iot/", "/dynamodb/"), "NotImplemented"),
    "another content hash": (lambda headers: headers | {"x-amz-content-sha256": "0" * 64}, "SHA256Mismatch"),
    "an unsigned payload": (lambda headers: headers | {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, "InvalidSignature"),
    "a streamed payload": (
        lambda headers: headers | {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
        "InvalidSignature",
    ),
    "another host": (lambda headers: headers | {"host": "example.com"}, "InvalidSignature"),
    "a long scope": (
        _replaced("authorization", "AWS4-HMAC-SHA256 Credential=", f"AWS4-HMAC-SHA256 Credential={'x/' * 9000}"),
        "UnrecognizedClient",
    ),
    "signed headers without end": (
        _replaced("authorization", "SignedHeaders=", f"SignedHeaders={'a;' * 20_000}"),
        "Signature",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampered_signatures(server: Server, name: str) -> None:
    tamper, code = TAMPERED[name]
    with siege(server, rf"refused: (\w*({code})\w*)"):
        status, headers, body = server.ask("iot", "POST", "/things/forged", {}, tamper=tamper)
        assert 400 <= status < 502, body
        assert any(one in headers["x-amzn-errortype"] for one in code.split("|")), headers
    assert server.ask("iot", "GET", "/things/forged")[0] == 404


@pytest.mark.parametrize("minutes", [-20, 20, -14, 14])
def test_clock_skew(server: Server, minutes: int) -> None:
    lines = [] if abs(minutes) < 15 else [r"refused: InvalidSignature"]
    with siege(server, *lines):
        status, _, body = server.ask("iot", "GET", "/things", now=time.time() + 60 * minutes)
    assert status == (200 if not lines else 403), body


def test_a_signature_holds_for_its_own_path_query_and_body_alone(server: Server) -> None:
    taken: list[Headers] = []

    def take(headers: Headers) -> Headers:
        taken.append(headers)
        return headers

    assert server.ask("iot", "GET", "/things", tamper=take)[0] == 200
    [signed] = taken
    others = [
        ("GET", "/policies", "", b""),
        ("GET", "/things", "maxResults=1", b""),
        ("POST", "/things/x", "", b""),
        ("GET", "/things", "", b"{}"),
        ("GET", "/things/", "", b""),
        ("GET", "/%74hings", "", b""),
    ]
    with siege(server, any_lines=True):
        for method, path, query, body in others:
            status, headers, _ = server.ask(
                "iot",
                method,
                path,
                body,
                query=query,
                tamper=lambda headers: signed | {"content-length": headers["content-length"]},
            )
            assert (status, headers["x-amzn-errortype"]) == (403, "InvalidSignatureException"), (method, path, query)


PRESIGNED = {
    "no signature": "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    "an expiry of nonsense": "X-Amz-Expires=abc",
    "an expiry without end": "X-Amz-Expires=000000001" + "9" * 5000,
    "an expiry beyond seven days": "X-Amz-Expires=000000001999999999",
    "an expiry in other digits": "X-Amz-Expires=%D9%A1",
}


@pytest.mark.parametrize("name", PRESIGNED)
def test_presigned_nonsense(server: Server, name: str) -> None:
    day = time.strftime("%Y%m%d", time.gmtime())
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY_ID}%2F{day}%2Fus-east-1%2Fiot%2Faws4_request"
        f"&X-Amz-Date={day}T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=abc&{PRESIGNED[name]}"
    )
    with siege(server, r"refused: \w*Signature"), server.connect("api") as link:
        answer = exchange(link, f"GET /things?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        assert (b"HTTP/1.1 4" in answer and b"IncompleteSignature" in answer) or b"403" in answer[:20], answer[:300]


# --- paths and parameters -------------------------------------------------------------------------------------------

PATHS = [
    "/things/%2e%2e",
    "/things/..",
    "/things/%00",
    "/things/%252e%252e",
    "/things/%ff%fe",
    "/things/%ED%A0%80",
    "/things/a%2fb",
    "/things/a/b/c/d",
    "/things/" + "a" * 3000,
    "/things/%F0%9F%A6%80",
    "/things/%",
    "/things/%zz",
    "/things/a;b",
    "/things/a+b%20c",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/../../etc/passwd",
    "//",
    "/",
    "/policies/%2F/version/%00",
    "/_fogbank/%2e%2e/things",
    "/_fogbank/code?token=../../x",
    "/rules/..%2f..%2fx",
    "/" + "a/" * 8000,
]


def test_paths_of_every_kind(server: Server) -> None:
    with siege(server, any_lines=True):
        for path in PATHS:
            where, _, query = path.partition("?")
            for service in ("iot", "iotdata", "lambda"):
                for method in ("GET", "POST", "DELETE", "PATCH", "TRACE"):
                    status, _, body = server.ask(service, method, where, b"", query=query)
                    assert 400 <= status < 500 or status in (200, 204, 501), (service, method, path, status, body)
                    assert b"root:" not in body


def test_own_paths_need_a_signature(server: Server, permitted: Credentials) -> None:
    with siege(server, any_lines=True):
        for path in ("trace", "code", "code?token=x.9999999999.y", "code?token=%ff.1.%ff", "nothing", "../things"):
            with server.connect("api") as link:
                answer = exchange(
                    link, f"GET /_fogbank/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
                )
                assert answer.startswith(b"HTTP/1.1 4"), (path, answer)
        with server.tls("https", permitted.files) as link:
            answer = exchange(link, b"GET /_fogbank/trace HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 4"), answer


def test_tokens_of_pages_that_were_never_given_out(server: Server) -> None:
    pages = [("iot", "/things", "nextToken"), ("iot", "/policies", "marker"), ("iot", "/rules", "nextToken")]
    pages += [("iot", "/thing-types", "nextToken"), ("iot", "/certificates", "marker")]
    pages += [
        ("lambda", "/2015-03-31/functions", "Marker"),
        ("iotdata", "/api/things/shadow/ListNamedShadowsForThing/x", "nextToken"),
    ]
    tokens = ["x", "%00", "%ff", "a" * 5000, "eyJhIjoxfQ==", "e30", "W10=", "bnVsbA==", "..%2f..", "%F0%9F%A6%80", "-1"]
    with siege(server, any_lines=True):
        for service, path, name in pages:
            for token in tokens:
                status, _, body = server.ask(service, "GET", path, query=f"{name}={token}")
                assert status in (200, 400, 404, 501), (service, path, token, status, body)
                assert status != 200 or service == "lambda" or "nextToken" not in json.loads(body), (path, token, body)


def test_secrets_never_show_in_the_log(server: Server) -> None:
    assert SECRET not in server.stderr.read_text()
    assert "PRIVATE KEY" not in server.stderr.read_text()


def test_long_bodies_of_who_knows_but_an_access_key_id_are_bounded(server: Server) -> None:
    """A signature can only be checked when the body is whole."""
    host, port = server.address("api")
    links = []
    before = server.memory()
    with siege(server, any_lines=True, memory=300 << 20):  # in small pieces, which allocators give back late
        request = Request("POST", "/2015-03-31/functions", "", {"host": f"{host}:{port}"})
        signed = sign(request, KEY_ID, "wrong", region="us-east-1", service="lambda", now=time.time())
        head = "".join(f"{name}: {value}\r\n" for name, value in (signed | {"content-length": "60000000"}).items())
        for _ in range(7):
            link = server.connect("api")
            link.sendall(f"POST {request.path} HTTP/1.1\r\n{head}\r\n".encode())
            for _ in range(56):
                link.sendall(bytes(1 << 20))
            links.append(link)
        assert server.memory() - before < 330 << 20
        for link in links:
            link.close()
