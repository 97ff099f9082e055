import pytest
from tests.jobs.bench import Bench

from fogbank.errors import InvalidRequest
from fogbank.jobs.documents import ObjectAddress, parse_address

ROLE = {"roleArn": "arn:aws:iam::123456789012:role/jobs", "expiresInSec": 60}
GET = "${aws:iot:s3-presigned-url:https://s3.eu-west-1.amazonaws.com/fw/v1.bin}"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://s3.eu-west-1.amazonaws.com/b/k/l.bin", ObjectAddress("b", "k/l.bin")),
        ("https://s3-eu-west-1.amazonaws.com/b/k", ObjectAddress("b", "k")),
        ("https://s3.amazonaws.com/b/k", ObjectAddress("b", "k")),
        ("https://b.c.s3.eu-west-1.amazonaws.com/k/l", ObjectAddress("b.c", "k/l")),
        ("https://s3.eu-west-1.amazonaws.com/b/k%20l%3FversionId%3Dv1", ObjectAddress("b", "k l", "v1")),
        ("https://s3.eu-west-1.amazonaws.com/b/k?versionId=v1", ObjectAddress("b", "k", "v1")),
        ("http://localhost:9000/b/k", ObjectAddress("b", "k")),
    ],
)
def test_addresses(url: str, address: ObjectAddress) -> None:
    assert parse_address(url, "http://localhost:9000") == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://b/k",
        "https://example.com/b/k",
        "https://s3.eu-west-1.amazonaws.com/b",
        "https://s3.eu-west-1.amazonaws.com/b/",
        "https://s3.eu-west-1.amazonaws.com.evil.com/b/k",
        "http://localhost:90001/b/k",
    ],
)
def test_no_addresses(url: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_address(url, "http://localhost:9000")


async def test_a_document_is_read_from_s3_once(bench: Bench) -> None:
    bench.s3.there = True
    bench.s3.objects["b/k"] = b'{"from": "s3"}'
    source = "https://s3.eu-west-1.amazonaws.com/b/k"
    await bench.create("job", "t1", document=None, documentSource=source)
    bench.s3.objects.clear()
    job, _ = await bench.service.jobs.describe("job")
    assert job.document_source == source
    assert await bench.service.jobs.document("job") == '{"from": "s3"}'


@pytest.mark.parametrize(("body", "why"), [(None, "NoSuchKey"), (b"{", "JSON"), (b"\xff", "UTF-8")])
async def test_a_document_that_cannot_be_read(bench: Bench, body: bytes | None, why: str) -> None:
    bench.s3.there = True
    if body is not None:
        bench.s3.objects["b/k"] = body
    with pytest.raises(InvalidRequest, match=why):
        await bench.create("job", "t1", document=None, documentSource="https://s3.eu-west-1.amazonaws.com/b/k")


async def test_urls_are_signed_for_the_device_and_for_nobody_else(bench: Bench) -> None:
    bench.s3.there = True
    upload = "${aws:iot:s3-presigned-url-upload:https://s3.eu-west-1.amazonaws.com/log/${thingName}/${jobId}-${executionNumber}}"
    v2 = "${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/fw/a%20b%3FversionId%3D7}"
    document = f'{{"get": "{GET}", "put": "{upload}", "v2": "{v2}", "n": 1}}'
    await bench.create("job", "t1", document=document, presignedUrlConfig=ROLE)
    shown = {
        "get": "signed:GET:fw/v1.bin:None:60",
        "put": "signed:PUT:log/t1/job-1:None:60",
        "v2": "signed:GET:fw/a b:7:60",
        "n": 1,
    }
    [next_] = [told for topic, told in bench.told.since(0) if topic.endswith("notify-next")]
    assert next_["execution"]["jobDocument"] == shown
    _, answer = await bench.ask("t1/jobs/start-next")
    assert answer["execution"]["jobDocument"] == shown
    assert await bench.service.jobs.document("job") == document


@pytest.mark.parametrize("why", ["no endpoint", "the role may not", "no role", "no bucket"])
async def test_what_cannot_be_signed_stands_as_it_is(bench: Bench, why: str) -> None:
    bench.s3.there = why != "no endpoint"
    bench.s3.forbidden = why == "the role may not"
    placeholder = GET if why != "no bucket" else GET.replace("/fw/v1.bin", "/fw")
    config = {} if why == "no role" else {"presignedUrlConfig": ROLE}
    await bench.create("job", "t1", document=f'{{"get": "{placeholder}"}}', **config)
    _, answer = await bench.ask("t1/jobs/$next/get")
    assert answer["execution"]["jobDocument"] == {"get": placeholder}
    assert any("not signed" in event.reason for event in bench.traced) is (why != "no role")
