"""Which turns leave the customer's question open."""

from __future__ import annotations

import pytest
from turning import DOWN, NO_HITS, Chat, Played, answer, call, human, press, script

from supportbot.engine.terms import HandoffTerms
from supportbot.types import Hit, Message, ModelAnswer, SearchResult, ToolResult

FOUND = SearchResult((Hit("returns.md", "Returns", "Within 30 days.", 0.8),))
ASKING = """
flow: order_status
description: Tells where an order is.
start: [{phrases: [where is my order]}]
steps:
  - ask: order_number
    pattern: "[A-Z]-\\\\d+"
    tries: 9
    question: Which order?
  - say: On its way.
"""


def chat(*flows: str, has_model: bool = True, **more: object) -> Chat:
    return Chat(script(*flows, has_model=has_model, has_articles=True, **more))


def is_open(played: Played) -> bool:
    return played.outcome.unanswered


def test_a_question_that_a_model_answers_out_of_nothing_is_still_open() -> None:
    assert is_open(chat().say("Do you ship to Mars?", results=[NO_HITS, answer("I am not sure.")]))


def test_a_question_that_an_article_answers_is_not_open() -> None:
    assert not is_open(chat().say("Can I return it?", results=[FOUND, answer("Within 30 days.")]))


def test_a_question_that_a_tool_answers_is_not_open() -> None:
    results = [NO_HITS, answer("", call("find_order")), ToolResult("sent"), answer("It is on its way.")]
    assert not is_open(chat().say("Where is A-1?", results=results))


@pytest.mark.parametrize("words", ["Hello there", "thanks a lot", "I moved to Mars"])
def test_words_that_ask_nothing_leave_nothing_open(words: str) -> None:
    assert not is_open(chat().say(words, results=[NO_HITS, answer("Hello!")]))


@pytest.mark.parametrize("words", ["هل تشحنون إلى المريخ؟", "火星に届きますか？"])
def test_a_question_is_one_in_any_writing(words: str) -> None:
    assert is_open(chat().say(words, results=[NO_HITS, answer("…")]))


def test_a_bot_without_articles_judges_no_answer_by_them() -> None:
    assert not is_open(Chat(script()).say("What is your name?", results=[answer("Mia.")]))


def test_what_nothing_answers_without_a_model_is_open_with_and_without_a_question_mark() -> None:
    played = chat(has_model=False).say("shipping to mars", results=[NO_HITS])
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "no_answer"
    assert is_open(played)


@pytest.mark.parametrize(("arguments", "left_open"), [("{}", True), ('{"requested": true}', False)])
def test_a_model_that_hands_over_of_itself_had_no_answer_and_one_that_was_asked_to_is_no_sign(
    arguments: str, left_open: bool
) -> None:
    played = chat().say(
        "Can somebody come to my home?", results=[NO_HITS, answer("", call("hand_over", arguments))]
    )
    assert played.outcome.handoff is not None
    assert is_open(played) is left_open


def test_a_model_that_fails_says_nothing_about_the_question() -> None:
    played = chat().say("Do you ship to Mars?", results=[NO_HITS, DOWN])
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "model_failed"
    assert not is_open(played)


def test_asking_for_a_human_leaves_no_question_open() -> None:
    assert not is_open(chat().say("Can I talk to a human?"))


def test_a_flow_that_cannot_read_a_question_leaves_it_open_and_a_mistyped_answer_does_not() -> None:
    talk = chat(ASKING, has_model=False)
    talk.say("where is my order")
    assert is_open(talk.say("what is an order number?", results=[NO_HITS]))
    assert not is_open(talk.say("12345"))
    assert not is_open(talk.say("A-10002"))


def test_a_question_beside_a_flow_that_an_article_answers_is_not_open() -> None:
    talk = chat(ASKING, has_model=False)
    talk.say("where is my order")
    extract = ModelAnswer("Within 30 days.", (), "offline", sources=("returns.md",))
    assert not is_open(talk.say("can I return it?", results=[FOUND, extract]))


def test_what_a_customer_asks_a_human_and_what_a_human_writes_is_not_the_bots_to_answer() -> None:
    talk = chat()
    talk.say("/human")
    assert not is_open(talk.say("Are you there?"))
    assert not is_open(talk.take(human("human.message", "Do you ship to Mars? Yes we do.")))


def test_a_pressed_button_asks_nothing() -> None:
    pressed: Message = press("")
    assert not is_open(chat().take(pressed))


def test_an_opened_handoff_that_comes_back_is_not_counted_again() -> None:
    talk = chat(has_model=False, handoff=HandoffTerms(reopen=3600.0))
    assert is_open(talk.say("shipping to mars", results=[NO_HITS]))
    talk.take(human("handoff.claimed"))
    talk.take(human("handoff.resolved", "Yes, we do."))
    again = talk.say("It did not arrive after all.", results=[NO_HITS])
    assert again.outcome.handoff is not None and again.outcome.handoff.reopened == 1
    assert not is_open(again)
