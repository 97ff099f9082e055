"""An IAM in memory, on a clock that stands still."""

from typing import Any

import msgspec
import pytest
from tests.identity.conftest import ARNS, MakeIam

from fogbank.identity.iam.iam import Iam

ACCOUNT = ARNS.account
LOCAL = f"arn:aws:iam::{ACCOUNT}"
LOGGING = "arn:aws:iam::aws:policy/service-role/AWSIoTLogging"


def statement(effect: str = "Allow", action: Any = "iot:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> str:
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": statements or [statement()]}).decode()


def trusting(principal: Any, action: Any = "sts:AssumeRole", **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


TRUST_ACCOUNT = trusting({"AWS": ACCOUNT})
TRUST_IOT = trusting({"Service": "iot.amazonaws.com"})


@pytest.fixture
async def iam(make_iam: MakeIam) -> Iam:
    return await make_iam()
