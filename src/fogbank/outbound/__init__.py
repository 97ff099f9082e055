"""Everything that the platform calls beyond itself: AWS-compatible services, HTTP servers, Kafka.

Loaded at the first call and not before, since most of what is in here is heavy and most instances never need it.
"""

from fogbank.clock import Clock
from fogbank.outbound.aws import AwsClient
from fogbank.outbound.credentials import CredentialChain
from fogbank.outbound.endpoints import read_endpoints
from fogbank.outbound.http import HttpPool
from fogbank.outbound.kafka import KafkaProducers
from fogbank.outbound.object_urls import PresignedUrls
from fogbank.settings import Endpoints

__all__ = ["Outbound", "read_endpoints"]


class Outbound:
    """The ways out of one platform."""

    def __init__(self, endpoints: Endpoints, region: str, clock: Clock) -> None:
        credentials = CredentialChain(metadata=endpoints.aws)
        self._pool = HttpPool(credentials)
        self._kafka = KafkaProducers()
        self.urls = PresignedUrls(endpoints, region, credentials, clock)
        self.aws = AwsClient(endpoints, region, credentials, self._pool, clock)
        self.http = self._pool
        self.kafka = self._kafka

    async def close(self) -> None:
        """Close all connections; calls under way fail."""
        await self._kafka.close()
        await self._pool.close()
