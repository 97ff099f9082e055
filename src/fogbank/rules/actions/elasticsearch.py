"""The actions `elasticsearch` and `openSearch`: index the result of SELECT as a document.

Developer Guide, "OpenSearch" and "Elasticsearch" rule actions: two names of one thing. The endpoint is a URL of the
user's own cluster, and is used as it is. A domain of AWS's is called only where AWS may be, or, if the operator has
named another endpoint for OpenSearch, there.
"""

from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.ports import HttpRequest, OutboundError, Signing
from fogbank.rules.actions.base import (
    ActionFailed,
    Context,
    Firing,
    Need,
    Plan,
    Results,
    SingleAction,
    failure,
    filled,
)

SERVICE = "opensearch"
SIGNING_NAME = "es"
_AWS = ".amazonaws.com"


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's OpenSearchAction and ElasticsearchAction."""

    role_arn: str
    endpoint: str
    index: str
    type: str
    id: str


class OpenSearchAction(SingleAction):
    """Puts documents into an index."""

    kind = "openSearch"
    title = "OpenSearchAction"
    parameters = Parameters

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(parameters.endpoint, parameters.role_arn)
        outside = context.outside(self.kind)
        self._aws, self._http = outside.aws, outside.http
        self._arns = context.arns
        if not parameters.endpoint.startswith(("http://", "https://", "${")):
            raise InvalidRequest(f'action "{self.kind}": endpoint {parameters.endpoint!r} is not the URL of a domain')
        self._endpoint = context.template(self.kind, "endpoint", parameters.endpoint)
        self._path = [
            context.template(self.kind, field, text)
            for field, text in (("index", parameters.index), ("type", parameters.type), ("id", parameters.id))
        ]

    def plan(self, firing: Firing) -> Plan:
        endpoint = filled(self._endpoint, firing, "endpoint", self.target)
        path = "/".join(
            quote(filled(template, firing, field, endpoint), safe="")
            for field, template in zip(("index", "type", "id"), self._path, strict=True)
        )
        domain = urlsplit(endpoint).hostname or ""
        signing = None
        base = endpoint
        if domain.endswith(_AWS):
            base = self._at_aws(endpoint)
            labels = domain.split(".")
            signing = Signing(SIGNING_NAME, labels[1] if len(labels) > 4 else self._arns.region)
        request = HttpRequest(
            method="PUT",
            url=f"{base.rstrip('/')}/{path}",
            headers=(("Content-Type", "application/json"),),
            body=firing.output,
            signing=signing,
        )
        # `search-{domain}-{26 characters}.{region}.es.amazonaws.com`
        name = domain.split(".")[0].removeprefix("search-").rpartition("-")[0] or domain
        return Plan(endpoint, request, Need("es:ESHttpPut", self._arns.of("es", f"domain/{name}/{path}")))

    def _at_aws(self, endpoint: str) -> str:
        if (obstacle := self._aws.obstacle(SERVICE)) is not None:
            raise ActionFailed(f"{endpoint} is a domain of AWS: {obstacle}", resource=endpoint)
        return self._aws.url(SERVICE) or endpoint

    async def perform(self, plans: Sequence[Plan]) -> Results:
        [plan] = plans
        try:
            answer = await self._http.send(plan.request)
        except OutboundError as error:
            return [failure("Failed to index document", error, plan.resource)]
        if answer.status in (200, 201):
            return [None]
        text = answer.body[:500].decode(errors="replace")
        return [
            ActionFailed(
                f"Failed to index document. The error received was {answer.status} {answer.reason}: {text}",
                resource=plan.resource,
                transient=answer.status == 429 or answer.status >= 500,
            )
        ]


class ElasticsearchAction(OpenSearchAction):
    """The same under its older name."""

    kind = "elasticsearch"
    title = "ElasticsearchAction"
