"""A customer in line: what they are told, the ways out, what is gathered, and where the line leads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from turning import AGENT, ANNA, BEN, Chat, Played, answer, drive, human, message, press, said, script, timer

from supportbot.engine import CEILING, DEADLINE, Moment
from supportbot.engine.handing import ANSWER, ROUTE, UNDELIVERED, UNPLACED
from supportbot.engine.settling import BACK_TO_BOT, LEAVE_CONTACT, expected_wait
from supportbot.engine.terms import AgentTerms, DeskTerms, HandoffTerms
from supportbot.hours import Hours
from supportbot.types import (
    Action,
    Attachment,
    Event,
    Hit,
    ModelAnswer,
    ModelFailed,
    Place,
    Post,
    SearchResult,
    TakePlace,
    User,
)

CONTACT = """
flow: leave_contact
description: Takes an e-mail address.
title: {en: Leave my e-mail address, de: E-Mail-Adresse hinterlassen}
start: [{phrases: [leave my e-mail]}]
steps:
  - ask: email
    type: email
    question: Which address?
  - say: "Thank you. We will write to {{ slots.email }}."
"""
DAMAGED = """
flow: damaged
description: Something broke.
start: [{phrases: [it is broken]}]
steps:
  - handoff: {reason: Something broke., say: A colleague looks at it., tags: [damage], priority: high, gather: photo}
"""
PHOTO = """
flow: photo
description: Asks what is broken.
steps:
  - ask: part
    type: choice
    choices: [{value: shade, label: The shade}, {value: cable, label: The cable}]
    question: Which part is it?
  - say: Noted.
"""
OFFICE = Hours("Europe/Berlin", ((((9 * 60), 18 * 60),),) * 5 + ((), ()))
FRIDAY_NIGHT = datetime(2026, 11, 27, 21, 0, tzinfo=UTC).timestamp()
MONDAY_MORNING = datetime(2026, 11, 30, 8, 0, tzinfo=UTC).timestamp()
FRONT = DeskTerms("front")
OTHER = User("a-bob", "Bob")


def chat(*flows: str, desks: tuple[DeskTerms, ...] = (FRONT,), **terms: Any) -> Chat:
    return Chat(script(*flows, handoff=HandoffTerms(desks=desks, **terms)))


def posts(played: Played) -> list[tuple[str, str, Any]]:
    return [(post.desk, post.kind, post.data.get("change", "")) for post in played.outcome.posts]


def buttons(played: Played) -> list[str]:
    return [button.id for button in played.outcome.replies[-1].buttons]


def act(kind: Any, words: str = "", *, user: User = AGENT, desk: str = "front", **data: Any) -> Any:
    return replace(human(kind, words, user), via=desk, event=Event("act", data))


# --- opening -------------------------------------------------------------------------------------------------


def test_the_desk_gets_all_that_a_human_needs() -> None:
    talk = chat(DAMAGED, PHOTO)
    talk.say("My order A-10002 is late.", results=[answer("Let me see.")])
    played = talk.say("it is broken")
    (asked,) = played.outcome.posts
    assert (asked.desk, asked.kind) == ("front", "handoff.requested")
    data = asked.data
    assert data["cause"] == {"reason": "flow", "flow": "damaged"}
    assert (data["tags"], data["priority"], data["desk"]) == (["damage"], "high", "front")
    assert data["why"] == "A flow's step hands over. Something broke."
    assert data["identity"] == {"customer": "", "name": "", "verified": False}
    assert [line["text"] for line in data["transcript"]][:3] == [
        "My order A-10002 is late.",
        "Let me see.",
        "it is broken",
    ]
    assert "Began the flow damaged." in data["tried"]


def test_a_conversation_whose_channel_has_its_own_humans_goes_to_no_desk() -> None:
    played = chat(own=frozenset({"desk"})).say("/human")
    assert played.outcome.posts == () and played.kinds == ["handoff.requested"]


@pytest.mark.parametrize(
    ("desks", "expected"),
    [
        ((DeskTerms("a", tags=("billing",)), DeskTerms("b")), "b"),
        ((DeskTerms("a", tags=("damage",)), DeskTerms("b")), "a"),
        ((DeskTerms("a", languages=("de",)), DeskTerms("b")), "b"),
        ((DeskTerms("a", channels=("telegram",)), DeskTerms("b")), "b"),
        ((DeskTerms("a", hours=OFFICE), DeskTerms("b")), "b"),
        ((DeskTerms("a", hours=OFFICE), DeskTerms("b", hours=OFFICE)), "a"),
        ((DeskTerms("a", tags=("billing",)),), "a"),
    ],
)
def test_the_first_desk_that_takes_it_and_is_open_gets_it(desks: tuple[DeskTerms, ...], expected: str) -> None:
    talk = chat(DAMAGED, PHOTO, desks=desks)
    talk.now = FRIDAY_NIGHT
    assert talk.say("it is broken").outcome.posts[0].desk == expected


def test_out_of_hours_the_customer_is_told_when_somebody_is_there_and_the_deadline_waits() -> None:
    talk = chat(desks=(DeskTerms("front", hours=OFFICE, deadline=900.0),), ceiling=3600.0)
    talk.now = FRIDAY_NIGHT
    (text,) = talk.say("/human").texts
    assert said("handoff_told") in text and "Monday" in text and "09:00" in text and "Berlin" in text
    assert talk.handoff is not None
    assert talk.handoff.deadline == MONDAY_MORNING + 900
    assert talk.handoff.ceiling == MONDAY_MORNING + 3600, "the bot does not come back before anybody could"


@pytest.mark.parametrize(
    ("asked", "opens"),
    [
        (datetime(2026, 3, 27, 20, 0, tzinfo=UTC), datetime(2026, 3, 30, 7, 0, tzinfo=UTC)),  # summer time begins
        (datetime(2026, 10, 23, 20, 0, tzinfo=UTC), datetime(2026, 10, 26, 8, 0, tzinfo=UTC)),  # and ends
    ],
)
def test_over_a_weekend_on_which_the_clocks_change_it_is_still_nine_on_monday(
    asked: datetime, opens: datetime
) -> None:
    talk = chat(desks=(DeskTerms("front", hours=OFFICE, deadline=1800.0),))
    talk.now = asked.timestamp()
    (text,) = talk.say("/human").texts
    assert "on Monday at 09:00" in text
    assert talk.handoff is not None and talk.handoff.deadline == opens.timestamp() + 1800


def test_a_flow_that_has_told_its_own_words_is_only_added_to() -> None:
    talk = chat(DAMAGED, PHOTO)
    assert talk.say("it is broken").texts == ["A colleague looks at it.", "Which part is it?"]
    closed = chat(DAMAGED, PHOTO, desks=(DeskTerms("front", hours=OFFICE),))
    closed.now = FRIDAY_NIGHT
    first, second, _ = closed.say("it is broken").texts
    assert first == "A colleague looks at it." and "Monday" in second and said("handoff_told") not in second


def test_the_place_in_line_and_the_measured_wait_are_told() -> None:
    talk = chat()
    waits = tuple((100.0 * at, 100.0 * at + wait) for at, wait in enumerate((60.0, 90.0, 200.0, 230.0, 3000.0)))
    start = talk.start(message("/human"))
    played = drive(start, talk.bot, Moment(talk.now, "h_1"), lambda _: None, lambda _: Place(3, "", waits))  # type: ignore[arg-type, return-value]
    assert played.texts == [
        f"{said('handoff_told')}\n\nYou are number 4 in line.\n\n"
        "Lately, four out of five people had somebody within 4 minutes."
    ]


def test_a_wait_is_measured_only_from_enough_of_the_past_and_in_open_time() -> None:
    assert expected_wait(((0.0, 60.0),) * 4, None) is None
    assert expected_wait(((0.0, 60.0),) * 5, None) == 60.0
    over_the_weekend = (FRIDAY_NIGHT, MONDAY_MORNING + 300.0)
    assert expected_wait((over_the_weekend,) * 5, OFFICE) == 300.0


def test_the_model_may_write_the_summary_and_a_reply() -> None:
    talk = chat(brief="model")
    talk.say("My lamp flickers every evening", results=[answer("Try another bulb.")])
    written = answer('{"summary": "Her lamp flickers.", "reply": "Which lamp is it?"}')
    played = talk.say("/human", results=[written])
    assert [request.purpose for request in played.asked] == ["brief"] and played.asked[0].schema is not None
    data = played.outcome.posts[0].data
    assert (data["summary"], data["suggestion"]) == ("Her lamp flickers.", "Which lamp is it?")
    assert "every evening" in played.asked[0].messages[-1].content and played.asked[0].messages[0].role == "system"


@pytest.mark.parametrize("written", [answer("no JSON"), answer('{"summary": 1}'), ModelFailed("timeout", "late")])
def test_without_it_summary_and_reply_come_from_the_conversation_and_the_articles(written: Any) -> None:
    talk = chat(brief="model")
    talk.bot = replace(talk.bot, has_articles=True)
    found = SearchResult((Hit("bulbs.md", "Bulbs", "Use an E27 bulb.", 0.9),))
    talk.say("Which bulb does my lamp take?", results=[SearchResult(()), answer("Hm.")])
    extract = ModelAnswer("> Use an E27 bulb.", (), "offline")
    played = talk.say("/human", results=[written, found, extract])
    data = played.outcome.posts[0].data
    assert data["suggestion"] == "> Use an E27 bulb." and "Which bulb" in data["summary"]


# --- the ways out --------------------------------------------------------------------------------------------


def test_the_customer_may_go_back_to_the_bot() -> None:
    for sent in (press(BACK_TO_BOT), message("back to the assistant"), message("1"), message("/bot")):
        talk = chat()
        assert buttons(talk.say("/human")) == [BACK_TO_BOT]
        played = talk.take(sent)
        assert played.texts == [said("handoff_cancelled")]
        assert talk.handoff is not None and talk.handoff.status == "cancelled"
        assert posts(played)[-1] == ("front", "handoff.returned", "")
        assert talk.say("hello", results=[answer("Hi.")]).texts == ["Hi."]


def test_a_number_is_for_the_human_once_they_have_spoken() -> None:
    talk = chat()
    talk.say("/human")
    talk.take(act("human.message", "How many lamps?"))
    played = talk.say("1")
    assert (played.texts, talk.handoff and talk.handoff.status) == ([], "claimed")
    assert played.outcome.posts[-1].reply is not None and played.outcome.posts[-1].reply.text == "1"


def test_a_contact_is_taken_while_the_customer_waits_and_the_desk_is_told() -> None:
    talk = chat(CONTACT, contact="leave_contact")
    assert buttons(talk.say("/human")) == [LEAVE_CONTACT, BACK_TO_BOT]
    assert talk.take(press(LEAVE_CONTACT)).texts == ["Which address?"]
    assert talk.handoff is not None and talk.handoff.open
    played = talk.say("anna@example.org")
    assert played.texts == ["Thank you. We will write to anna@example.org."]
    assert talk.handoff.slots == {"email": "anna@example.org"}
    assert posts(played) == [("front", "handoff.message", ""), ("front", "handoff.updated", "gathered")]
    assert talk.handoff.status == "waiting"


def test_what_is_no_answer_is_for_the_human_and_the_flow_asks_only_once_more() -> None:
    talk = chat(CONTACT, contact="leave_contact")
    talk.say("/human")
    talk.take(press(LEAVE_CONTACT))
    assert len(talk.say("why does it take so long").texts) == 1
    assert talk.say("hello?").texts == []
    assert talk.say("anna@example.org").texts == ["Thank you. We will write to anna@example.org."]


def test_leaving_the_question_keeps_the_place_in_line() -> None:
    talk = chat(CONTACT, contact="leave_contact")
    talk.say("/human")
    talk.take(press(LEAVE_CONTACT))
    assert talk.say("never mind").texts == [said("handoff_still")]
    assert talk.handoff is not None and talk.handoff.status == "waiting"


def test_a_flow_gathers_and_stops_when_a_human_comes() -> None:
    talk = chat(DAMAGED, PHOTO)
    talk.say("it is broken")
    assert talk.in_flow()
    talk.take(act("handoff.claimed"))
    assert not talk.in_flow()
    assert talk.say("the shade").texts == []


def test_what_others_write_in_a_shared_place_is_no_way_out() -> None:
    talk = chat()
    talk.say("/human")
    assert talk.say("/bot", user=BEN).texts == []
    assert talk.handoff is not None and talk.handoff.status == "waiting"


# --- both ways -----------------------------------------------------------------------------------------------


def test_words_and_files_of_the_customer_go_to_the_desk_with_their_name() -> None:
    talk = chat()
    talk.say("/human")
    played = talk.take(
        message("look", attachments=(Attachment("a.png", "image/png", digest="d1"),)),
        message("and this", attachments=(Attachment("b.exe"),)),
    )
    first, second = played.outcome.posts
    assert first.data["from"] == {"role": "customer", "id": ANNA.id, "name": ANNA.name}
    assert first.reply is not None and (first.reply.text, first.reply.files[0].digest) == ("look", "d1")
    assert second.reply is not None and second.reply.text == "and this [file: b.exe]" and second.reply.files == ()
    assert played.texts == []


def test_words_of_an_agent_elsewhere_are_shown_at_the_desk_and_those_from_there_are_not() -> None:
    talk = chat()
    talk.say("/human")
    assert [post.kind for post in talk.take(act("human.message", "Hi.")).outcome.posts] == ["handoff.claimed"]
    played = talk.take(human("human.message", "From the command line."))
    assert [(post.kind, post.reply and post.reply.text) for post in played.outcome.posts] == [
        ("handoff.message", "From the command line.")
    ]


def test_words_that_the_customer_has_seen_are_not_sent_again() -> None:
    talk = chat()
    talk.say("/human")
    played = talk.take(replace(act("human.message", "Hello Anna."), shown=True))
    assert played.texts == [] and played.outcome.turn[-1].content == "Hello Anna."
    assert talk.handoff is not None and talk.handoff.notes == ("Hello Anna.",)


def test_a_note_is_for_colleagues_alone() -> None:
    talk = chat()
    talk.say("/human")
    played = talk.take(human("human.note", "He is a friend of the boss."))
    assert played.texts == [] and played.outcome.turn == ()
    assert talk.handoff is not None and talk.handoff.internal == ("Ana: He is a friend of the boss.",)
    assert posts(played) == [("front", "handoff.note", "")]
    assert posts(talk.take(act("human.note", "Really."))) == []
    talk.take(act("handoff.returned"))
    asked = talk.say("hello", results=[answer("Hi.")]).asked[0]
    assert not any("boss" in one.content for one in asked.messages)


# --- hands ---------------------------------------------------------------------------------------------------


def test_an_agent_who_has_no_room_cannot_claim_and_is_told() -> None:
    talk = chat(desks=(DeskTerms("front", agents=(AgentTerms(AGENT.id, "Ana", capacity=2),)),))
    talk.say("/human")
    asked: list[TakePlace] = []

    def full(place: TakePlace) -> Place:
        asked.append(place)
        return Place()

    start = talk.start(act("handoff.claimed"))
    played = drive(start, talk.bot, Moment(talk.now, "h_9"), lambda _: None, full)  # type: ignore[arg-type, return-value]
    assert (asked[0].agents, asked[0].order) == (((AGENT.id, 2),), "claim")
    assert posts(played) == [("front", "handoff.updated", "refused")] and played.outcome.handoff is None
    assert "2 conversations" in played.outcome.posts[0].data["why"]
    start = talk.start(act("handoff.claimed", desk=""))
    played = drive(start, talk.bot, Moment(talk.now, "h_9"), lambda _: None, full)  # type: ignore[arg-type, return-value]
    assert (posts(played), played.outcome.handoff) == ([], None)
    assert "may have 2 at once" in str(played.outcome.trace)


def test_it_is_offered_to_somebody_who_speaks_the_language_and_knows_the_matter() -> None:
    agents = (
        AgentTerms("1", "Ana", languages=("de",)),
        AgentTerms("2", "Bob", tags=("billing",)),
        AgentTerms("3", "Cem", tags=("damage",), capacity=4),
    )
    desk = DeskTerms("front", order="least_busy", agents=agents)
    talk = chat(DAMAGED, PHOTO, desks=(desk,))
    played = talk.say("it is broken")
    assert talk.handoff is not None and talk.handoff.assignee == "3"
    assert played.outcome.posts[0].data["assignee"] == "3"


def test_when_nobody_has_room_it_is_looked_again_later() -> None:
    desk = DeskTerms("front", order="round_robin", agents=(AgentTerms("1", "Ana", capacity=1),))
    talk = chat(desks=(desk,))
    start = talk.start(message("/human"))
    full = drive(start, talk.bot, Moment(talk.now, "h_1"), lambda _: None, lambda _: Place())  # type: ignore[arg-type, return-value]
    assert ROUTE in [one.name for one in full.outcome.timers]
    talk.commit(start, full.outcome)
    played = talk.take(timer(ROUTE, "h_1"))
    assert posts(played) == [("front", "handoff.updated", "assigned")]
    assert talk.handoff is not None and talk.handoff.assignee == "1"


def test_a_transfer_to_another_desk_tells_both_and_the_customer() -> None:
    talk = chat(desks=(FRONT, DeskTerms("billing")))
    talk.say("/human")
    talk.take(act("handoff.claimed"))
    played = talk.take(act("handoff.transferred", to="billing"))
    assert posts(played) == [("front", "handoff.updated", "transferred"), ("billing", "handoff.requested", "")]
    assert played.texts == [said("handoff_moved")]
    assert talk.handoff is not None
    assert (talk.handoff.desk, talk.handoff.status, talk.handoff.desks) == (
        "billing",
        "waiting",
        ("front", "billing"),
    )
    nowhere = talk.take(act("handoff.transferred", desk="billing", to="nowhere"))
    assert posts(nowhere) == [("billing", "handoff.updated", "refused")]


def test_a_transfer_to_an_agent_offers_it_to_them() -> None:
    talk = chat(desks=(DeskTerms("front", agents=(AgentTerms("1", "Ana"), AgentTerms("2", "Bob"))),))
    talk.say("/human")
    talk.take(act("handoff.claimed"))
    played = talk.take(act("handoff.transferred", to="Bob"))
    assert posts(played) == [("front", "handoff.updated", "assigned")] and played.texts == []
    assert talk.handoff is not None and (talk.handoff.assignee, talk.handoff.status) == ("2", "waiting")


# --- time ----------------------------------------------------------------------------------------------------


def test_at_the_deadline_it_moves_on_to_the_next_desk_and_no_further_than_once() -> None:
    desks = (DeskTerms("front", otherwise="tickets"), DeskTerms("tickets", otherwise="front"))
    talk = chat(desks=desks)
    talk.say("/human")
    played = talk.take(timer(DEADLINE, "h_1"))
    assert posts(played) == [("front", "handoff.updated", "transferred"), ("tickets", "handoff.requested", "")]
    assert played.texts == [said("handoff_moved")]
    assert DEADLINE in [one.name for one in played.outcome.timers]
    last = talk.take(timer(DEADLINE, "h_1"))
    assert last.texts == [said("handoff_waiting")] and posts(last) == []


def test_at_the_deadline_a_contact_is_asked_for() -> None:
    talk = chat(CONTACT, desks=(DeskTerms("front", otherwise="contact"),), contact="leave_contact")
    talk.say("/human")
    assert talk.take(timer(DEADLINE, "h_1")).texts == [said("handoff_waiting"), "Which address?"]
    assert talk.say("anna@example.org").texts == ["Thank you. We will write to anna@example.org."]


def test_at_the_deadline_the_bot_may_go_on() -> None:
    talk = chat(desks=(DeskTerms("front", otherwise="return"),))
    talk.say("/human")
    assert talk.take(timer(DEADLINE, "h_1")).texts == [said("handoff_resumed")]
    assert talk.handoff is not None and talk.handoff.status == "expired"


def test_a_claim_without_a_word_is_reminded_of_and_then_free_for_others() -> None:
    talk = chat(answer=600.0)
    talk.say("/human")
    claimed = talk.take(act("handoff.claimed"))
    assert (ANSWER, talk.now + 600) in [(one.name, one.due_at) for one in claimed.outcome.timers]
    assert posts(talk.take(timer(ANSWER, "h_1"))) == [("front", "handoff.updated", "late")]
    played = talk.take(timer(ANSWER, "h_1"))
    assert posts(played) == [("front", "handoff.updated", "released")]
    assert played.texts == [said("handoff_waiting")]
    assert talk.handoff is not None and (talk.handoff.status, talk.handoff.agent) == ("waiting", "")
    assert DEADLINE in [one.name for one in played.outcome.timers]


def test_words_of_the_agent_stop_the_reminder_and_the_customers_start_it_anew() -> None:
    talk = chat()
    talk.say("/human")
    talk.take(act("handoff.claimed"))
    played = talk.take(act("human.message", "I look."))
    assert ANSWER in played.outcome.stop_timers and ANSWER not in [one.name for one in played.outcome.timers]
    assert ANSWER in [one.name for one in talk.say("and?").outcome.timers]


def test_nobody_waits_for_ever() -> None:
    talk = chat()
    talk.say("/human")
    talk.take(timer(DEADLINE, "h_1"))
    played = talk.take(timer(CEILING, "h_1"))
    assert played.texts == [said("handoff_resumed")] and posts(played) == [("front", "handoff.returned", "")]


def test_words_that_could_not_be_delivered_are_reported_to_the_agent() -> None:
    talk = chat()
    talk.say("/human")
    talk.take(act("human.message", "Hello."))
    played = talk.take(message(kind="timer", event=Event(UNDELIVERED, {"error": "blocked"})))
    (post,) = played.outcome.posts
    assert isinstance(post, Post) and (post.data["change"], post.data["error"]) == ("undelivered", "blocked")
    assert played.texts == []


# --- the end -------------------------------------------------------------------------------------------------


def test_a_resolve_asks_how_content_the_customer_is_and_tells_the_desk() -> None:
    talk = chat(rating=True)
    talk.say("/human")
    talk.take(act("human.message", "Done."))
    played = talk.take(act("handoff.resolved"))
    assert played.texts == [said("handoff_rate")] and len(played.outcome.replies[-1].buttons) == 5
    rated = talk.say("4")
    assert rated.texts == [said("handoff_rated")] and posts(rated) == [("front", "handoff.updated", "rated")]
    assert talk.handoff is not None and (talk.handoff.rating, talk.handoff.status) == (4, "resolved")


def test_words_after_a_resolve_open_it_again_at_its_place() -> None:
    talk = chat(reopen=3600.0)
    talk.say("/human")
    talk.take(act("handoff.resolved"))
    talk.now += 600
    assert talk.say("thank you!", results=[answer("You are welcome.")]).texts == ["You are welcome."]
    played = talk.say("It does not work after all.")
    assert played.texts == [said("handoff_reopened")]
    assert posts(played) == [("front", "handoff.requested", ""), ("front", "handoff.message", "")]
    assert played.outcome.posts[0].data["reopened"] is True
    assert talk.handoff is not None
    assert (talk.handoff.id, talk.handoff.status, talk.handoff.reopened) == ("h_1", "waiting", 1)


@pytest.mark.parametrize("later", [7200.0])
def test_after_a_while_the_bot_answers_again(later: float) -> None:
    talk = chat(reopen=3600.0)
    talk.say("/human")
    talk.take(act("handoff.resolved"))
    talk.now += later
    assert talk.say("It does not work.", results=[answer("Oh.")]).texts == ["Oh."]


def test_an_agent_who_writes_at_an_ended_handoffs_place_opens_it_again() -> None:
    talk = chat()
    talk.say("/human")
    talk.take(act("handoff.resolved"))
    played = talk.take(act("human.message", "One more thing.", handoff="h_1"))
    assert played.texts == ["One more thing."]
    assert talk.handoff is not None and (talk.handoff.id, talk.handoff.status) == ("h_1", "claimed")


def test_an_act_at_an_old_place_is_refused_while_another_handoff_is_open() -> None:
    talk = chat()
    talk.say("/human")
    talk.take(act("handoff.returned"))
    talk.say("/human")
    played = talk.take(act("human.message", "Hello?", handoff="h_1"))
    assert played.texts == []
    (post,) = played.outcome.posts
    assert (post.data["change"], post.data["handoff"]) == ("refused", "h_1")


# --- what has gone wrong once --------------------------------------------------------------------------------


def due(name: str, handoff: str, at: float) -> Any:
    return message(kind="timer", event=Event(name, {"handoff": handoff, "due": at}))


def test_a_way_out_works_also_when_the_bot_has_said_something_since() -> None:
    talk = chat(CONTACT, contact="leave_contact")
    ways = {one.id: one for one in talk.say("/human").outcome.replies[-1].buttons}
    talk.take(press(LEAVE_CONTACT))
    pressed = message(kind="action", action=Action(press=ways[BACK_TO_BOT].press))
    assert talk.take(pressed).texts == [said("handoff_cancelled")]
    assert talk.take(message(kind="action", action=Action(press=ways[BACK_TO_BOT].press))).texts == [
        said("choice_closed")
    ]


def test_after_a_release_the_way_out_can_be_pressed_still() -> None:
    talk = chat()
    (way,) = talk.say("/human").outcome.replies[-1].buttons
    talk.take(act("handoff.claimed"))
    talk.take(act("handoff.released"))
    assert talk.take(message(kind="action", action=Action(press=way.press))).texts == [said("handoff_cancelled")]


def test_each_person_s_words_go_to_the_desk_under_their_own_name() -> None:
    talk = chat()
    talk.say("/human")
    played = talk.take(message("mine", user=BEN), message("and mine"), overdue=True)
    assert [post.data["from"]["id"] for post in played.outcome.posts] == [BEN.id, ANNA.id]


def test_what_was_typed_behind_the_way_out_is_a_turn_of_its_own_for_the_bot() -> None:
    talk = chat()
    talk.say("/human")
    first = talk.take(message("/bot"), message("where is my order?"))
    assert (first.texts, first.outcome.consumed) == ([said("handoff_cancelled")], (1,))


def test_a_turn_that_is_only_brought_to_an_end_looks_nothing_up() -> None:
    talk = chat()
    talk.bot = replace(talk.bot, has_articles=True)
    assert talk.say("How do I return a lamp?", attempt=4).effects == ()
    assert talk.handoff is not None and talk.handoff.reason == "error"


def test_times_that_were_set_anew_make_older_timers_void() -> None:
    talk = chat(desks=(DeskTerms("front", otherwise="tickets"), DeskTerms("tickets")), ceiling=7200.0)
    talk.say("/human")
    assert talk.handoff is not None
    first = talk.handoff.deadline
    talk.now += 900
    talk.take(due(DEADLINE, "h_1", first))
    assert talk.handoff.desk == "tickets"
    assert talk.take(due(DEADLINE, "h_1", first)).texts == [], "the old desk's deadline"
    ceiling = talk.handoff.ceiling
    assert ceiling == NOW_CEILING, "a ceiling does not move"
    assert talk.take(due(CEILING, "h_1", ceiling)).texts == [said("handoff_resumed")]


NOW_CEILING = Chat(script()).now + 7200.0


def test_the_reminder_counts_from_the_first_word_without_an_answer() -> None:
    talk = chat(answer=3600.0)
    talk.say("/human")
    talk.take(act("handoff.claimed"))
    talk.take(act("human.message", "I look."))
    assert talk.take(timer(ANSWER, "h_1")).outcome.posts == (), "answered since"
    assert ANSWER not in [one.name for one in talk.say("Thank you!").outcome.timers]
    assert ANSWER in [one.name for one in talk.say("and now?").outcome.timers]
    talk.now += 3000
    assert ANSWER not in [one.name for one in talk.say("hello?").outcome.timers], "it runs already"


def test_after_a_transfer_the_next_agent_is_reminded_too() -> None:
    talk = chat(desks=(FRONT, DeskTerms("billing")), answer=600.0)
    talk.say("/human")
    talk.take(act("handoff.claimed"))
    talk.take(timer(ANSWER, "h_1"))
    talk.take(act("handoff.transferred", to="billing"))
    assert ANSWER in [one.name for one in talk.take(act("handoff.claimed", desk="billing")).outcome.timers]


def test_acts_at_the_desk_that_it_has_left_are_refused() -> None:
    talk = chat(desks=(FRONT, DeskTerms("billing")))
    talk.say("/human")
    talk.take(act("handoff.transferred", to="billing"))
    played = talk.take(act("handoff.claimed", user=OTHER))
    assert posts(played) == [("front", "handoff.updated", "refused")]
    assert talk.handoff is not None and talk.handoff.status == "waiting"


def test_a_claim_without_room_opens_nothing_again() -> None:
    talk = chat(desks=(DeskTerms("front", agents=(AgentTerms(AGENT.id, "Ana", capacity=1),)),))
    talk.say("/human")
    talk.take(act("handoff.resolved"))
    start = talk.start(act("handoff.claimed", handoff="h_1"))
    played = drive(start, talk.bot, Moment(talk.now, "h_9"), lambda _: None, lambda _: Place())  # type: ignore[arg-type, return-value]
    assert played.outcome.handoff is None and posts(played) == [("front", "handoff.updated", "refused")]


def test_a_transfer_to_nobody_in_particular_is_a_release() -> None:
    for to in ("", "front"):
        talk = chat()
        talk.say("/human")
        talk.take(act("handoff.claimed"))
        assert posts(talk.take(act("handoff.transferred", to=to))) == [("front", "handoff.updated", "released")]


def test_a_desk_that_comes_again_is_told_so() -> None:
    talk = chat(desks=(FRONT, DeskTerms("billing")))
    talk.say("/human")
    talk.take(act("handoff.transferred", to="billing"))
    played = talk.take(act("handoff.transferred", desk="billing", to="front"))
    assert played.outcome.posts[-1].data["reopened"] is True


def test_a_conversation_whose_desk_is_gone_from_the_config_goes_to_another() -> None:
    talk = chat()
    talk.say("/human")
    talk.take(act("handoff.claimed"))
    talk.bot = replace(talk.bot, handoff=HandoffTerms(desks=(DeskTerms("renamed"),)))
    played = talk.say("hello?")
    assert posts(played) == [("renamed", "handoff.requested", ""), ("renamed", "handoff.message", "")]
    assert talk.handoff is not None and (talk.handoff.desk, talk.handoff.status) == ("renamed", "waiting")


def test_a_request_that_a_desk_has_refused_goes_to_the_next_or_comes_once_more() -> None:
    talk = chat()
    talk.say("/human")
    assert posts(talk.take(timer(UNPLACED, "h_1"))) == [("front", "handoff.requested", "")]
    other = chat(desks=(DeskTerms("front", otherwise="tickets"), DeskTerms("tickets")))
    other.say("/human")
    assert posts(other.take(timer(UNPLACED, "h_1")))[-1] == ("tickets", "handoff.requested", "")


def test_only_the_customer_s_own_new_words_open_it_again() -> None:
    talk = chat(reopen=3600.0)
    talk.say("/human")
    talk.take(act("handoff.resolved"))
    assert talk.say("what do shoes cost?", user=BEN, results=[answer("Ten.")]).texts == ["Ten."]


def test_who_was_asked_and_does_not_come_is_asked_no_more() -> None:
    agents = (AgentTerms("1", "Ana"), AgentTerms("2", "Bob"))
    talk = chat(desks=(DeskTerms("front", order="least_busy", agents=agents),))
    talk.say("/human")
    assert talk.handoff is not None and talk.handoff.assignee == "1"
    assert posts(talk.take(act("handoff.released", user=User("1", "Ana")))) == [
        ("front", "handoff.updated", "assigned")
    ]
    assert talk.handoff.assignee == "2"
    talk.take(timer(DEADLINE, "h_1"))
    assert talk.handoff.assignee == "1"


def test_what_a_lead_takes_from_an_agent_is_not_offered_to_them_again() -> None:
    agents = (AgentTerms("1", "Ana"), AgentTerms("2", "Bob"))
    talk = chat(desks=(DeskTerms("front", order="least_busy", agents=agents),))
    talk.say("/human")
    talk.take(act("handoff.claimed", user=User("1", "Ana")))
    talk.take(act("handoff.released", user=User("lead", "Lena"), desk=""))
    assert talk.handoff is not None and (talk.handoff.status, talk.handoff.assignee) == ("waiting", "2")


def test_the_bot_is_sorry_at_the_ceiling_only_if_nobody_wrote() -> None:
    talk = chat()
    talk.say("/human")
    talk.take(act("human.message", "Hello."))
    assert talk.take(timer(CEILING, "h_1")).texts == [said("handoff_returned")]
