"""The reserved topics of jobs (developer guide, jobs-mqtt-api), and what they say of a request."""

import enum
import re

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.jobs.errors import InvalidTopic

THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}", re.ASCII)
JOB_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
NEXT = "$next"
"""In place of a job's ID: whatever is the thing's next."""


class Operation(enum.Enum):
    """What a device can ask."""

    GET_PENDING = "GetPendingJobExecutions"
    START_NEXT = "StartNextPendingJobExecution"
    DESCRIBE = "DescribeJobExecution"
    UPDATE = "UpdateJobExecution"


NAMESPACE = "$aws/things/+/jobs/#"
"""All of it is listened to: who asks for what there is not is told so (developer guide, jobs-api: InvalidTopic)."""
_TOLD = frozenset({"accepted", "rejected", "notify", "notify-next"})
"""How topics end on which clients are told something."""


class RequestTopic(msgspec.Struct, frozen=True):
    """What a topic asks for."""

    thing: str
    operation: Operation
    job: str = ""
    """An ID or `$next`; empty where the operation is about no single execution."""

    def check(self) -> None:
        """Raise InvalidRequest where a name cannot be one."""
        if THING_NAME.fullmatch(self.thing) is None:
            raise InvalidRequest(f"Invalid thingName: {self.thing[:256]!r} must match {THING_NAME.pattern}")
        next_allowed = self.operation is Operation.DESCRIBE and self.job == NEXT
        if self.job and not next_allowed and JOB_ID.fullmatch(self.job) is None:
            raise InvalidRequest(f"Invalid jobId: {self.job[:256]!r} must match {JOB_ID.pattern}")


def parse_request_topic(topic: str) -> RequestTopic | None:
    """What a topic in the namespace asks for; None where it is for answers. Raises InvalidTopic."""
    match topic.split("/"):
        case ["$aws", "things", thing, "jobs", "get"]:
            return RequestTopic(thing, Operation.GET_PENDING)
        case ["$aws", "things", thing, "jobs", "start-next"]:
            return RequestTopic(thing, Operation.START_NEXT)
        case ["$aws", "things", thing, "jobs", job, "get"]:
            return RequestTopic(thing, Operation.DESCRIBE, job)
        case ["$aws", "things", thing, "jobs", job, "update"]:
            return RequestTopic(thing, Operation.UPDATE, job)
        case [*_, told] if told in _TOLD:
            return None
    raise InvalidTopic(f"There is no request about jobs with the topic {topic!r}")
