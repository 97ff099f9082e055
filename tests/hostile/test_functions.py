"""Handlers that misbehave: they end, what they started ends with them, and they see nothing that is not theirs."""

import os
import shutil
from pathlib import Path

import pytest
from tests.hostile.functions import FUNCTIONS, function, invoke
from tests.hostile.server import SECRET, Server, eventually
from tests.hostile.siege import siege

HANDLERS: dict[str, tuple[str, str | None]] = {
    "raises": ("def h(e, c): raise ValueError('x' * 100_000)", "Unhandled"),
    "exits": ("import os\ndef h(e, c): os._exit(3)", "Unhandled"),
    "kills itself": ("import os\ndef h(e, c): os.kill(os.getpid(), 9)", "Unhandled"),
    "spins": ("def h(e, c):\n while True: pass", "Unhandled"),
    "ignores SIGTERM": (
        "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\ndef h(e, c): time.sleep(60)",
        "Unhandled",
    ),
    "closes everything": ("import os\ndef h(e, c):\n os.closerange(0, 1000)\n return 1", None),
    "returns 7 MB": ("def h(e, c): return 'x' * 7_000_000", "Unhandled"),
    "returns no JSON": ("def h(e, c): return object()", "Unhandled"),
    "returns depth": ("def h(e, c):\n x = []\n for _ in range(100_000): x = [x]\n return x", "Unhandled"),
    "allocates": ("def h(e, c):\n x = []\n while True: x.append(b'x' * 1_000_000)", "Unhandled"),
    "allocates at once": ("def h(e, c): return len(b'x' * 3_000_000_000)", "Unhandled"),
    "prints 100 MB": ("def h(e, c):\n for _ in range(1000): print('x' * 100_000)", None),
    "prints without newline": ("import sys\ndef h(e, c): sys.stdout.write('x' * 5_000_000)", None),
    "prints bytes": (
        "import os\ndef h(e, c): os.write(1, bytes(range(256)) * 400 + b'\\x1b[2J\\r[ERROR] forged\\n')",
        None,
    ),
    "a bad name": ("def g(e, c): pass", "Unhandled"),
    "a syntax error": ("def h(e, c:", "Unhandled"),
    "fills the disk": (
        "def h(e, c):\n with open('/tmp/x', 'wb') as f:\n  while True: f.write(bytes(1 << 20))",
        "Unhandled",
    ),
    "opens files": ("def h(e, c):\n x = []\n while True: x.append(open('/dev/null'))", "Unhandled"),
}


@pytest.mark.parametrize("name", HANDLERS)
def test_handlers(server: Server, name: str) -> None:
    source, error = HANDLERS[name]
    timeout = 1 if error else 10  # those that do no harm end by themselves, on a busy machine later
    with siege(server, any_lines=True), function(server, "bad", source, Timeout=timeout):
        before = len(server.lines())
        assert invoke(server, "bad")[0] == error
        assert not [line for line in server.lines()[before:] if " ERROR " in line]
    eventually("its processes are gone", lambda: not _children(server))


DAEMON = """
import os, time
def h(e, c):
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork(): os._exit(0)
            os.closerange(0, 100)
            time.sleep(600)
    return os.getpid()
"""


def test_daemons_end_with_their_function(server: Server) -> None:
    with siege(server, any_lines=True):
        with function(server, "daemon", DAEMON, Timeout=3):
            assert invoke(server, "daemon")[0] is None
        eventually("its processes are gone", lambda: not _children(server))


FORGER = """
import http.client, json, os, socket
def ask(address, method, path, body=b""):
    try:
        connection = http.client.HTTPConnection(address, timeout=1)
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()[:200]
    except Exception as error:
        return 0, type(error).__name__
def h(e, c):
    own = os.environ["AWS_LAMBDA_RUNTIME_API"]
    base = "/2018-06-01/runtime/invocation"
    other = e["in"] or own
    return [
        ask(own, "POST", f"{base}/00000000-0000-0000-0000-000000000000/response", b"1"),
        ask(own, "POST", f"{base}/x/error", b'{"errorType": "\\xff"}'),
        ask(own, "POST", "/2018-06-01/runtime/init/error", b"[" * 9999),
        ask(own, "GET", f"{base}/next"),
        ask(own, "GET", "/" + "x" * 99999),
        ask(own, "BREW", "/"),
        ask(other, "GET", f"{base}/next"),
        ask(other, "POST", f"{base}/{c.aws_request_id}/error", b'{"errorType": "\\xff"}'),
    ]
"""


def test_a_function_cannot_answer_for_another_request(server: Server) -> None:
    with siege(server, any_lines=True), function(server, "forger", FORGER, Timeout=9):
        error, said = invoke(server, "forger")
        assert error == "Unhandled" or all(status >= 400 or status == 0 for status, _ in said[:7]), said


HOLDER = """
import os, time
def h(e, c):
    if e["in"] == "where": return os.environ["AWS_LAMBDA_RUNTIME_API"]
    time.sleep(0.5)
    return "mine"
"""


def test_a_function_cannot_speak_for_another(server: Server) -> None:
    with (
        siege(server, any_lines=True),
        function(server, "holder", HOLDER),
        function(server, "thief", FORGER, Timeout=9),
    ):
        where = invoke(server, "holder", "where")[1]
        _, said = invoke(server, "thief", where)
        assert said[-2][0] in (0, 403), said
        assert said[-1][0] in (0, 400, 403), said
        assert invoke(server, "holder") == (None, "mine")


SPY = """
import os
def read(path):
    try:
        with open(path, "rb") as file: return file.read(65536).decode("latin-1")
    except OSError as error:
        return type(error).__name__
def link(descriptor):
    try:
        return os.readlink("/proc/self/fd/" + descriptor)
    except OSError:
        return ""
def h(e, c):
    found = {}
    for path in e["in"]:
        found[path] = read(path)
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            found["/proc/" + pid] = read(f"/proc/{pid}/environ") + read(f"/proc/{pid}/cmdline")
    found["environment"] = repr(dict(os.environ))
    found["uid"] = repr((os.getuid(), os.getgroups()))
    found["capabilities"] = read("/proc/self/status")
    found["root"] = repr(sorted(os.listdir("/")))
    found["descriptors"] = repr([link(one) for one in os.listdir("/proc/self/fd")])
    for path in ("/var/task/x", "/usr/x", "/x", "/etc/x"):
        try:
            open(path, "w").close()
            found["wrote " + path] = "yes"
        except OSError:
            pass
    return found
"""


@pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: functions see what the user sees"
)
def test_a_sandboxed_function_sees_neither_keys_nor_the_server(server: Server) -> None:
    private = [str(path) for path in server.data.rglob("*") if path.is_file()]
    private += [
        str(server.place / "ready.json"),
        "/etc/shadow",
        "/root/.bashrc",
        f"/proc/{server.pid}/environ",
        __file__,
    ]
    with siege(server, any_lines=True), function(server, "spy", SPY, Timeout=9):
        error, found = invoke(server, "spy", private)
        assert error is None, found
        for path in private:
            assert found[path] in ("FileNotFoundError", "PermissionError", "NotADirectoryError"), (
                path,
                found[path][:80],
            )
        assert not [name for name in found if name.startswith("wrote")]
        assert not [name for name in found if name.startswith("/proc/") and "fogbank.cli" in found[name]]
        assert "CapEff:\t0000000000000000" in found["capabilities"]
        assert str(server.data) not in found["descriptors"]
        # What a function has by design: keys of its role, and not the platform's.
        assert "AWS_SESSION_TOKEN" in found["environment"]
        assert SECRET not in found["environment"]


def test_payloads_that_are_too_deep_or_no_json(server: Server) -> None:
    with siege(server, any_lines=True), function(server, "echo", "def h(e, c): return e"):
        for payload in (b"[" * 100_000, b"{", b'"\xff"', b"NaN", b'{"a":' * 5000 + b"1" + b"}" * 5000):
            status, headers, body = server.ask("lambda", "POST", f"{FUNCTIONS}/echo/invocations", payload)
            assert (status, headers["x-amzn-errortype"]) == (400, "InvalidRequestContentException"), body
        assert invoke(server, "echo", b'{"a": 1e400, "b": ' + b"9" * 4000 + b"}")[0] in (None, "Unhandled")


def test_many_at_once_are_throttled_and_nobody_else_waits(server: Server) -> None:
    import concurrent.futures

    sleeper = "import time\ndef h(e, c): time.sleep(0.3)"
    with siege(server, any_lines=True, noticed=4), function(server, "sleeper", sleeper, Timeout=5):
        with concurrent.futures.ThreadPoolExecutor(12) as threads:
            statuses = list(
                threads.map(
                    lambda _: server.ask("lambda", "POST", f"{FUNCTIONS}/sleeper/invocations", b"1")[0], range(12)
                )
            )
        assert set(statuses) <= {200, 429}
        assert statuses.count(200) >= 1
    eventually("its processes are gone", lambda: not _children(server))


def _children(server: Server) -> list[int]:
    """Processes that the server, or something that it started, is the parent of."""
    found: list[int] = []
    for thread in Path(f"/proc/{server.pid}/task").iterdir():
        try:
            children = (thread / "children").read_text().split()
        except FileNotFoundError:
            continue  # the thread has ended in the meantime
        found += [int(child) for child in children if os.path.exists(f"/proc/{child}")]
    return found
