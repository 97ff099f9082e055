"""All sessions by client ID: created, resumed, taken over, expired. (3.1.2.4, 4.1)"""

import uuid

from fogbank.broker.line import Line
from fogbank.broker.quotas import Quotas
from fogbank.broker.router import Router
from fogbank.broker.session import Session, Wanted
from fogbank.clock import Clock


class Sessions:
    """At most one session a client ID, at most one connection a session. [MQTT-3.1.4-2]"""

    def __init__(self, router: Router, quotas: Quotas, clock: Clock) -> None:
        self._router = router
        self._quotas = quotas
        self._clock = clock
        self._by_client: dict[str, Session] = {}

    def open(self, client_id: str, line: Line, wanted: Wanted, *, clean: bool) -> tuple[Session, bool]:
        """The session of a client that has connected, and whether it was present already.

        The client's earlier connection must have been ended. A clean session neither finds an earlier one nor leaves
        one behind. [MQTT-3.1.2-6] [MQTT-3.2.2-2]
        """
        session = self._by_client.get(client_id)
        present = session is not None and not clean
        if session is not None and clean:
            self.discard(session)
            session = None
        if session is None:
            session = Session(client_id, clean=clean, id_=str(uuid.uuid4()), quotas=self._quotas)
            self._by_client[client_id] = session
        session.line, session.wanted = line, wanted
        line.on_room = session.pump
        if present:
            session.keep(wanted)  # rights may have changed while the client was away
            self._touch(session)
        return session, present

    def close(self, session: Session) -> None:
        """The connection is gone: a clean session ends with it, a persistent one waits."""
        session.line = session.wanted = None
        session.disconnected_at = self._clock.monotonic()
        if session.clean:
            self.discard(session)

    def discard(self, session: Session) -> None:
        """End a session and all it holds."""
        for filter_ in session.subscriptions:
            self._router.unsubscribe_session(filter_, session)
        session.subscriptions.clear()
        if self._by_client.get(session.client_id) is session:
            del self._by_client[session.client_id]

    def expire(self) -> None:
        """End the sessions that have been away for too long."""
        oldest = self._clock.monotonic() - self._quotas.session_expiry
        for session in list(self._by_client.values()):
            if session.line is None and session.disconnected_at < oldest:
                self.discard(session)

    def __len__(self) -> int:
        return len(self._by_client)

    def _touch(self, session: Session) -> None:
        """Routes computed while the client was away did not ask for its rights."""
        for filter_ in session.subscriptions:
            self._router.touch(filter_)
