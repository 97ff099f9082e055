"""Asks custom authorizers: verifies the token, invokes the function, and judges what it answers.

Whatever goes wrong on the way lets nobody in. What exactly, and what came, is told to the trace and, where it is the
function's fault, to the log; the client learns what concerns its own credentials, and of the function only that it
failed.
"""

import logging

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import FogbankError, InvalidRequest
from fogbank.identity.authorizer_answer import SHORTEST, Answer, InvalidAnswer, read_answer
from fogbank.identity.authorizer_event import AuthorizerEvent, ConnectionMetadata, ProtocolData
from fogbank.identity.credentials import Credentials
from fogbank.identity.errors import BadAnswer, BadToken, InvalidResponse, NoAnswer, NotAuthenticated, Rejected
from fogbank.identity.records import Authorizer
from fogbank.identity.token_signatures import is_signed
from fogbank.patience import invoke_within
from fogbank.ports import InvocationResult, Invoker, ServiceCaller
from fogbank.tasks import Tasks
from fogbank.trace import Trace

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a function has to answer (developer guide, "Defining your Lambda function")."""
MOST = 1000
"""Questions that may be under way at once: whoever connects can ask one, and has proven nothing yet."""
_SERVICE = "iot.amazonaws.com"
_MOST_SHOWN = 400


class Judge:
    """Asks the functions of authorizers about clients."""

    def __init__(self, invoker: Invoker, arns: Arns, clock: Clock, trace: Trace, *, shortest: int = SHORTEST) -> None:
        """`shortest`: the fewest seconds that an answer may give for its two intervals."""
        self._invoker = invoker
        self._arns = arns
        self._clock = clock
        self._trace = trace
        self._shortest = shortest
        self._tasks = Tasks("authorizers")
        self._asking = 0

    async def close(self) -> None:
        """End what is still being asked."""
        await self._tasks.close()

    def check_token(self, authorizer: Authorizer, credentials: Credentials) -> None:
        """What can be judged without the function. Raises BadToken, traced."""
        try:
            _check_token(authorizer, credentials)
        except BadToken as rejected:
            self._tell(authorizer, rejected, "", None)
            raise

    async def ask(
        self, authorizer: Authorizer, credentials: Credentials, data: ProtocolData, connection_id: str
    ) -> Answer:
        """Who the client is and what it may do. Raises Rejected, traced."""
        began = self._clock.monotonic()
        client_id = "" if data.mqtt is None else data.mqtt.client_id or ""
        try:
            _check_token(authorizer, credentials)
            answer = await self._answer(authorizer, credentials, data, connection_id)
            if not answer.authenticated:
                raise NotAuthenticated(f"the custom authorizer {authorizer.name} did not authenticate the client")
            _check_principal(authorizer, answer, data)
        except Rejected as rejected:
            self._tell(authorizer, rejected, client_id, (self._clock.monotonic() - began) * 1000)
            raise
        if self._trace.active:
            self._trace.emit(
                "authorizer",
                "success",
                name=authorizer.name,
                client_id=client_id,
                principal=answer.principal,
                duration_ms=(self._clock.monotonic() - began) * 1000,
                detail={"connection": connection_id},
            )
        return answer

    async def test(
        self, authorizer: Authorizer, credentials: Credentials, data: ProtocolData, connection_id: str
    ) -> Answer:
        """The answer as it is, for TestInvokeAuthorizer. Raises InvalidRequest, InvalidResponse."""
        try:
            _check_token(authorizer, credentials)
            return await self._answer(authorizer, credentials, data, connection_id)
        except BadToken as rejected:
            raise InvalidRequest(rejected.detail) from None
        except Rejected as rejected:
            raise InvalidResponse(rejected.detail) from None

    async def _answer(
        self, authorizer: Authorizer, credentials: Credentials, data: ProtocolData, connection_id: str
    ) -> Answer:
        event = AuthorizerEvent(
            token=credentials.token(authorizer.token_key_name),
            signature_verified=not authorizer.signing_disabled,
            protocols=data.protocols,
            protocol_data=data,
            connection_metadata=ConnectionMetadata(connection_id),
        )
        failed = f"the custom authorizer {authorizer.name} failed"
        result = await self._invoke(authorizer, event.encode(), failed)
        if result.function_error is not None:
            raise NoAnswer(failed, f"its function failed: {_shown(result.payload)}")
        try:
            return read_answer(result.payload, self._shortest)
        except InvalidAnswer as error:
            raise BadAnswer(failed, str(error)) from None

    async def _invoke(self, authorizer: Authorizer, event: bytes, failed: str) -> InvocationResult:
        if self._asking >= MOST:
            raise NoAnswer(failed, f"it was not asked: {MOST} questions are under way already")
        self._asking += 1
        caller = ServiceCaller(_SERVICE, self._arns.iot("authorizer", authorizer.name), self._arns.account)
        function = authorizer.function_arn
        try:
            result = await invoke_within(PATIENCE, self._invoker, function, event, caller, self._clock, self._tasks)
        except FogbankError as error:
            raise NoAnswer(failed, f"its function {function} could not be invoked: {error}") from None
        finally:
            self._asking -= 1
        if result is None:
            raise NoAnswer(failed, f"its function did not answer within {PATIENCE:g} seconds")
        return result

    def _tell(self, authorizer: Authorizer, rejected: Rejected, client_id: str, duration_ms: float | None) -> None:
        """A function that fails is for someone to mend. What a client did wrong is in what is raised, and whoever sends
        it away logs it."""
        failure = isinstance(rejected, NoAnswer | BadAnswer)
        if failure:
            log.warning("authorizer %s did not let client %r in: %s", authorizer.name, client_id[:128], rejected.detail)
        if self._trace.active:
            self._trace.emit(
                "authorizer",
                "failure" if failure else "denied",
                name=authorizer.name,
                client_id=client_id,
                reason=rejected.detail,
                duration_ms=duration_ms,
            )


def _check_token(authorizer: Authorizer, credentials: Credentials) -> None:
    """The signature, where the authorizer asks for one, before the function is bothered."""
    if authorizer.signing_disabled:
        return
    token, signature = credentials.token(authorizer.token_key_name), credentials.signature
    asked = f"the custom authorizer {authorizer.name} asks for a signed token"
    if token is None:
        raise BadToken(f"{asked} under the name {authorizer.token_key_name}, and the client sent none")
    if signature is None:
        raise BadToken(f"{asked}, and the client sent no x-amz-customauthorizer-signature")
    if not is_signed(token, signature, authorizer.public_keys.values()):
        raise BadToken(f"{asked}, and the signature is not that of the token by any of its public keys")


def _check_principal(authorizer: Authorizer, answer: Answer, data: ProtocolData) -> None:
    """With a certificate, the function must say who that is (developer guide, custom-auth-509cert)."""
    certificate = None if data.tls is None else data.tls.principal_id
    if certificate is not None and answer.principal != certificate:
        raise BadAnswer(
            f"the custom authorizer {authorizer.name} failed",
            f"principalId must be the event's protocolData.tls.principalId, {certificate}, not {answer.principal}",
        )


def _shown(payload: bytes) -> str:
    text = payload[: _MOST_SHOWN + 1].decode("utf-8", "replace")
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
