"""Registering things by template, one and then a file of them, as boto3 and whoever posts the file see it."""

import json
import time
import urllib.request
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TEMPLATE = json.dumps(
    {
        "Parameters": {"Name": {"Type": "String"}},
        "Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}}},
    }
)


def tell(iot: Any, url: str, keys: Credentials, region: str) -> None:
    """`keys` are the root's."""
    made = iot.register_thing(templateBody=TEMPLATE, parameters={"Name": "registered-0"})
    assert made["resourceArns"]["thing"].endswith(":thing/registered-0")

    with pytest.raises(iot.exceptions.InvalidRequestException, match="no endpoint for s3"):
        iot.start_thing_registration_task(
            templateBody=TEMPLATE,
            inputFileBucket="bucket",
            inputFileKey="key",
            roleArn="arn:aws:iam::123456789012:role/registration",
        )
    names = [*(f"registered-{n}" for n in range(1, 50)), "not a name"]
    lines = [json.dumps({"templateBody": TEMPLATE}), *(json.dumps({"Name": name}) for name in names)]
    task = _post(f"{url}/_fogbank/registrations", "\n".join(lines).encode(), keys, region)["taskId"]
    while (described := iot.describe_thing_registration_task(taskId=task))["status"] == "InProgress":
        time.sleep(0.01)
    assert (described["status"], described["successCount"], described["failureCount"]) == ("Completed", 49, 1)
    assert described["percentageProgress"] == 100
    assert iot.list_thing_registration_tasks()["taskIds"] == [task]
    [link] = iot.list_thing_registration_task_reports(taskId=task, reportType="ERRORS")["resourceLinks"]
    with urllib.request.urlopen(link) as report:
        assert json.load(report)["lineNumber"] == 50
    with pytest.raises(iot.exceptions.InvalidRequestException, match="is Completed"):
        iot.stop_thing_registration_task(taskId=task)
    for name in ("registered-0", *names[:-1]):
        iot.delete_thing(thingName=name)


def _post(url: str, body: bytes, keys: Credentials, region: str) -> Any:
    request = AWSRequest("POST", url, data=body)
    SigV4Auth(keys, "iot", region).add_auth(request)
    with urllib.request.urlopen(urllib.request.Request(url, body, dict(request.headers), method="POST")) as answer:
        return json.load(answer)
