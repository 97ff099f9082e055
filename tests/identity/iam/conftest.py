"""An IAM in memory, on a clock that stands still."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from tests.identity.conftest import ARNS, KEY

from fogbank.identity.access_keys import AccessKeys
from fogbank.identity.iam.iam import Iam
from fogbank.ports import Documents
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock

ACCOUNT = ARNS.account
LOCAL = f"arn:aws:iam::{ACCOUNT}"
LOGGING = "arn:aws:iam::aws:policy/service-role/AWSIoTLogging"
MakeIam = Callable[..., Awaitable[Iam]]


def statement(effect: str = "Allow", action: Any = "iot:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> str:
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": statements or [statement()]}).decode()


def trusting(principal: Any, action: Any = "sts:AssumeRole", **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


TRUST_ACCOUNT = trusting({"AWS": ACCOUNT})
TRUST_IOT = trusting({"Service": "iot.amazonaws.com"})


@pytest.fixture
def make_iam(documents: MemoryDocuments, clock: FakeClock) -> MakeIam:
    """Makes IAMs on the same documents: the second is the first one after a restart."""

    async def make(documents: Documents = documents, *, check_roles: bool = False) -> Iam:
        keys = AccessKeys(documents, clock)
        await keys.ensure_first(KEY)
        iam = Iam(documents, keys, ARNS, clock, check_roles=check_roles)
        await iam.load()
        return iam

    return make


@pytest.fixture
async def iam(make_iam: MakeIam) -> Iam:
    return await make_iam()
