"""Takes what devices ask off the reserved topics, and answers: the MQTT side of fleet provisioning.

Questions come here and to nobody else, answers go over the connection that asked: both hold secrets (tokens, private
keys), and whoever holds a claim may listen to the same topics. So a question that nobody would hear the answer to is
not served at all: there it is a publish over HTTP, a rule's, or one of a client that does not subscribe.
"""

import logging
from collections import Counter
from typing import Any

import msgspec

from fogbank.clock import Clock
from fogbank.message import Message, Origin
from fogbank.ports import Answers
from fogbank.registry.provisioning.errors import InternalError, InvalidPayload, Rejection, Throttled
from fogbank.registry.provisioning.fleet import FleetProvisioning, NewCertificate
from fogbank.registry.provisioning.rates import Asked, ProvisioningRates
from fogbank.registry.provisioning.topics import Question, question
from fogbank.tasks import Tasks
from fogbank.trace import Trace

log = logging.getLogger(__name__)

AT_ONCE = 256
"""Questions that are served at a time; keys are made some ten at a time, and wait for the rest."""
AT_ONCE_EACH = 8
"""Of one connection."""
LOGGED = 20
"""Rejections a minute that are logged: what goes on and on fills no log."""
MOST_PARAMETERS = 256
LONGEST_TOKEN = 512


class ProvisioningSubscriber:
    """Implements the port Subscriber."""

    def __init__(
        self, fleet: FleetProvisioning, answers: Answers, rates: ProvisioningRates, clock: Clock, trace: Trace
    ) -> None:
        self._fleet = fleet
        self._answers = answers
        self._rates = rates
        self._clock = clock
        self._trace = trace
        self._tasks = Tasks("provisioning")
        self._of_each: Counter[Origin] = Counter()
        self._minute = -1.0
        self._logged = 0

    async def close(self) -> None:
        """End what is under way; devices ask again."""
        await self._tasks.close()

    async def drain(self) -> None:
        """Return when nothing is under way."""
        await self._tasks.drain()

    def deliver(self, message: Message) -> None:
        """Serve a question, as far as there is one."""
        asked = question(message.topic)
        if asked is None:
            self._tell("skipped", message, "", "nothing can be asked on this topic")
            return
        problem = self._answers.obstacle(message.origin, f"{message.topic}/accepted")
        if problem is not None:
            self._tell("skipped", message, asked.asked.value, f"nobody would hear the answer: {problem}")
            return
        if (busy := self._excess(asked, message.origin)) is not None:
            self._reject(message, asked, Throttled(busy), self._clock.monotonic())
            return
        self._of_each[message.origin] += 1
        self._tasks.start(self._serve(asked, message), asked.asked.value)

    def _excess(self, asked: Question, origin: Origin) -> str | None:
        if len(self._tasks) >= AT_ONCE or self._of_each.get(origin, 0) >= AT_ONCE_EACH:
            return "Too many requests are under way; try again later."
        if not self._rates.take(asked.asked, origin.client_id):
            return "Rate exceeded; try again later."
        return None

    async def _serve(self, asked: Question, message: Message) -> None:
        began = self._clock.monotonic()
        try:
            answer = await self._answer(asked, message)
            problem = self._answers.answer(message.origin, f"{message.topic}/accepted", asked.format.encode(answer))
        except Rejection as rejection:
            self._reject(message, asked, rejection, began)
        except Exception:
            log.exception("cannot serve %s of client %r", asked.asked.value, message.origin.client_id)
            self._reject(message, asked, InternalError("Internal failure; try again."), began)
        else:
            detail: dict[str, Any] = {name: answer[name] for name in ("certificateId", "thingName") if name in answer}
            status, reason = ("success", "") if problem is None else ("failure", f"the answer was lost: {problem}")
            self._tell(status, message, asked.asked.value, reason, began, detail)
        finally:
            self._of_each[message.origin] -= 1
            if not self._of_each[message.origin]:
                del self._of_each[message.origin]

    async def _answer(self, asked: Question, message: Message) -> dict[str, Any]:
        """The accepted document. Raises Rejection."""
        if asked.asked is Asked.CREATE_KEYS:  # whatever is in the payload
            return _created(await self._fleet.create_keys_and_certificate(message.origin))
        members = asked.format.decode(message.payload)
        if asked.asked is Asked.CREATE_FROM_CSR:
            request = _text(members, "certificateSigningRequest")
            return _created(await self._fleet.create_certificate_from_csr(message.origin, request))
        outcome = await self._fleet.register_thing(
            message.origin,
            asked.template,
            _text(members, "certificateOwnershipToken", LONGEST_TOKEN),
            _parameters(members.get("parameters")),
        )
        thing = {} if outcome.thing is None else {"thingName": outcome.thing}
        return {"deviceConfiguration": dict(outcome.configuration), **thing}

    def _reject(self, message: Message, asked: Question, rejection: Rejection, began: float) -> None:
        document = {
            "statusCode": rejection.status,
            "errorCode": rejection.code,
            "errorMessage": str(rejection),
        }
        problem = self._answers.answer(message.origin, f"{message.topic}/rejected", asked.format.encode(document))
        lost = "" if problem is None else f" (which it was not told: {problem})"
        self._log("%s of client %r was rejected: %s", asked.asked.value, message.origin.client_id, rejection.detail)
        status = "failure" if rejection.status >= 500 else "denied"
        self._tell(status, message, asked.asked.value, f"{rejection.code}: {rejection.detail}{lost}", began)

    def _log(self, text: str, *args: object) -> None:
        minute = self._clock.monotonic() // 60
        if minute != self._minute:
            self._minute, self._logged = minute, 0
        self._logged += 1
        if self._logged <= LOGGED:
            log.info(text, *args)
        elif self._logged == LOGGED + 1:
            log.info("further rejections are not logged for a minute; the trace has them")

    def _tell(
        self,
        status: str,
        message: Message,
        name: str,
        reason: str,
        began: float | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        if self._trace.active:
            self._trace.emit(
                "provisioning",
                status,
                reason=reason,
                topic=message.topic,
                client_id=message.origin.client_id or "",
                principal=message.origin.principal,
                name=name,
                duration_ms=None if began is None else (self._clock.monotonic() - began) * 1000,
                detail=detail or None,
            )


def _created(new: NewCertificate) -> dict[str, Any]:
    private = {} if new.private_key is None else {"privateKey": new.private_key}
    return {
        "certificateId": new.certificate.id,
        "certificatePem": new.certificate.pem,
        **private,
        "certificateOwnershipToken": new.token,
    }


def _text(members: dict[str, Any], name: str, longest: int = 65_536) -> str:
    """A member that is text; "" where it is missing. Raises InvalidPayload."""
    value = members.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidPayload(f"{name} must be a string.")
    if len(value) > longest:
        raise InvalidPayload(f"{name} is longer than {longest} characters.")
    return value


def _parameters(given: Any) -> dict[str, str]:
    """Raises InvalidPayload."""
    if given is None:
        return {}
    try:
        parameters = msgspec.convert(given, dict[str, str])
    except msgspec.ValidationError:
        raise InvalidPayload("parameters must be a map of names and strings.") from None
    if len(parameters) > MOST_PARAMETERS:
        raise InvalidPayload(f"There can be {MOST_PARAMETERS} parameters, not {len(parameters)}.")
    return parameters
