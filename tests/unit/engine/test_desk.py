"""A handoff's life: requested, owned, claimed, resolved or returned, and what time does to it."""

from __future__ import annotations

import pytest
from turning import AGENT, ANNA, BEN, Chat, Played, answer, event, human, message, press, said, script, timer

from supportbot.engine import CEILING, DEADLINE
from supportbot.engine.handing import ANSWER, ROUTE, UNDELIVERED, UNPLACED
from supportbot.engine.terms import HandoffTerms
from supportbot.types import Attachment, User

OTHER = User("a-bob", "Bob")
ASKING = """
flow: order_status
description: Tells where an order is.
start: [{phrases: [where is my order]}, {event: order.late}]
steps:
  - ask: order_number
    question: Which order?
  - say: On its way.
"""


def handed(*flows: str, **changes: object) -> Chat:
    chat = Chat(script(*flows, **changes))
    chat.say("/human")
    return chat


def test_a_handoff_is_opened_with_all_that_a_human_needs() -> None:
    chat = Chat(script(handoff=HandoffTerms(deadline=60.0, ceiling=600.0)))
    chat.say("My order A-10002 is late.", results=[answer("Let me see.")])
    played = chat.say("/human")
    assert played.texts == [said("handoff_told")]
    handoff = played.outcome.handoff
    assert handoff is not None and (handoff.id, handoff.reason, handoff.user) == ("h_2", "requested", ANNA)
    assert (handoff.deadline, handoff.ceiling) == (chat.now + 60, chat.now + 600)
    assert "A-10002" in handoff.summary
    ((kind, data),) = played.outcome.events
    assert kind == "handoff.requested"
    assert [one["text"] for one in data["transcript"]] == [
        "My order A-10002 is late.",
        "Let me see.",
        "/human",
        said("handoff_told") + "\n[choices: Back to the assistant]",
    ]
    assert data["customer"] == {"id": ANNA.id, "name": ANNA.name}
    timers = {one.name: (one.due_at, one.data["handoff"]) for one in played.outcome.timers}
    assert timers == {DEADLINE: (handoff.deadline, "h_2"), CEILING: (handoff.ceiling, "h_2")}


@pytest.mark.parametrize(
    "sent", [message("hello?"), message("/help"), message("/human"), press("x"), message("cancel"), message("2")]
)
def test_while_a_human_owns_the_conversation_the_bot_is_silent_and_listens(sent: object) -> None:
    played = handed().take(sent)  # type: ignore[arg-type]
    assert (played.texts, played.effects, played.kinds) == ([], (), [])
    assert played.outcome.handoff is None
    assert played.outcome.turn[0].content


def test_what_several_people_send_meanwhile_is_one_silent_turn() -> None:
    played = handed().take(
        message("one"),
        event("page.viewed"),
        message("two", user=BEN),
        message(attachments=(Attachment("bill.pdf"),)),
        overdue=True,
    )
    assert played.outcome.consumed == (1, 2, 3, 4)
    heard = [(one.name, one.content) for one in played.outcome.turn]
    assert heard == [("", "one"), ("Ben", "two"), ("", "[file: bill.pdf]")]


def test_a_human_who_claims_stops_the_deadline_and_is_announced_once() -> None:
    chat = handed()
    first = chat.take(human("handoff.claimed"))
    assert first.outcome.handoff is not None
    assert (first.outcome.handoff.status, first.outcome.handoff.agent) == ("claimed", "Ana")
    assert (first.kinds, first.outcome.stop_timers, first.texts) == (["handoff.claimed"], (DEADLINE, ROUTE), [])
    again = chat.take(human("handoff.claimed"))
    assert (again.kinds, again.outcome.handoff) == ([], None)


def test_what_one_human_has_claimed_another_cannot() -> None:
    chat = handed()
    chat.take(human("handoff.claimed"))
    played = chat.take(human("handoff.claimed", user=OTHER))
    assert (played.kinds, played.outcome.handoff, "refused" in played.steps) == ([], None, True)
    assert chat.handoff is not None and chat.handoff.agent == "Ana"
    chat.take(human("handoff.released", user=OTHER))
    assert chat.take(human("handoff.claimed", user=OTHER)).kinds == ["handoff.claimed"]
    assert chat.handoff.agent == "Bob"


def test_a_second_humans_words_go_out_under_their_name_and_change_no_hands() -> None:
    chat = handed()
    chat.take(human("handoff.claimed"))
    played = chat.take(human("human.message", "May I add something?", user=OTHER))
    assert played.texts == ["May I add something?"] and played.outcome.turn[-1].name == "Bob"
    assert chat.handoff is not None and chat.handoff.agent == "Ana"


def test_what_a_human_writes_reaches_the_customer_under_their_name_and_claims() -> None:
    chat = handed()
    played = chat.take(human("human.message", "I look into it."))
    assert (played.texts, played.kinds) == (["I look into it."], ["handoff.claimed"])
    assert (played.outcome.turn[-1].role, played.outcome.turn[-1].name) == ("assistant", "Ana")
    second = chat.take(human("human.message", "Done."))
    assert (second.texts, second.kinds) == (["Done."], [])
    assert chat.handoff is not None and chat.handoff.notes == ("I look into it.", "Done.")


def _ended(chat: Chat, kind: str, words: str = "") -> Played:
    return chat.take(human(kind, words))  # type: ignore[arg-type]


def test_a_resolved_handoff_closes_the_conversation() -> None:
    chat = handed()
    chat.take(human("handoff.claimed"))
    played = _ended(chat, "handoff.resolved", "All done, bye.")
    assert (played.texts, played.kinds) == (["All done, bye."], ["handoff.resolved", "conversation.closed"])
    assert set(played.outcome.stop_timers) == {DEADLINE, CEILING, ANSWER, ROUTE, UNDELIVERED, UNPLACED}
    assert chat.handoff is not None and (chat.handoff.status, chat.handoff.ended_at) == ("resolved", chat.now)


def test_a_returned_handoff_gives_the_conversation_back_with_a_note_for_the_model() -> None:
    chat = handed()
    chat.take(human("human.message", "I refunded it."))
    chat.say("thanks")
    played = _ended(chat, "handoff.returned")
    assert (played.texts, played.kinds) == ([said("handoff_returned")], ["handoff.returned"])
    following = chat.say("and now?", results=[answer("I am here.")])
    assert following.texts == ["I am here."]
    (asked,) = following.asked
    (note,) = [one.content for one in asked.messages if "[Hand-back note]" in one.content]
    assert (
        "Ana wrote 1 message(s)" in note and "no longer holds" in note and "handed the conversation back" in note
    )
    contents = [one.content for one in asked.messages]
    assert contents.index("I refunded it.") < contents.index("thanks") < contents.index(note)


@pytest.mark.parametrize("kind", ["handoff.resolved", "handoff.returned"])
def test_an_end_without_an_open_handoff_changes_nothing(kind: str) -> None:
    played = _ended(Chat(script()), kind, "words")
    assert (played.texts, played.kinds, played.outcome.handoff) == ([], [], None)
    assert played.outcome.consumed == (1,)


def test_a_handoff_can_be_opened_again_after_it_ended() -> None:
    chat = handed()
    _ended(chat, "handoff.returned")
    played = chat.say("/human")
    assert chat.handoff is not None and chat.handoff.id == "h_3" and chat.handoff.notes == ()
    assert played.texts == [said("handoff_told")]


# --- a human steps in ----------------------------------------------------------------------------------------


def test_a_human_may_step_in_unasked_and_the_customer_stays_the_customer() -> None:
    chat = Chat(script())
    chat.say("hi", results=[answer("Hello.")])
    played = chat.take(human("human.message", "Ana here."))
    assert (played.texts, played.kinds) == (["Ana here."], ["handoff.requested", "handoff.claimed"])
    handoff = played.outcome.handoff
    assert handoff is not None
    assert (handoff.reason, handoff.status, handoff.agent, handoff.user) == ("human", "claimed", "Ana", ANNA)
    assert played.outcome.events[0][1]["customer"] == {"id": ANNA.id, "name": ANNA.name}
    assert AGENT.id not in played.outcome.states


def test_a_handoff_ends_everyones_flows() -> None:
    chat = Chat(script(ASKING))
    chat.say("where is my order")
    chat.say("where is my order", user=BEN)
    assert chat.in_flow() and chat.in_flow(BEN)
    chat.say("/human")
    assert not chat.in_flow() and not chat.in_flow(BEN)


def test_a_human_who_steps_in_ends_the_customers_flow_too() -> None:
    chat = Chat(script(ASKING))
    chat.say("where is my order")
    chat.take(human("human.message", "I am on it."))
    _ended(chat, "handoff.returned")
    played = chat.say("thank you", results=[answer("You are welcome.")])
    assert played.texts == ["You are welcome."], "her thanks are not taken for an order number"


# --- time ----------------------------------------------------------------------------------------------------


def test_at_the_deadline_the_customer_is_told_once() -> None:
    chat = handed()
    first = chat.take(timer(DEADLINE, "h_1"))
    assert first.texts == [said("handoff_waiting")]
    assert chat.handoff is not None and chat.handoff.open and chat.handoff.noticed
    assert chat.take(timer(DEADLINE, "h_1")).texts == []


def test_a_claimed_handoff_needs_no_deadline_notice() -> None:
    chat = handed()
    chat.take(human("handoff.claimed"))
    played = chat.take(timer(DEADLINE, "h_1"))
    assert (played.texts, played.outcome.handoff) == ([], None)


@pytest.mark.parametrize("claimed", [False, True])
def test_at_the_ceiling_the_bot_resumes_even_if_a_human_has_claimed(claimed: bool) -> None:
    chat = handed()
    if claimed:
        chat.take(human("handoff.claimed"))
    played = chat.take(timer(CEILING, "h_1"))
    assert (played.texts, played.kinds) == ([said("handoff_resumed")], ["handoff.returned"])
    assert chat.handoff is not None and chat.handoff.status == "expired"
    assert chat.say("hi", results=[answer("Hello.")]).texts == ["Hello."]


@pytest.mark.parametrize("name", [DEADLINE, CEILING])
@pytest.mark.parametrize("state", ["none", "ended", "newer"])
def test_a_timer_of_an_older_handoff_changes_nothing(name: str, state: str) -> None:
    chat = Chat(script())
    if state != "none":
        chat.say("/human")
        _ended(chat, "handoff.returned")
    if state == "newer":
        chat.say("/human")
    played = chat.take(timer(name, "h_1"))
    assert (played.texts, played.kinds, played.outcome.handoff) == ([], [], None)


def test_nobody_answered_is_said_in_the_note() -> None:
    chat = handed()
    chat.take(timer(CEILING, "h_1"))
    assert "No human answered before the time was up." in chat.turns[-1].messages[0].content


# --- events --------------------------------------------------------------------------------------------------


def test_an_event_starts_the_flow_that_waits_for_it() -> None:
    assert Chat(script(ASKING)).take(event("order.late")).texts == ["Which order?"]


def test_an_event_that_nothing_waits_for_is_noted_in_silence() -> None:
    played = Chat(script(ASKING)).take(event("page.viewed"))
    assert (played.texts, played.steps, played.outcome.consumed) == ([], ["silent"], (1,))


def test_an_overdue_event_does_not_swallow_the_message_behind_it() -> None:
    played = Chat(script()).take(event("page.viewed"), message("hello?"), overdue=True)
    assert played.outcome.consumed == (1, 2)
    assert played.texts == [said("overdue_handoff")]
    assert played.outcome.turn[0].content == "hello?"


def test_an_event_whose_action_is_unsure_goes_to_a_human_instead_of_beginning_again() -> None:
    played = Chat(script(ASKING)).take(event("order.late"), unsure="An action was started.")
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "unknown_outcome"


def test_an_event_that_keeps_failing_is_let_go() -> None:
    played = Chat(script(ASKING)).take(event("order.late"), attempt=4)
    assert (played.texts, played.outcome.consumed) == ([], (1,))


def test_buttons_shown_stay_pressable_over_a_silent_event() -> None:
    flow = """
flow: sizes
description: Asks a size.
start: [{command: /size}]
steps:
  - say: {text: "Anything else?", buttons: [{id: order, label: My order}, {id: done, label: Done}]}
"""
    chat = Chat(script(flow))
    chat.say("/size")
    chat.take(event("page.viewed"))
    played = chat.say("2", results=[answer("Bye.")])
    assert played.asked[0].question == "Done"
