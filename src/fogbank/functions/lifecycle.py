"""The life of an execution environment as a table.

- It begins STARTING: the process runs the function's module. Asking for the first event ends that.
- IDLE, it waits for an event; its request for one is kept open.
- BUSY, it has been handed an event and owes the answer.
- FINISHING, it has answered and not yet asked for the next event. The caller has its answer by then, so an event
  that comes now waits these few microseconds rather than paying for a cold start.
- DEAD is forever. Whoever waits for an answer gets an error document; an event that was not handed over may go to
  another environment.

What the table does not name is refused, and nothing moves.
"""

import enum

from fogbank.errors import FogbankError


class State(enum.Enum):
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    FINISHING = "finishing"
    DEAD = "dead"


class Event(enum.Enum):
    NEXT = "the runtime asks for an event"
    DISPATCH = "an event is handed over"
    ANSWER = "the function answers"
    END = "the process ends"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.STARTING, Event.NEXT): State.IDLE,
    (State.IDLE, Event.DISPATCH): State.BUSY,
    (State.BUSY, Event.ANSWER): State.FINISHING,
    (State.FINISHING, Event.NEXT): State.IDLE,
    **{(state, Event.END): State.DEAD for state in State},
}


class IllegalTransition(FogbankError):
    """The environment is in no state for that."""


def move(state: State, event: Event) -> State:
    """The state after `event`; raises IllegalTransition."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise IllegalTransition(f"{event.value}, but the environment is {state.value}")
    return after
