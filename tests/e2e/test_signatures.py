"""Who the HTTP API believes: every wrong signature is refused by AWS's name for it."""

import datetime
import urllib.error
import urllib.request

import boto3
import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from fogbank.ready import Ready


def code(
    where: Ready, *, key: str | None = None, secret: str | None = None, region: str | None = None
) -> tuple[int, str, str]:
    """Status, code and message of the refusal that the call gets."""
    client = boto3.client(
        "iot",
        endpoint_url=where.api,
        aws_access_key_id=key or where.access_key_id,
        aws_secret_access_key=secret or where.secret_access_key,
        region_name=region or where.region,
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        client.list_things()
    except ClientError as error:
        response = error.response
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]
    finally:
        client.close()
    return 200, "", ""


def test_the_first_key_is_good(where: Ready) -> None:
    assert code(where) == (200, "", "")


def test_an_unknown_key(where: Ready) -> None:
    status, name, _ = code(where, key="AKIAAAAAAAAAAAAAAAAA")
    assert (status, name) == (403, "UnrecognizedClientException")


def test_a_wrong_secret(where: Ready) -> None:
    status, name, message = code(where, secret="x" * 40)
    assert (status, name) == (403, "InvalidSignatureException")
    assert where.secret_access_key not in message


def test_another_region_is_named_and_refused(where: Ready) -> None:
    status, name, message = code(where, region="eu-central-1")
    assert (status, name) == (403, "InvalidSignatureException")
    assert "eu-central-1" in message
    assert where.region in message


@pytest.mark.parametrize(("minutes", "word"), [(-20, "expired"), (20, "not yet")])
def test_a_clock_that_is_wrong(where: Ready, monkeypatch: pytest.MonkeyPatch, minutes: int, word: str) -> None:
    wrong = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: wrong)
    request = AWSRequest("GET", f"{where.api}/things")
    SigV4Auth(Credentials(where.access_key_id, where.secret_access_key), "iot", where.region).add_auth(request)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers.items())), timeout=10)
    with refused.value as answer:
        assert (answer.code, answer.headers["x-amzn-ErrorType"]) == (403, "InvalidSignatureException")
        assert word in answer.read().decode()
