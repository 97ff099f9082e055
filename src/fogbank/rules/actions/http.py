"""The action `http`: POST the result of SELECT to a URL whose owner has confirmed that messages are wanted there.

Developer Guide, "HTTP" rule action. Three tries at most, and those only after the statuses 429 and 5xx: a target which
did not answer in time may have done its work. With batching enabled, messages wait for others for a moment and go
together, as the elements of one JSON array, under the headers of the last one.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.ports import HttpRequest, OutboundError, Signing
from fogbank.rules.actions.base import (
    ActionFailed,
    Context,
    Firing,
    Plan,
    Results,
    SingleAction,
    check_role,
    filled,
)
from fogbank.rules.templates import Template

TIMEOUT = 3.0
"""Seconds (AWS IoT quotas, HTTP action)."""
MAX_ANSWER = 16_384
"""Bytes; a longer answer is not tried again (Developer Guide, "HTTP action retry logic")."""
MAX_URL = 2000
MAX_HEADERS = 100

JSON = "application/json"
BYTES = "application/octet-stream"


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The API's HttpActionHeader."""

    key: str
    value: str


class SigV4(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's SigV4Authorization."""

    signing_region: str
    service_name: str
    role_arn: str


class Authorization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The API's HttpAuthorization."""

    sigv4: SigV4 | None = None


class BatchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's BatchConfig, with its defaults."""

    max_batch_open_ms: int = 20
    max_batch_size: int = 10
    max_batch_size_bytes: int = 5120
    batch_across_topics: bool = False


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's HttpAction."""

    url: str
    confirmation_url: str | None = None
    headers: tuple[Header, ...] = ()
    auth: Authorization = Authorization()
    enable_batching: bool = False
    batch_config: BatchConfig | None = None


class HttpAction(SingleAction):
    """Posts to a URL."""

    kind = "http"
    title = "HttpAction"
    parameters = Parameters

    def __init__(self, parameters: Parameters, context: Context) -> None:
        signed = parameters.auth.sigv4
        super().__init__(parameters.url, None if signed is None else check_role(self.kind, signed.role_arn))
        _check(parameters)
        outside = context.outside(self.kind)
        self._http, self._destinations = outside.http, outside.destinations
        self._url = context.template(self.kind, "url", parameters.url)
        self.confirmation_url = _confirmation_url(parameters, self._url)
        """What must be confirmed, and is asked for when the rule is created."""
        self._headers: list[tuple[str, Template]] = [
            (one.key, context.template(self.kind, f"headers.{one.key}", one.value)) for one in parameters.headers
        ]
        self._typed = any(name.lower() == "content-type" for name, _ in self._headers)
        self._signing = None if signed is None else Signing(signed.service_name, signed.signing_region)
        self._batch = (parameters.batch_config or BatchConfig()) if parameters.enable_batching else None
        if self._batch is not None:
            self.most = self._batch.max_batch_size
            self.linger = self._batch.max_batch_open_ms / 1000

    def plan(self, firing: Firing) -> Plan:
        url = filled(self._url, firing, "url", self.target)
        if (refusal := self._destinations.refusal(url)) is not None:
            raise ActionFailed(refusal, resource=url)
        headers = tuple((name, firing.render(value)) for name, value in self._headers)
        if any("\r" in value or "\n" in value or "\0" in value for _, value in headers):
            raise ActionFailed("the value of a header holds a line break", resource=url)
        if not self._typed:
            headers = (*headers, ("Content-Type", JSON if _is_json(firing.output) else BYTES))
        request = HttpRequest(
            method="POST",
            url=url,
            headers=headers,
            body=firing.output if self._batch is None else _element(firing.output, url),
            signing=self._signing,
            timeout=TIMEOUT,
            limit=MAX_ANSWER,
        )
        topic = firing.message.topic if self._batch is not None and not self._batch.batch_across_topics else ""
        # Who signs by SigV4 is judged by the service that is called.
        return Plan(url, Post(request, topic), None)

    async def perform(self, plans: Sequence[Plan]) -> Results:
        results: list[ActionFailed | None] = [None] * len(plans)
        for indexes in self._batches(plans):
            failed = await self._post([plans[index] for index in indexes])
            for index in indexes:
                results[index] = failed
        return results

    def _batches(self, plans: Sequence[Plan]) -> Iterator[list[int]]:
        """Those which go together: to one URL and, unless the rule says otherwise, of one topic."""
        open_: dict[tuple[str, str], tuple[list[int], int]] = {}
        most = 0 if self._batch is None else self._batch.max_batch_size_bytes
        for index, plan in enumerate(plans):
            group = (plan.resource, plan.request.topic)
            size = len(plan.request.request.body) + 1
            batch, filled_ = open_.get(group, ([], 1))
            if batch and filled_ + size > most:
                yield batch
                batch, filled_ = [], 1
            batch.append(index)
            open_[group] = (batch, filled_ + size)
        for batch, _ in open_.values():
            yield batch

    async def _post(self, plans: list[Plan]) -> ActionFailed | None:
        request: HttpRequest = plans[-1].request.request
        url = plans[-1].resource
        if self._batch is not None:
            body = b"[" + b",".join(plan.request.request.body for plan in plans) + b"]"
            request = msgspec.structs.replace(request, body=body)
        try:
            answer = await self._http.send(request)
        except OutboundError as error:
            failed = ActionFailed(
                f"HttpAction failed to make a request to the specified endpoint. {error}", resource=url
            )
            failed.__cause__ = error
            return failed
        if 200 <= answer.status < 300:
            return None
        return ActionFailed(
            "HttpAction failed to make a request to the specified endpoint. "
            f"StatusCode: {answer.status}. Reason: {answer.reason}.",
            resource=url,
            transient=answer.status == 429 or answer.status >= 500,
        )


class Post(msgspec.Struct, frozen=True):
    """A request, and the topic that batches are parted by."""

    request: HttpRequest
    topic: str


def is_http_url(url: str) -> bool:
    """Whether it is the URL of an HTTP server, with no secrets in it. AWS takes https alone."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        return False


def _check(parameters: Parameters) -> None:
    if len(parameters.url) > MAX_URL:
        raise InvalidRequest(f'action "http": url is longer than {MAX_URL} characters')
    if len(parameters.headers) > MAX_HEADERS:
        raise InvalidRequest(f'action "http": there are at most {MAX_HEADERS} headers')
    for header in parameters.headers:
        if not header.key.isascii() or not header.key.replace("-", "").replace("_", "").isalnum():
            raise InvalidRequest(f'action "http": {header.key!r} is not the name of a header')
    if parameters.batch_config is None:
        return
    config = parameters.batch_config
    for name, value, least, most in (
        ("maxBatchOpenMs", config.max_batch_open_ms, 5, 200),
        ("maxBatchSize", config.max_batch_size, 2, 10),
        ("maxBatchSizeBytes", config.max_batch_size_bytes, 100, 131_072),
    ):
        if not least <= value <= most:
            raise InvalidRequest(f'action "http": batchConfig.{name} must be {least} to {most}, it is {value}')


def _confirmation_url(parameters: Parameters, url: Template) -> str:
    confirmation = parameters.confirmation_url
    if confirmation is None:
        if not url.constant:
            raise InvalidRequest('action "http": a url with a substitution template needs a confirmationUrl')
        confirmation = parameters.url
    if not is_http_url(confirmation):
        raise InvalidRequest(f'action "http": {confirmation!r} is not an http or https URL')
    if not parameters.url.startswith(confirmation):
        raise InvalidRequest(f'action "http": confirmationUrl {confirmation!r} must be a prefix of url')
    return confirmation


def _is_json(payload: bytes) -> bool:
    try:
        msgspec.json.decode(payload, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def _element(payload: bytes, url: str) -> bytes:
    """A payload as an element of a batch: JSON as it is, other text as a string. Raises ActionFailed."""
    if _is_json(payload):
        return payload
    try:
        return msgspec.json.encode(payload.decode())
    except UnicodeDecodeError as error:
        raise ActionFailed("only UTF-8 text can be sent in batches", resource=url) from error
