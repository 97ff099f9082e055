"""The checker itself: what it must find, and what it must not take for a loss."""

import itertools

import pytest
from tests.torture.findings import Fault
from tests.torture.ledger import Audience, Ledger, Message, Retained, Session

TOPIC = "torture/1/pub"
FILTER = "torture/1/+"


@pytest.fixture
def ledger() -> Ledger:
    ticks = itertools.count()
    return Ledger(lambda: float(next(ticks)), lambda topic: topic.rpartition("/")[0] + "/+")


@pytest.fixture
def session(ledger: Ledger) -> Session:
    """Connected, and subscribed."""
    session = ledger.session("sub")
    session.connecting(clean=False)
    session.connected(present=False)
    subscribe(session)
    return session


def subscribe(audience: Audience) -> None:
    audience.subscribing(FILTER)
    audience.subscribed(FILTER)


def unsubscribe(audience: Audience) -> None:
    audience.unsubscribing(FILTER)
    audience.unsubscribed(FILTER)


def publish(ledger: Ledger, count: int = 1, qos: int = 1) -> list[Message]:
    """So many messages, acknowledged."""
    messages = [ledger.send(TOPIC, qos) for _ in range(count)]
    for message in messages:
        ledger.acknowledged(message)
    return messages


def deliver(audience: Audience, *messages: Message) -> None:
    for message in messages:
        audience.received(message)
        audience.taken(message)


def faults(ledger: Ledger) -> list[Fault]:
    return [finding.fault for finding in ledger.findings]


# --- messages: planted losses, reorderings, duplicates ---


def test_what_comes_in_order_and_once_is_no_finding(ledger: Ledger, session: Session) -> None:
    deliver(session, *publish(ledger, 5), *publish(ledger, 5, qos=2))
    assert session.give_up() == 0
    assert ledger.findings == []


def test_a_loss_is_found_and_told_with_its_timeline(ledger: Ledger, session: Session) -> None:
    messages = publish(ledger, 3)
    ledger.note("kill number 1")
    deliver(session, messages[0], messages[2])
    assert session.give_up() == 1
    [finding] = ledger.findings
    assert (finding.fault, finding.whom) == (Fault.MESSAGE_LOST, "sub")
    assert finding.what == "torture/1/pub number 1 has not come"
    events = [line.split("s  ", 1)[1] for line in finding.timeline]
    assert events == [
        "connected, session not present",
        "subscribed to torture/1/+",
        "torture/1/+ held for sure from here on",
        "torture/1/pub number 1 was sent at QoS 1",
        "torture/1/pub number 1 was acknowledged to its publisher",
        "kill number 1",
    ]


def test_a_message_that_came_without_being_taken_is_still_owed(ledger: Ledger, session: Session) -> None:
    [message] = publish(ledger)
    session.received(message)
    assert session.give_up() == 1
    assert "came, and was not acknowledged" in "".join(ledger.findings[0].timeline)


def test_at_quality_of_service_2_what_has_come_is_owed_no_longer(ledger: Ledger, session: Session) -> None:
    [before] = publish(ledger, qos=2)
    session.received(before)
    early = ledger.send(TOPIC, 2)
    session.received(early)
    ledger.acknowledged(early)
    assert session.give_up() == 0


def test_what_was_taken_before_its_publisher_was_told_is_not_owed(ledger: Ledger, session: Session) -> None:
    message = ledger.send(TOPIC, 1)
    deliver(session, message)
    ledger.acknowledged(message)
    assert session.give_up() == 0


def test_a_message_without_acknowledgement_may_come_or_not(ledger: Ledger, session: Session) -> None:
    ledger.send(TOPIC, 1)
    deliver(session, ledger.send(TOPIC, 1))
    assert session.give_up() == 0
    assert ledger.findings == []


@pytest.mark.parametrize("qos", [1, 2])
def test_a_first_delivery_out_of_order_is_found(ledger: Ledger, session: Session, qos: int) -> None:
    first, second = publish(ledger, 2, qos)
    deliver(session, second, first)
    assert faults(ledger) == [Fault.REORDERED]


def test_a_later_delivery_may_come_after_others(ledger: Ledger, session: Session) -> None:
    first, second = publish(ledger, 2)
    session.received(first)
    session.received(second)
    deliver(session, first, second)  # again, since neither was acknowledged
    assert ledger.findings == []


def test_members_of_a_shared_subscription_have_no_order(ledger: Ledger) -> None:
    pool = ledger.shared("pool")
    subscribe(pool)
    first, second = publish(ledger, 2)
    deliver(pool, second, first)
    assert ledger.findings == []
    publish(ledger)
    assert pool.give_up() == 1


def test_a_duplicate_is_found_at_quality_of_service_2_alone(ledger: Ledger, session: Session) -> None:
    [once] = publish(ledger, qos=1)
    deliver(session, once, once)
    assert ledger.findings == []
    [exactly] = publish(ledger, qos=2)
    deliver(session, exactly, exactly)
    assert faults(ledger) == [Fault.DUPLICATED]


# --- subscriptions ---


def test_nothing_is_owed_before_suback(ledger: Ledger) -> None:
    session = ledger.session("sub")
    session.subscribing(FILTER)
    [during] = publish(ledger)
    early = ledger.send(TOPIC, 1)
    session.subscribed(FILTER)
    ledger.acknowledged(early)
    deliver(session, during)  # it may have been subscribed already
    assert session.give_up() == 0
    assert ledger.findings == []
    publish(ledger)
    assert session.give_up() == 1


def test_what_comes_without_a_subscription_is_found(ledger: Ledger) -> None:
    session = ledger.session("sub")
    deliver(session, *publish(ledger))
    assert faults(ledger) == [Fault.SUBSCRIPTION_KEPT]


def test_what_is_sent_after_unsuback_must_not_come(ledger: Ledger, session: Session) -> None:
    [waiting] = publish(ledger)
    unsubscribe(session)
    deliver(session, waiting)  # it was there before
    assert ledger.findings == []
    deliver(session, *publish(ledger))
    assert faults(ledger) == [Fault.SUBSCRIPTION_KEPT]


def test_unsubscribing_may_drop_what_waits_but_not_what_was_begun(ledger: Ledger, session: Session) -> None:
    begun, _ = publish(ledger, 2)
    session.received(begun)
    unsubscribe(session)
    assert session.give_up() == 1
    assert begun.topic in ledger.findings[0].what
    assert "number 0" in ledger.findings[0].what


def test_an_unsubscribe_without_answer_leaves_both_open(ledger: Ledger, session: Session) -> None:
    session.unsubscribing(FILTER)
    [maybe] = publish(ledger)
    deliver(session, maybe)
    publish(ledger)
    assert session.give_up() == 0
    assert ledger.findings == []
    subscribe(session)
    publish(ledger)
    assert session.give_up() == 1


def test_subscribing_anew_does_not_interrupt(ledger: Ledger, session: Session) -> None:
    message = ledger.send(TOPIC, 1)
    subscribe(session)
    ledger.acknowledged(message)
    assert session.give_up() == 1


# --- sessions ---


def test_a_session_that_is_gone_is_found_with_all_that_it_held(ledger: Ledger, session: Session) -> None:
    publish(ledger, 2)
    session.connecting(clean=False)
    session.connected(present=False)
    assert faults(ledger) == [Fault.SESSION_LOST, Fault.MESSAGE_LOST, Fault.MESSAGE_LOST]
    assert not session.holds(FILTER)


def test_a_connect_without_answer_may_have_made_a_session_or_not(ledger: Ledger) -> None:
    for present in (True, False):
        session = ledger.session("sub")
        session.connecting(clean=False)
        session.connecting(clean=False)
        session.connected(present=present)
    assert ledger.findings == []


def test_a_session_that_was_never_there_or_was_discarded_must_not_be_present(ledger: Ledger, session: Session) -> None:
    stranger = ledger.session("stranger")
    stranger.connecting(clean=False)
    stranger.connected(present=True)
    session.connecting(clean=True)
    session.connected(present=True)
    assert faults(ledger) == [Fault.SESSION_KEPT, Fault.SESSION_KEPT]


def test_a_clean_start_voids_what_was_owed(ledger: Ledger, session: Session) -> None:
    publish(ledger, 2)
    session.connecting(clean=True)
    session.connected(present=False, persistent=False)
    assert session.give_up() == 0
    session.connecting(clean=False)
    session.connected(present=False)
    publish(ledger)
    assert session.give_up() == 0
    assert ledger.findings == []


# --- retained messages ---


@pytest.fixture
def retained(ledger: Ledger) -> Retained:
    return Retained("torture/retained/0", ledger)


def test_the_last_acknowledged_retained_message_or_a_later_one_is_there(ledger: Ledger, retained: Retained) -> None:
    first = retained.sent(1)
    before = retained.must_be_there
    retained.acknowledged(first)
    assert (before, retained.must_be_there) == (False, True)
    retained.sent(2)
    retained.observed(2)
    retained.observed(2)
    assert ledger.findings == []


@pytest.mark.parametrize("found", [None, 1, 3])
def test_any_other_is_found(ledger: Ledger, retained: Retained, found: int | None) -> None:
    for number in (1, 2):
        retained.acknowledged(retained.sent(number))
    retained.observed(found)
    assert faults(ledger) == [Fault.RETAINED_LOST]


def test_what_was_taken_away_must_not_come_back(ledger: Ledger, retained: Retained) -> None:
    retained.acknowledged(retained.sent(1))
    retained.acknowledged(retained.sent(None))
    retained.observed(1)
    assert faults(ledger) == [Fault.RETAINED_LOST]


def test_what_was_seen_once_is_not_another_afterwards(ledger: Ledger, retained: Retained) -> None:
    retained.acknowledged(retained.sent(1))
    retained.sent(2)
    retained.observed(1)
    retained.observed(2)
    assert faults(ledger) == [Fault.RETAINED_LOST]


def test_what_was_first_sent_before_the_subscription_has_no_order(ledger: Ledger) -> None:
    """The second comes, the broker dies, and the publisher sends both again."""
    late = ledger.session("late")
    first = ledger.send(TOPIC, 1)
    subscribe(late)
    second = ledger.send(TOPIC, 1)
    deliver(late, second, first, second)
    assert faults(ledger) == []


# --- wills ---


def test_a_will_is_owed_from_the_loss_of_its_client_on(ledger: Ledger, session: Session) -> None:
    will = ledger.send(TOPIC, 1, is_will=True)
    assert session.owed == {}
    ledger.acknowledged(will)
    assert session.give_up() == 1
    assert faults(ledger) == [Fault.MESSAGE_LOST]


def test_one_who_subscribes_after_the_loss_may_see_it(ledger: Ledger) -> None:
    late = ledger.session("late")
    will = ledger.send(TOPIC, 1, is_will=True)
    ledger.acknowledged(will)
    subscribe(late)
    assert late.owed == {}
    deliver(late, will)
    assert faults(ledger) == []


def test_a_will_that_was_taken_back_may_not_come(ledger: Ledger, session: Session) -> None:
    first, second = ledger.send(TOPIC, 1, is_will=True), ledger.send(TOPIC, 1, is_will=True)
    ledger.withdrawn(first)
    ledger.acknowledged(second)
    deliver(session, second)
    assert faults(ledger) == []
    deliver(session, first)
    assert Fault.WILL_KEPT in faults(ledger)


def test_one_that_may_have_been_taken_back_may_come_or_not(ledger: Ledger, session: Session) -> None:
    first, _ = ledger.send(TOPIC, 1, is_will=True), ledger.send(TOPIC, 1, is_will=True)
    deliver(session, first)
    assert session.give_up() == 0
    assert faults(ledger) == []
