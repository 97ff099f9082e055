import pytest

from fogbank.awswire.canonical import canonical_path, canonical_query, canonical_request
from fogbank.awswire.http import Request


@pytest.mark.parametrize(
    ("path", "service", "expected"),
    [
        ("", "iot", "/"),
        ("/", "iot", "/"),
        ("/things/a", "iot", "/things/a"),
        ("/things/a/", "iot", "/things/a/"),
        ("//things///a", "iot", "/things/a"),
        ("/a/./b/../c", "iot", "/a/c"),
        ("/../..", "iot", "/"),
        ("/a/..b", "iot", "/a/..b"),
        ("/topics/a%2Fb", "iotdata", "/topics/a%252Fb"),
        ("/topics/$aws", "iotdata", "/topics/%24aws"),
        ("/topics/~", "iotdata", "/topics/~"),
        ("/bucket/a%2Fb//../c", "s3", "/bucket/a%2Fb//../c"),
        ("", "s3", "/"),
    ],
)
def test_paths(path: str, service: str, expected: str) -> None:
    assert canonical_path(path, service) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("b=2&a=1", "a=1&b=2"),
        ("a=2&a=1", "a=1&a=2"),
        ("flag", "flag="),
        ("a=b%20c", "a=b%20c"),
        ("a=b+c", "a=b%20c"),
        ("a=%2b", "a=%2B"),
        ("a=/:", "a=%2F%3A"),
        ("a=1&&", "a=1"),
        ("a=1=2", "a=1%3D2"),
        ("X-Amz-Signature=x&a=1", "a=1"),
    ],
)
def test_queries(query: str, expected: str) -> None:
    assert canonical_query(query, {"X-Amz-Signature"}) == expected


def test_the_whole() -> None:
    """The lines as the IAM user guide lists them, "Create a canonical request"."""
    headers = {"host": "h", "x-amz-date": "  20231114T221320Z ", "a": "x   y"}
    request = Request("GET", "/things", "b=2&a=1", headers)
    assert canonical_request(request, "iot", "a;host;x-amz-date", "hash") == (
        "GET\n/things\na=1&b=2\na:x y\nhost:h\nx-amz-date:20231114T221320Z\n\na;host;x-amz-date\nhash"
    )
