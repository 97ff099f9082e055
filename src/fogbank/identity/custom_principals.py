"""The rights of one connection that a custom authorizer let in.

They hold until the function is to be asked again, which happens when somebody asks for them after that; questions in
between cost no call. Where a certificate was asked for too (CUSTOM_AUTH_X509), its own policies and thing count as
well, and its end is the connection's.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from fogbank.clock import Clock
from fogbank.identity.authorizer_answer import Answer
from fogbank.identity.errors import Rejected
from fogbank.ports import Grant, Identity, PrincipalListener, PrincipalStore
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

Ask = Callable[[], Awaitable[tuple[str, Answer]]]
"""Asks the authorizer anew: its name and answer. Raises Rejected."""

_TOLERANCE = 0.1
"""The part of an interval by which one may come early: who asks every five minutes must not find it a millisecond
short each second time."""
_LONGEST_TOLERANCE = 1.0


class CustomPrincipals:
    """The PrincipalStore of one connection."""

    def __init__(
        self,
        ask: Ask,
        identity: Identity,
        answer: Answer,
        authorizer: str,
        clock: Clock,
        tasks: Tasks,
        *,
        asked: float,
        certificates: PrincipalStore | None = None,
    ) -> None:
        """`asked`: when, by the monotonic clock. `certificates` knows the certificate of `identity`, if it has one."""
        self._ask = ask
        self._identity = identity
        self._clock = clock
        self._tasks = tasks
        self._certificates = certificates
        self._asking: asyncio.Task[None] | None = None
        self._take(authorizer, answer, asked)

    async def identify(self, certificate: bytes) -> Identity:
        """There is no other certificate here than the one that came in."""
        return self._identity

    async def recheck(self, identity: Identity) -> Identity:
        """The identity as it stands; the function is asked again where its answer is too old."""
        if self._certificates is not None:
            certificate = await self._certificates.recheck(self._identity)
            if not certificate.active:
                return certificate
        if self._identity.active and self._clock.monotonic() >= self._due:
            if self._asking is None:  # one question serves all who wait for it
                self._asking = self._tasks.start(self._refresh(), "refresh")
            await asyncio.shield(self._asking)
        return self._identity

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        """The policy documents of the answer, and those of the certificate."""
        if not self._identity.active:
            return Grant()
        if self._certificates is None:
            return Grant(self._policies)
        own = await self._certificates.grant(self._identity, client_id)
        return Grant((*own.policies, *self._policies), own.thing)

    def watch(self, listener: PrincipalListener) -> None:
        """An authorizer never speaks first; who watches the certificates hears of theirs."""

    async def _refresh(self) -> None:
        asked = self._clock.monotonic()
        try:
            authorizer, answer = await self._ask()
        except Rejected as rejected:
            self._end(rejected.message)
        except Exception:
            log.exception("the rights of %s cannot be asked for", self._identity.id)
            self._end("the rights of the connection could not be asked for anew")
        else:
            self._take(authorizer, answer, asked)  # a connection keeps its name, whatever principalId says now
        finally:
            self._asking = None

    def _end(self, reason: str) -> None:
        self._identity = msgspec.structs.replace(self._identity, active=False, reason=reason)

    def _take(self, authorizer: str, answer: Answer, asked: float) -> None:
        self._policies = answer.policies(authorizer)
        self._due = asked + answer.refresh - min(answer.refresh * _TOLERANCE, _LONGEST_TOLERANCE)
