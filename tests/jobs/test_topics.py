import pytest

from fogbank.errors import InvalidRequest
from fogbank.jobs.errors import InvalidTopic
from fogbank.jobs.topics import NAMESPACE, Operation, RequestTopic, parse_request_topic
from fogbank.topics import matches


@pytest.mark.parametrize(
    ("below", "asked"),
    [
        ("get", RequestTopic("t", Operation.GET_PENDING)),
        ("start-next", RequestTopic("t", Operation.START_NEXT)),
        ("$next/get", RequestTopic("t", Operation.DESCRIBE, "$next")),
        ("job/get", RequestTopic("t", Operation.DESCRIBE, "job")),
        ("get/get", RequestTopic("t", Operation.DESCRIBE, "get")),
        ("job/update", RequestTopic("t", Operation.UPDATE, "job")),
    ],
)
def test_requests(below: str, asked: RequestTopic) -> None:
    topic = f"$aws/things/t/jobs/{below}"
    assert matches(NAMESPACE, topic)
    assert parse_request_topic(topic) == asked
    asked.check()


@pytest.mark.parametrize(
    "below",
    ["notify", "notify-next", "get/accepted", "job/update/rejected", "start-next/accepted", "$next/get/accepted"],
)
def test_what_is_for_answers(below: str) -> None:
    assert parse_request_topic(f"$aws/things/t/jobs/{below}") is None


@pytest.mark.parametrize("below", ["", "/", "/job", "/job/cancel", "/job/get/now", "/start-next/x", "/notify/x"])
def test_what_there_is_not(below: str) -> None:
    topic = f"$aws/things/t/jobs{below}"
    assert matches(NAMESPACE, topic)
    with pytest.raises(InvalidTopic):
        parse_request_topic(topic)


@pytest.mark.parametrize(
    "asked",
    [
        RequestTopic("", Operation.GET_PENDING),
        RequestTopic("t" * 129, Operation.GET_PENDING),
        RequestTopic("t\u00e4", Operation.GET_PENDING),
        RequestTopic("t", Operation.UPDATE, "$next"),
        RequestTopic("t", Operation.DESCRIBE, "j" * 65),
        RequestTopic("t", Operation.DESCRIBE, "j:k"),
    ],
)
def test_names_that_cannot_be(asked: RequestTopic) -> None:
    with pytest.raises(InvalidRequest):
        asked.check()
