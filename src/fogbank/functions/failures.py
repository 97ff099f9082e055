"""The error documents a function's caller gets when the function itself could not write one.

Texts are Lambda's (developer guide, "Troubleshoot invocation issues"; Runtime.ExitError is field knowledge).
"""

import signal
from datetime import UTC, datetime

import msgspec

UNHANDLED = "Unhandled"
"""The value of X-Amz-Function-Error for whatever the function did not answer itself."""

EXIT_ERROR = "Runtime.ExitError"

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What the decoder raises for JSON that is none, is not UTF-8, or is nested too deeply to be read."""

_SIGNALS = {
    signal.SIGHUP: "hangup",
    signal.SIGINT: "interrupt",
    signal.SIGQUIT: "quit",
    signal.SIGILL: "illegal instruction",
    signal.SIGTRAP: "trace/breakpoint trap",
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGPIPE: "broken pipe",
    signal.SIGALRM: "alarm clock",
    signal.SIGTERM: "terminated",
}
"""Signals as Lambda's supervisor words them."""


class Failure(msgspec.Struct, frozen=True):
    """Why an invocation has no answer of its own: the document for the caller, the line for the log."""

    document: bytes
    line: str
    """What the log says of it; empty where the runtime has already written it there."""
    error_type: str = ""
    timeout: bool = False


def timed_out(now: float, request_id: str, seconds: float) -> Failure:
    """The function ran into its timeout; `now` in seconds since the epoch."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    line = f"{stamp} {request_id} Task timed out after {seconds:.2f} seconds"
    return Failure(_document(errorMessage=line), line, timeout=True)


def exited(request_id: str, code: int) -> Failure:
    """The runtime's process ended by exit code, or by signal where `code` is negative."""
    if code == 0:
        why = "Runtime exited without providing a reason"
    elif code > 0:
        why = f"Runtime exited with error: exit status {code}"
    else:
        why = f"Runtime exited with error: signal: {_signal_name(-code)}"
    message = f"RequestId: {request_id} Error: {why}"
    document = _document(errorType=EXIT_ERROR, errorMessage=message)
    return Failure(document, f"{message}\n{EXIT_ERROR}", EXIT_ERROR)


def response_too_large(limit: int) -> Failure:
    """The function answered with more than Lambda passes on."""
    kind = "Function.ResponseSizeTooLarge"
    message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
    return Failure(_document(errorMessage=message, errorType=kind), message, kind)


def reported(document: bytes) -> Failure:
    """The runtime told of the error itself; where it sent no JSON object, one is made."""
    try:
        members = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
        kind = msgspec.json.decode(members.get("errorType", b'""'), type=str)
    except UNREADABLE:
        kind = "Runtime.Unknown"
        document = _document(errorType=kind, errorMessage=document.decode("utf-8", "replace"))
    return Failure(document, "", kind)


def report_status(failure: Failure | None) -> str:
    """What REPORT says of an invocation that did not end by an answer or error of the runtime's own."""
    if failure is None or not failure.line:
        return ""
    return "Status: timeout" if failure.timeout else f"Status: error\tError Type: {failure.error_type}"


def reason(failure: Failure) -> str:
    """The failure in one sentence, for traces and the platform's log."""
    try:
        members = msgspec.json.decode(failure.document, type=dict[str, msgspec.Raw])
        message = msgspec.json.decode(members.get("errorMessage", b'""'), type=str)
    except UNREADABLE:
        message = ""
    return ": ".join(part for part in (failure.error_type, message) if part) or "the function failed"


def _signal_name(number: int) -> str:
    try:
        return _SIGNALS.get(signal.Signals(number), f"signal {number}")
    except ValueError:
        return f"signal {number}"


def _document(**members: str) -> bytes:
    return msgspec.json.encode(members)
