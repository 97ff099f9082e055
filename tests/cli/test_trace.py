"""`fogbank trace`: what it shows of a stream, and how it ends."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from click.testing import CliRunner, Result
from tests.cli.server import BIN, Server

from fogbank.awswire.http import Request
from fogbank.awswire.sigv4 import Verifier, read_claim
from fogbank.cli.trace import trace
from fogbank.cli.trace_stream import LONGEST_REFUSAL, PATH, Traced

NOON = 1_750_000_000.25
"""15:06:40.250 UTC."""
CONNECT = {"kind": "connect", "status": "success", "time": NOON, "client_id": "lamp", "principal": "5d4e"}
DENIED = {
    "kind": "publish",
    "status": "denied",
    "time": NOON,
    "topic": "device/other",
    "client_id": "lamp",
    "reason": "no statement allows it",
}
BATCH = {
    "kind": "publish",
    "status": "success",
    "time": NOON,
    "topic": "device/lamp/x",
    "client_id": "lamp",
    "detail": {"messages": 7},
}
ACTION = {
    "kind": "action",
    "status": "failure",
    "time": NOON,
    "topic": "device/lamp/x",
    "name": "hot/lambda",
    "reason": "it is gone",
    "duration_ms": 12.345,
    "detail": {"target": "arn:f"},
}
FUNCTION = {
    "kind": "function",
    "status": "success",
    "time": NOON,
    "name": "f",
    "duration_ms": 3.0,
    "detail": {"log": "START RequestId: 1\nhello\nEND RequestId: 1\n"},
}
SKIPPED = {"kind": "shadow", "status": "skipped", "time": NOON, "topic": "$aws/things/x/shadow/get", "reason": "full"}
DROPPED = {"kind": "trace", "status": "dropped", "reason": "3 events dropped: this reader is too slow", "dropped": 3}
EVENTS = [CONNECT, DENIED, BATCH, ACTION, FUNCTION, SKIPPED]

GONE = "Error: the trace has ended: the Fogbank at "


def lines(*events: dict[str, object]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


class Instance:
    """What answers a request for the trace with canned chunks, and ends."""

    def __init__(self, *chunks: bytes, status: int = 200, whole: bool = True) -> None:
        self.requests: list[Request] = []
        instance = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                instance.requests.append(Request("GET", self.path, headers=headers))
                self.send_response(status)
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for chunk in chunks:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                self.wfile.write(b"0\r\n\r\n" if whole else b"")
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def answering(*chunks: bytes, status: int = 200, whole: bool = True) -> Iterator[Instance]:
    instance = Instance(*chunks, status=status, whole=whole)
    thread = threading.Thread(target=instance.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield instance
    finally:
        instance.server.shutdown()
        thread.join()
        instance.server.server_close()


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Moments are shown by the local clock."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def run(url: str, *arguments: str, charset: str = "utf-8", color: bool = False, **environment: str) -> Result:
    variables: dict[str, str | None] = {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": None,
        "NO_COLOR": None,
    }
    return CliRunner(charset=charset, env={**variables, **environment}).invoke(trace, arguments, color=color)


def shown(*arguments: str, events: list[dict[str, object]] | None = None) -> list[str]:
    """What is shown of the events until the instance ends."""
    with answering(lines(*(EVENTS if events is None else events))) as instance:
        result = run(instance.url, *arguments)
        assert result.exit_code == 1
        assert result.stderr.endswith(f"{GONE}{instance.url} is gone\n")
    return result.stdout.splitlines()


def test_a_line_for_each_event() -> None:
    assert shown() == [
        "15:06:40.250  connect     ✓ lamp",
        "15:06:40.250  publish     ✗ denied  lamp  device/other: no statement allows it",
        "15:06:40.250  publish     ✓ lamp  device/lamp/x  7 messages",
        "15:06:40.250  action      ✗ failure  hot/lambda  device/lamp/x  to arn:f: it is gone  12.3 ms",
        "15:06:40.250  function    ✓ f  3.0 ms",
        "15:06:40.250  shadow      - skipped  $aws/things/x/shadow/get: full",
    ]


def test_marks_that_every_terminal_can_show() -> None:
    with answering(lines(CONNECT, DENIED)) as instance:
        result = run(instance.url, charset="ascii")
    assert [line[26] for line in result.stdout.splitlines()] == ["+", "!"]


def test_what_functions_print() -> None:
    assert shown("--logs", "--kind", "function") == [
        "15:06:40.250  function    ✓ f  3.0 ms",
        "                          | hello",
    ]


def test_colour_only_where_it_is_wanted() -> None:
    with answering(lines(DENIED)) as instance:
        assert "\x1b[31m✗\x1b[0m" in run(instance.url, color=True).stdout
        assert "\x1b" not in run(instance.url, color=True, NO_COLOR="1").stdout
        assert "\x1b" not in run(instance.url).stdout


def test_a_topic_cannot_move_the_cursor() -> None:
    [line] = shown(events=[DENIED | {"topic": "a\x1b[2Jb\nc", "reason": "\x07"}])
    assert line.endswith(r"lamp  a\x1b[2Jb\nc: \x07")


def test_who_has_no_client_id_is_shown_by_its_principal() -> None:
    assert shown(events=[CONNECT | {"client_id": ""}]) == ["15:06:40.250  connect     ✓ 5d4e"]


def test_json_is_the_stream_itself() -> None:
    assert shown("--json") == lines(*EVENTS).decode().splitlines()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--kind", "publish"], [DENIED, BATCH]),
        (["--kind", "publish", "--kind", "connect"], [CONNECT, DENIED, BATCH]),
        (["--status", "denied", "--status", "failure"], [DENIED, ACTION]),
        (["--client", "lamp"], [CONNECT, DENIED, BATCH]),
        (["--client", "lam"], []),
        (["--topic", "device/#"], [DENIED, BATCH, ACTION]),
        (["--topic", "device/+/x"], [BATCH, ACTION]),
        (["--topic", "#"], [DENIED, BATCH, ACTION]),
        (["--topic", "$aws/#", "--topic", "device/other"], [DENIED, SKIPPED]),
        (["--topic", "device/#", "--kind", "publish", "--status", "success"], [BATCH]),
    ],
)
def test_filters(options: list[str], expected: list[dict[str, object]]) -> None:
    assert [json.loads(line) for line in shown("--json", *options)] == expected


def test_count_ends_it() -> None:
    with answering(lines(*EVENTS)) as instance:
        result = run(instance.url, "--count", "2", "--kind", "publish", "--json")
    assert (result.exit_code, result.stdout.encode()) == (0, lines(DENIED, BATCH))
    assert result.stderr == f"listening to {instance.url}, Ctrl-C ends\n"


@pytest.mark.parametrize("options", [[], ["--json"], ["--kind", "connect"]])
def test_dropped_events_are_told_on_stderr_and_do_not_count(options: list[str]) -> None:
    with answering(lines(CONNECT, DROPPED, CONNECT)) as instance:
        result = run(instance.url, "--count", "2", *options)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)
    assert result.stderr.splitlines()[1:] == ["... 3 events dropped: this reader is too slow"]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_chunks_end_anywhere(size: int) -> None:
    stream = lines(CONNECT, DENIED, BATCH)
    with answering(*(stream[at : at + size] for at in range(0, len(stream), size))) as instance:
        assert run(instance.url, "--json").stdout.encode() == stream


def test_a_stream_that_is_cut_off() -> None:
    with answering(lines(CONNECT) + b'{"kind": "pub', whole=False) as instance:
        result = run(instance.url)
    assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)
    assert result.stderr.endswith(f"{GONE}{instance.url} is gone\n")


def test_the_request_is_signed() -> None:
    with answering() as instance:
        run(instance.url, AWS_SESSION_TOKEN="token")
    [request] = instance.requests
    claim = read_claim(request)
    assert claim is not None
    assert (request.path, claim.key_id, claim.region, claim.service) == (PATH, "AKID", "eu-west-1", "iot")
    assert request.headers["x-amz-security-token"] == "token"
    Verifier("eu-west-1").verify(claim, request, "secret")


def test_an_answer_that_is_no_stream() -> None:
    with answering(b'{"message": "no such key"}' + b"." * LONGEST_REFUSAL, status=403) as instance:
        result = run(instance.url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f'Error: {instance.url}{PATH} answers 403: {{"message": "no such key"}}...')
    assert len(result.stderr) < LONGEST_REFUSAL + 100


@pytest.mark.parametrize(
    ("environment", "arguments", "code", "said"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, [], 1, "no Fogbank answers at http://127.0.0.1:1 ("),
        ({"AWS_ENDPOINT_URL": "ftp://x"}, [], 1, "ftp://x is no address of an HTTP API"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, [], 1, "AWS_ENDPOINT_URL is set without keys and region"),
        ({}, ["--data", "/nowhere"], 1, "no Fogbank runs on /nowhere"),
        ({}, ["--topic", "a/#/b"], 2, "levels after '#'"),
        ({}, ["--kind", "message"], 2, "'message' is not one of"),
        ({}, ["--count", "0"], 2, "0 is not in the range"),
    ],
)
def test_what_cannot_be_followed(environment: dict[str, str], arguments: list[str], code: int, said: str) -> None:
    result = run("http://127.0.0.1:1", *arguments, charset="utf-8", color=False, **environment)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_an_event_in_words() -> None:
    event = Traced("publish", "denied", "no", "a/b", "lamp")
    assert str(event) == "publish denied lamp a/b: no"
    assert Traced("function", "success", detail={"log": "START RequestId: 1\nhi\n"}).printed == ["hi"]


def test_of_a_real_instance(server: Server) -> None:
    command = [str(BIN / "fogbank"), "trace", "--kind", "shadow"]
    with subprocess.Popen(
        command, env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stderr.readline() == f"listening to {server.ready['api']}, Ctrl-C ends\n"
            ready = server.ready
            session = boto3.session.Session(
                ready["access_key_id"], ready["secret_access_key"], region_name=ready["region"]
            )
            data = session.client("iot-data", endpoint_url=ready["api"])
            data.update_thing_shadow(thingName="lamp", payload='{"state": {"desired": {"on": true}}}')
            data.close()
            assert process.stdout.readline()[14:] == "shadow      ✓ lamp: update: version 1\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=10)
            assert (process.returncode, out, err) == (0, "", "")
        finally:
            process.kill()
