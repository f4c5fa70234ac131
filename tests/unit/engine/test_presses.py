"""Buttons: what they are pressed by, and what a press means once it comes back."""

from __future__ import annotations

import pytest
from turning import ANNA, BEN, FIND_ORDER, Chat, Played, answer, call, event, message, said, script

from supportbot.types import Action, Button, Message, ToolResult, ToolTerms, User

SIZES = """
flow: sizes
description: Asks a size.
start: [{command: /size}, {button: sizes}]
steps:
  - say: {text: "First this.", buttons: [{id: more, label: More, value: tell me more}]}
  - ask: size
    question: Which size?
    choices: [small, large]
  - say: "{{ size }} it is."
"""
SHOWN = """
flow: shown
description: Shows buttons of all kinds.
start: [{command: /shown}]
steps:
  - say:
      text: Choose.
      buttons:
        - {label: Our page, url: "https://example.org"}
        - {id: order, label: My order}
        - {label: My number, asks: phone}
        - {id: done, label: Done, style: danger}
"""
HELLO = "flow: hello\ndescription: Greets.\nstart: [{button: hello}]\nsteps: [{say: Hello there.}]\n"


def pressed(press: str, *, user: User = ANNA, shared: bool = False) -> Message:
    return message(kind="action", action=Action(press=press), user=user, shared=shared)


def buttons(played: Played) -> tuple[Button, ...]:
    return tuple(button for reply in played.outcome.replies for button in reply.buttons)


def named(played: Played, label: str) -> str:
    """What the button with the label is pressed by."""
    (found,) = [button.press for button in buttons(played) if button.label == label]
    return found


# --- on the way out ------------------------------------------------------------------------------------------


def test_every_button_is_given_its_own_short_press() -> None:
    chat = Chat(script(SIZES))
    presses = [button.press for played in (chat.say("/size"), chat.say("/size")) for button in buttons(played)]
    assert len(presses) == 6 == len(set(presses))
    assert all(press.isascii() and 0 < len(press) <= 32 for press in presses)


def test_the_presses_of_a_turn_are_the_same_when_it_is_played_again() -> None:
    first, again = (Chat(script(SIZES)).say("/size") for _ in range(2))
    assert buttons(first) == buttons(again)


def test_all_buttons_of_one_message_share_one_key_so_that_only_the_first_press_counts() -> None:
    played = Chat(script(SIZES)).say("/size")
    more, small, large = (Action(press=button.press) for button in buttons(played))
    assert small.key("u1") == large.key("u1")
    assert len({more.key("u1"), small.key("u1"), small.key("u2")}) == 3


def test_links_and_requests_have_a_press_too_and_cannot_be_chosen() -> None:
    chat = Chat(script(SHOWN))
    (reply,) = chat.say("/shown").outcome.replies
    assert all(button.press for button in reply.buttons)
    assert [button.id for button in reply.choices] == ["order", "done"]
    assert [button.id for button in chat.states[ANNA.id].offered] == ["order", "done"]


# --- on the way in -------------------------------------------------------------------------------------------


def test_a_press_answers_with_its_buttons_id_and_value() -> None:
    chat = Chat(script(SIZES))
    played = chat.take(pressed(named(chat.say("/size"), "large")))
    assert (played.texts, played.outcome.turn[0].content) == (["large it is."], "large")


def test_a_press_of_an_earlier_reply_of_the_same_turn_counts_too() -> None:
    chat = Chat(script(SIZES))
    shown = chat.say("/size")
    played = chat.take(pressed(named(shown, "More")), results=[answer("More of it.")])
    assert played.asked[0].question == "tell me more"
    assert played.texts == ["More of it.", "Which size?"]


def test_a_press_starts_the_flow_of_its_button() -> None:
    chat = Chat(script(HELLO))
    assert chat.take(pressed(named(chat.say("/help"), "Hello"))).texts == ["Hello there."]


def test_a_press_without_a_label_in_the_value_is_heard_as_its_label() -> None:
    chat = Chat(script(SHOWN))
    played = chat.take(pressed(named(chat.say("/shown"), "Done")), results=[answer("Bye.")])
    assert played.outcome.turn[0].content == played.asked[0].question == "Done"


def _stale(chat: Chat) -> Message:
    first = named(chat.say("/size"), "large")
    chat.say("cancel")
    chat.say("/size")
    return pressed(first)


def _of_another(chat: Chat) -> Message:
    press = named(chat.say("/size"), "large")
    chat.say("/size", user=BEN)
    return pressed(press, user=BEN)


def _invented(chat: Chat) -> Message:
    press = named(chat.say("/size"), "large")
    return pressed(f"{press}7")


@pytest.mark.parametrize("way", [_stale, _of_another, _invented])
def test_a_press_that_is_not_open_is_refused_and_the_open_question_asked_again(way: object) -> None:
    chat = Chat(script(SIZES))
    played = chat.take(way(chat))  # type: ignore[operator]
    assert played.texts == [said("choice_closed"), "Which size?"]
    assert [reply.private for reply in played.outcome.replies] == [False, False]
    assert "no longer open" in played.outcome.turn[0].content
    assert played.outcome.handoff is None and played.effects == ()


def test_the_question_that_is_asked_again_can_be_pressed() -> None:
    chat = Chat(script(SIZES))
    again = chat.take(_stale(chat))
    assert chat.take(pressed(named(again, "small"))).texts == ["small it is."]


def test_a_button_that_was_pressed_before_is_closed_and_the_answer_stands() -> None:
    chat = Chat(script(SIZES))
    press = named(chat.say("/size"), "large")
    chat.take(pressed(press))
    assert chat.take(pressed(press)).texts == [said("choice_closed")]


def test_a_press_that_is_not_open_closes_nothing_that_is() -> None:
    chat = Chat(script(HELLO))
    old, new = (named(chat.say("/help"), "Hello") for _ in range(2))
    assert chat.take(pressed(old)).texts == [said("choice_closed")]
    assert chat.take(pressed(new)).texts == ["Hello there."]


def test_whoever_presses_what_is_not_theirs_in_a_shared_place_is_told_alone() -> None:
    chat = Chat(script(SIZES))
    press = named(chat.say("/size"), "large")
    played = chat.take(pressed(press, user=BEN, shared=True))
    (reply,) = played.outcome.replies
    assert (reply.text, reply.private) == (said("choice_closed"), True)
    assert chat.in_flow(ANNA) and chat.take(pressed(press)).texts == ["large it is."]


def test_a_press_while_a_human_has_the_conversation_is_only_heard() -> None:
    chat = Chat(script(SIZES))
    press = named(chat.say("/size"), "large")
    chat.say("/human")
    played = chat.take(pressed(press))
    assert (played.texts, played.outcome.handoff) == ([], None)


def test_buttons_stay_open_over_a_silent_event() -> None:
    chat = Chat(script(SIZES))
    press = named(chat.say("/size"), "large")
    chat.take(event("page.viewed"))
    assert chat.take(pressed(press)).texts == ["large it is."]


# --- what is typed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["2", " LARGE ", "large"])
def test_a_typed_label_or_number_presses_a_button_of_the_last_message(typed: str) -> None:
    chat = Chat(script(SIZES))
    chat.say("/size")
    assert chat.say(typed).texts == ["large it is."]


def test_a_typed_label_of_an_earlier_message_presses_nothing() -> None:
    chat = Chat(script(SIZES))
    chat.say("/size")
    played = chat.say("More", results=[answer("Of what?")])
    assert played.asked[0].question == "More", "it is words, not the button's value"


@pytest.mark.parametrize(
    ("typed", "meant"), [("1", "My order"), ("2", "Done"), ("3", "3"), ("our page", "our page")]
)
def test_links_and_requests_take_no_number(typed: str, meant: str) -> None:
    chat = Chat(script(SHOWN))
    chat.say("/shown")
    assert chat.say(typed, results=[answer("Fine.")]).asked[0].question == meant


def test_a_later_message_without_buttons_takes_no_number_but_its_turns_buttons_can_be_pressed() -> None:
    flow = SHOWN + "  - say: That is all.\n"
    chat = Chat(script(flow))
    press = named(chat.say("/shown"), "Done")
    twin = Chat(script(flow))
    twin.say("/shown")
    assert chat.take(pressed(press), results=[answer("Bye.")]).asked[0].question == "Done"
    assert twin.say("2", results=[answer("Two?")]).asked[0].question == "2"


# --- for whose eyes ------------------------------------------------------------------------------------------

ORDER = """
flow: order
description: Tells of an order.
start: [{command: /order}]
steps:
  - call: find_order
    into: order
  - say: It is {{ order.name }}.
"""
FOUND = ToolResult("{}", {"name": "lamp"})


@pytest.mark.parametrize(
    ("shared", "public", "private"), [(True, False, True), (True, True, False), (False, False, False)]
)
@pytest.mark.parametrize("by", ["flow", "model"])
def test_what_was_looked_up_for_one_customer_is_shown_in_a_shared_place_to_them_alone(
    by: str, shared: bool, public: bool, private: bool
) -> None:
    chat = Chat(script(ORDER, terms={FIND_ORDER.name: ToolTerms(public=public)}))
    if by == "flow":
        played = chat.take(message("/order", shared=shared), results=[FOUND])
    else:
        looked = [answer("", call("find_order")), FOUND, answer("It is lamp.")]
        played = chat.take(message("what is it?", shared=shared), results=looked)
    assert played.texts == ["It is lamp."]
    assert [reply.private for reply in played.outcome.replies] == [private]


def test_a_reply_in_a_shared_place_without_any_look_up_is_for_all() -> None:
    played = Chat(script()).take(message("hi", shared=True), results=[answer("Hi all.")])
    assert [reply.private for reply in played.outcome.replies] == [False]


def test_words_beside_a_decision_are_private_too_once_something_was_looked_up() -> None:
    results = [
        answer("", call("find_order")),
        FOUND,
        answer("Your lamp is late.", call("hand_over", '{"reason": "late"}')),
    ]
    played = Chat(script()).take(message("where is it?", shared=True), results=results)
    assert played.texts == ["Your lamp is late.", said("handoff_told")]
    assert [reply.private for reply in played.outcome.replies] == [True, True]
