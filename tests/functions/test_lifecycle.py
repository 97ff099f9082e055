import pytest

from fogbank.functions.lifecycle import Event, IllegalTransition, State, move

LEGAL = {
    "starting": {Event.NEXT: State.IDLE},
    "idle": {Event.DISPATCH: State.BUSY},
    "busy": {Event.ANSWER: State.FINISHING},
    "finishing": {Event.NEXT: State.IDLE},
    "dead": {},
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", [one for one in Event if one is not Event.END])
def test_moves_as_the_runtime_api_prescribes(state: State, event: Event) -> None:
    expected = LEGAL[state.value].get(event)
    if expected is None:
        with pytest.raises(IllegalTransition, match=f"but the environment is {state.value}"):
            move(state, event)
    else:
        assert move(state, event) is expected


@pytest.mark.parametrize("state", State)
def test_a_process_may_end_at_any_time(state: State) -> None:
    assert move(state, Event.END) is State.DEAD
