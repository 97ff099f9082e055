"""One server for each worker, attacked by one test after the other."""

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from tests.hostile.certificates import ALLOW_ALL, Credentials, issue
from tests.hostile.server import KEY_ID, SECRET, Server
from tests.hostile.siege import log_file, repeated_warnings, tracebacks


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """At the end it has written no traceback, not even to its log file."""
    with Server(tmp_path_factory.mktemp("hostile")) as server:
        create_role(server)
        yield server
    assert tracebacks(server.lines()) == []
    assert repeated_warnings(server.lines()) == []
    logged = log_file(server).read_text() if log_file(server).exists() else ""
    assert not re.search(r"^Traceback", logged, re.MULTILINE)
    assert server.process.returncode == 0


def create_role(server: Server) -> None:
    """The role `r`, in whose name rules and functions may publish to every topic: it is not what stops them."""
    iam = boto3.client(
        "iam",
        endpoint_url=server.ready["api"],
        region_name=server.ready["region"],
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
    )
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": ["iot.amazonaws.com", "lambda.amazonaws.com"]},
        "Action": "sts:AssumeRole",
    }
    rights = {"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="r", PolicyName="publish", PolicyDocument=document(rights))
    iam.close()


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.fixture(scope="session")
def permitted(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """A registered certificate with all rights."""
    return issue(server, tmp_path_factory.mktemp("certificates"), "permitted", ALLOW_ALL)
