"""Whose name requests to AWS-compatible services are signed in: botocore's own chain of places where keys are kept.

That chain reads the environment, profiles, SSO caches and, on AWS, the metadata service, and may take its time; it
runs on a thread and not before the first request. Away from AWS nobody is asked over the network for credentials.
"""

import asyncio
from typing import Any

from fogbank.ports import OutboundError

ABSENT = (
    "there are no AWS credentials to sign with: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE "
    "(an emulator takes any)"
)


class CredentialChain:
    """Finds credentials once, and renews those that end."""

    def __init__(self, *, metadata: bool) -> None:
        """`metadata` says whether the instance metadata service of EC2 is asked too."""
        self._metadata = metadata
        self._found: Any = None
        self._finding = asyncio.Lock()

    async def get(self) -> Any:
        """Botocore's frozen credentials, as its signers take them. Raises OutboundError where there are none."""
        if self._found is None:
            async with self._finding:
                if self._found is None:
                    self._found = await asyncio.to_thread(self._find)
        if self._found is None:
            raise OutboundError(ABSENT, code="NoCredentials")
        if getattr(self._found, "refresh_needed", _never)():
            return await asyncio.to_thread(self._found.get_frozen_credentials)
        return self._found.get_frozen_credentials()

    def _find(self) -> Any:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        try:
            session = Session()
            if not self._metadata:
                session.get_component("credential_provider").remove("iam-role")
            return session.get_credentials()
        except BotoCoreError as error:
            raise OutboundError(f"the AWS credentials cannot be read: {error}", code="NoCredentials") from error


def _never() -> bool:
    return False
