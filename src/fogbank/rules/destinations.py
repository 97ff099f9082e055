"""Topic rule destinations: URLs whose owners have confirmed that they want messages.

Developer Guide, "Working with HTTP topic rule destinations". A message goes to a URL only where a destination is
ENABLED whose confirmation URL is a prefix of it. That is also what keeps rules from reaching into whatever the
platform's own network holds: the other side must have read a token that was sent to it, and given it back.

Destinations in a VPC exist so that templates which name them deploy: there is no VPC here, and they are always ENABLED.
"""

import asyncio
import enum
import hmac
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import quote, urlsplit
from uuid import uuid4

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, ResourceAlreadyExists, Unauthorized
from fogbank.ports import Documents, HttpRequest, HttpTargets, OutboundError
from fogbank.rules.actions.base import Action
from fogbank.rules.actions.http import HttpAction, is_http_url
from fogbank.rules.definition import Members
from fogbank.storage.collection import Collection
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

MAX_DESTINATIONS = 1000
"""Per account (AWS IoT quotas, HTTP action)."""
MAX_URL = 2000
MAX_RESULTS = 1000
"""The largest page of ListTopicRuleDestinations, and the one given where none is asked for."""
CONFIRMATION_TIMEOUT = 3.0
"""Seconds for the confirmation request."""


class Status(enum.Enum):
    """TopicRuleDestinationStatus of the API."""

    ENABLED = "ENABLED"
    IN_PROGRESS = "IN_PROGRESS"
    DISABLED = "DISABLED"
    ERROR = "ERROR"


class Vpc(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's VpcDestinationConfiguration."""

    subnet_ids: tuple[str, ...]
    vpc_id: str
    role_arn: str
    security_groups: tuple[str, ...] = ()


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """A destination as it is stored."""

    arn: str
    status: Status
    created_at: float
    """Seconds since the epoch."""
    updated_at: float
    status_reason: str = ""
    confirmation_url: str | None = None
    token: str = ""
    """What the owner of the URL must give back."""
    confirmed: bool = False
    """Whether that has happened once."""
    vpc: Vpc | None = None

    def __repr__(self) -> str:
        return f"Destination(arn={self.arn!r}, status={self.status.value})"


class DestinationPage(msgspec.Struct, frozen=True):
    """Some destinations in the order of their ARNs, and the token of the next page if there is more."""

    destinations: Sequence[Destination]
    next_token: str | None = None


class Destinations:
    """Owns the stored destinations. What it holds in memory is a cache of them, for every message asks."""

    def __init__(
        self, documents: Documents, http: HttpTargets, arns: Arns, clock: Clock, api_url: Callable[[], str]
    ) -> None:
        """`api_url` is where whoever confirms finds the API."""
        self._stored: Collection[Destination] = Collection(documents, "rule-destination", Destination)
        self._http = http
        self._arns = arns
        self._clock = clock
        self._api_url = api_url
        self._known: dict[str, Destination] = {}
        self._changing = asyncio.Lock()
        self._tasks = Tasks("rule-destinations")

    async def start(self) -> None:
        """Read what is stored."""
        self._known = {stored.key: stored.value for stored in await self._stored.scan()}

    async def close(self) -> None:
        """Give up confirmation requests under way."""
        await self._tasks.close()

    def refusal(self, url: str) -> str | None:
        """Port ConfirmedUrls."""
        if any(one.status is Status.ENABLED and _covers(one, url) for one in self._known.values()):
            return None
        told = url.partition("?")[0]  # what comes after it may be a secret
        for one in self._known.values():
            if _covers(one, url):
                return f"the destination of {told} is {one.status.value}: {one.status_reason or 'it is not ENABLED'}"
        return f"{told} has no topic rule destination; create one and confirm it"

    async def create(self, configuration: Members) -> Destination:
        """Make a destination and ask the owner of its URL for confirmation.

        Raises InvalidRequest and ResourceAlreadyExists.
        """
        given = sorted(name for name, value in configuration.items() if value is not None)
        if given == ["httpUrlConfiguration"]:
            return await self._create_http(configuration["httpUrlConfiguration"]["confirmationUrl"])
        if given == ["vpcConfiguration"]:
            return await self._create_vpc(configuration["vpcConfiguration"])
        raise InvalidRequest(
            "destinationConfiguration must be either httpUrlConfiguration or vpcConfiguration; "
            f"given is: {', '.join(given) or 'nothing'}"
        )

    async def ensure(self, actions: Iterable[Action]) -> None:
        """Make the destinations that HTTP actions of a new rule need and that are not there yet."""
        for action in actions:
            if isinstance(action, HttpAction) and not any(
                _covers(one, action.confirmation_url) for one in self._known.values()
            ):
                await self._create_http(action.confirmation_url)

    async def confirm(self, token: str) -> Destination:
        """Take back a token. Raises Unauthorized for one that was never sent."""
        for one in self._known.values():
            if one.token and hmac.compare_digest(one.token.encode(), token.encode()):
                return await self._put(one, status=Status.ENABLED, status_reason="", confirmed=True)
        raise Unauthorized("the confirmation token is not one that was sent, or its destination is gone")

    def get(self, arn: str) -> Destination:
        """Raises Unauthorized, since the model knows no ResourceNotFoundException here (UNVERIFIED)."""
        try:
            return self._known[arn]
        except KeyError:
            raise Unauthorized(f"Access to topic rule destination '{arn}' was denied: there is none") from None

    def list(self, *, limit: int = MAX_RESULTS, token: str | None = None) -> DestinationPage:
        """Destinations by ARN."""
        arns = sorted(arn for arn in self._known if token is None or arn > token)
        page = [self._known[arn] for arn in arns[:limit]]
        return DestinationPage(page, page[-1].arn if len(arns) > limit else None)

    async def update(self, arn: str, status: str) -> Destination:
        """Enable, disable, or ask for confirmation once more (IN_PROGRESS). Raises InvalidRequest, Unauthorized."""
        destination = self.get(arn)
        if status == Status.DISABLED.value:
            return await self._put(destination, status=Status.DISABLED, status_reason="disabled by the account")
        if status == Status.ENABLED.value:
            if not destination.confirmed:
                raise InvalidRequest("the destination was never confirmed; only its owner's confirmation enables it")
            return await self._put(destination, status=Status.ENABLED, status_reason="")
        if status == Status.IN_PROGRESS.value and destination.confirmation_url is not None:
            asked = await self._put(
                destination, status=Status.IN_PROGRESS, status_reason="Awaiting confirmation.", token=_new_token()
            )
            self._ask(asked)
            return asked
        raise InvalidRequest(f"the status of this destination cannot be set to {status}")

    async def delete(self, arn: str) -> None:
        """Raises Unauthorized."""
        async with self._changing:
            self.get(arn)
            await self._stored.delete(arn)
            del self._known[arn]

    async def _create_http(self, url: str) -> Destination:
        if not is_http_url(url) or len(url) > MAX_URL:
            raise InvalidRequest(f"confirmationUrl {url!r} is not an http or https URL of at most {MAX_URL} characters")
        made = await self._add(
            Destination(
                arn=self._arn("http"),
                status=Status.IN_PROGRESS,
                status_reason="Awaiting confirmation.",
                created_at=self._clock.time(),
                updated_at=self._clock.time(),
                confirmation_url=url,
                token=_new_token(),
            )
        )
        self._ask(made)
        return made

    async def _create_vpc(self, members: Members) -> Destination:
        try:
            vpc = msgspec.convert(members, Vpc)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"vpcConfiguration: {error}") from error
        now = self._clock.time()
        return await self._add(
            Destination(
                arn=self._arn("vpc"), status=Status.ENABLED, created_at=now, updated_at=now, confirmed=True, vpc=vpc
            )
        )

    def _arn(self, kind: str) -> str:
        return self._arns.iot("ruledestination", f"{kind}/{uuid4()}")

    async def _add(self, destination: Destination) -> Destination:
        url = destination.confirmation_url
        async with self._changing:
            if len(self._known) >= MAX_DESTINATIONS:
                raise InvalidRequest(f"the account has {MAX_DESTINATIONS} destinations, which is its quota")
            same = next((one for one in self._known.values() if url is not None and one.confirmation_url == url), None)
            if same is not None:
                raise ResourceAlreadyExists(f"the destination for {url} exists already", resourceArn=same.arn)
            await self._stored.put(destination.arn, destination, expect=0)
            self._known[destination.arn] = destination
            return destination

    async def _put(self, destination: Destination, **changes: object) -> Destination:
        """Change what is still there. Raises Unauthorized where it was deleted meanwhile."""
        async with self._changing:
            current = self.get(destination.arn)
            changed = msgspec.structs.replace(current, updated_at=self._clock.time(), **changes)
            await self._stored.put(destination.arn, changed)
            self._known[destination.arn] = changed
            return changed

    def _ask(self, destination: Destination) -> None:
        self._tasks.start(self._request_confirmation(destination), destination.arn)

    async def _request_confirmation(self, destination: Destination) -> None:
        url = destination.confirmation_url or ""
        token = quote(destination.token, safe="")
        body = {
            "arn": destination.arn,
            "confirmationToken": destination.token,
            "enableUrl": f"{self._api_url()}/confirmdestination/{token}",
            "messageType": "DestinationConfirmation",
        }
        request = HttpRequest(
            method="POST",
            url=f"{url.rstrip('/')}/?confirmationToken={token}",
            headers=(
                ("Content-Type", "application/json"),
                ("x-amz-rules-engine-message-type", "DestinationConfirmation"),
                ("x-amz-rules-engine-destination-arn", destination.arn),
            ),
            body=msgspec.json.encode(body),
            timeout=CONFIRMATION_TIMEOUT,
        )
        try:
            answer = await self._http.send(request)
            reason = "" if answer.status < 300 else f"{url} answered {answer.status} {answer.reason}"
        except OutboundError as error:
            reason = str(error)
        if reason and self._known.get(destination.arn) == destination:
            log.warning("the confirmation request for %s failed: %s", url, reason)
            await self._put(destination, status=Status.ERROR, status_reason=f"confirmation failed: {reason}")


def _covers(destination: Destination, url: str) -> bool:
    """Whether the confirmation of a destination holds for `url`: same server, and below its path."""
    if destination.confirmation_url is None or not is_http_url(url):
        return False
    confirmed, asked = urlsplit(destination.confirmation_url), urlsplit(url)
    same_server = (confirmed.scheme, confirmed.netloc) == (asked.scheme, asked.netloc)
    return same_server and ".." not in asked.path.split("/") and url.startswith(destination.confirmation_url)


def _new_token() -> str:
    return secrets.token_urlsafe(48)
