import msgspec
import pytest

from fogbank.functions import failures


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (0, "Runtime exited without providing a reason"),
        (1, "Runtime exited with error: exit status 1"),
        (-9, "Runtime exited with error: signal: killed"),
        (-11, "Runtime exited with error: signal: segmentation fault"),
        (-6, "Runtime exited with error: signal: aborted"),
        (-63, "Runtime exited with error: signal: signal 63"),
        (-99, "Runtime exited with error: signal: signal 99"),
    ],
)
def test_exit(code: int, why: str) -> None:
    failure = failures.exited("r-1", code)
    assert msgspec.json.decode(failure.document) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: r-1 Error: {why}",
    }
    assert failure.line == f"RequestId: r-1 Error: {why}\nRuntime.ExitError"
    assert failures.report_status(failure) == "Status: error\tError Type: Runtime.ExitError"


def test_timeout() -> None:
    failure = failures.timed_out(1_795_415_584.658, "r-1", 3)
    expected = "2026-11-23T06:33:04.658Z r-1 Task timed out after 3.00 seconds"
    assert msgspec.json.decode(failure.document) == {"errorMessage": expected}
    assert failures.report_status(failure) == "Status: timeout"
    assert failures.reason(failure) == expected


@pytest.mark.parametrize(
    "document", [b"", b"oops", b"[1]", b'{"errorType": 7}', b"\xff", b'{"errorType": "\xff"}', b'{"a":' + b"[" * 10_000]
)
def test_what_the_runtime_reports_is_made_a_document_where_it_is_none(document: bytes) -> None:
    failure = failures.reported(document)
    assert msgspec.json.decode(failure.document)["errorType"] == "Runtime.Unknown"
    assert failures.reason(failure)


def test_what_the_runtime_reports_stays_as_it_is() -> None:
    document = b'{"errorMessage": "\'a\'", "errorType": "KeyError"}'
    failure = failures.reported(document)
    assert failure.document is document
    assert failures.reason(failure) == "KeyError: 'a'"
    assert failures.report_status(failure) == ""
    assert failures.report_status(None) == ""


@pytest.mark.parametrize("document", [b"{}", b"x", b'{"errorMessage": {}}', b'{"errorMessage": "\xff"}', b"[" * 10_000])
def test_there_is_always_a_reason(document: bytes) -> None:
    assert failures.reason(failures.Failure(document, "")) == "the function failed"
