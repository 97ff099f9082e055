"""`POST /_fogbank/rules/NAME/test`: a dry run of a rule on a message. AWS has no such operation."""

import msgspec

from fogbank.awswire.http import Response
from fogbank.errors import InvalidRequest
from fogbank.gateway.pages import Page, Visit
from fogbank.rules.rehearsal import Rehearsal, Trial
from fogbank.rules.service import TopicRules


class RuleTests:
    """Answers with what the rule would have done."""

    def __init__(self, rules: TopicRules, rehearsal: Rehearsal) -> None:
        self._rules = rules
        self._rehearsal = rehearsal
        self._encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")

    @property
    def page(self) -> Page:
        """For the root's keys: a dry run may show secrets."""
        return Page(method="POST", path="/_fogbank/rules/{rule}/test", answer=self._answer)

    async def _answer(self, visit: Visit) -> Response:
        """The `Report` on the `Trial` that the body is, both in JSON. Raises InvalidRequest and as GetTopicRule."""
        try:
            trial = msgspec.json.decode(visit.request.body, type=Trial)
        except msgspec.DecodeError as error:
            raise InvalidRequest(f"this is no message to try a rule on: {error}") from error
        report = await self._rehearsal.run(await self._rules.compiled(visit.names["rule"]), trial)
        return Response(200, (("content-type", "application/json"),), self._encoder.encode(report))
