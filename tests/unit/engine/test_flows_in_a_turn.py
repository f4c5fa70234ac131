"""Flows as part of a turn: started, answered, left and resumed, with a model and without."""

from __future__ import annotations

import pytest
from turning import ANNA, BEN, DOWN, NO_HITS, Chat, answer, call, message, press, said, script

from supportbot.engine import Moment
from supportbot.engine.draft import Draft
from supportbot.engine.turn import apply, batch
from supportbot.types import AskModel, CallTool, Correct, Hit, SearchResult, ToolResult, User

RETURN = """
flow: send_back
description: Sends something back.
start: [{phrases: [send it back]}, {button: send_back}, {pattern: 'return (?P<order_number>A-\\d{5})'}]
steps:
  - ask: order_number
    question: Which order?
    pattern: 'A-\\d{5}'
    invalid: That is no order number.
  - call: find_order
    with: {id: "{{ order_number }}"}
    into: order
  - ask: reason
    question: Why?
    choices: [broken, too small]
  - say: Order {{ order.name }} comes back because it is {{ reason }}.
"""
OTHER = """
flow: hours
description: Opening hours.
start: [{phrases: [opening hours]}]
steps: [{say: Nine to five.}]
"""
FOUND = ToolResult("{}", {"name": "lamp"})


def in_flow(*more: str, **changes: object) -> Chat:
    chat = Chat(script(RETURN, *more, **changes))
    assert chat.say("I want to send it back").texts == ["Which order?"]
    return chat


def test_a_flow_is_walked_from_its_phrase_to_its_end_without_a_model() -> None:
    chat = in_flow(has_model=False)
    second = chat.say("A-10002", results=[FOUND])
    (effect,) = second.effects
    assert isinstance(effect, CallTool)
    assert (effect.name, effect.arguments, effect.user) == ("find_order", {"id": "A-10002"}, ANNA)
    assert second.texts == ["Why?"]
    assert [button.label for button in second.outcome.replies[0].buttons] == ["broken", "too small"]
    assert chat.say("2").texts == ["Order lamp comes back because it is too small."]
    assert not chat.in_flow(ANNA)


def test_a_pattern_or_a_button_starts_it_too() -> None:
    assert Chat(script(RETURN)).take(press("send_back")).texts == ["Which order?"]
    assert Chat(script(RETURN)).say("return A-10002", results=[FOUND]).texts == ["Why?"]


def test_the_model_may_start_it() -> None:
    played = Chat(script(RETURN)).say("hm", results=[answer("", call("start_flow", '{"flow": "send_back"}'))])
    assert played.texts == ["Which order?"]
    assert played.outcome.states[ANNA.id].frames[0].flow == "send_back"


def test_a_digression_is_answered_by_the_model_and_the_question_asked_again() -> None:
    chat = in_flow()
    played = chat.say("is it raining?", results=[answer("I cannot see outside.")])
    assert played.texts == ["I cannot see outside.", "Which order?"]
    (asked,) = played.asked
    assert "was asked for 'order_number'" in " ".join(one.content for one in asked.messages)
    assert chat.say("A-10002", results=[FOUND]).texts == ["Why?"]


def test_a_digression_without_a_model_is_answered_from_the_articles() -> None:
    chat = in_flow(has_model=False, has_articles=True)
    hits = SearchResult((Hit("d.md", "D", "Two days.", 0.9),))
    assert chat.say("how long?", results=[hits, answer("Two days.")]).texts == ["Two days.", "Which order?"]
    assert chat.say("how long?", results=[NO_HITS]).texts == ["That is no order number."]
    assert chat.say("no idea").texts == ["That is no order number."]


def test_while_the_model_is_down_a_flow_still_says_what_answer_it_needs() -> None:
    played = in_flow().say("A-1", results=[DOWN])
    assert (played.texts, played.outcome.handoff) == (["That is no order number."], None)


def test_while_the_model_is_down_a_question_inside_a_flow_gets_its_extract() -> None:
    chat = in_flow(has_articles=True)
    hits = SearchResult((Hit("d.md", "D", "Two days.", 0.9),))
    assert chat.say("how long?", results=[hits, DOWN, answer("Two days.")]).texts == ["Two days.", "Which order?"]
    assert chat.say("A-1", results=[hits, DOWN]).texts == ["That is no order number."]


def test_the_model_may_read_the_answer_out_of_the_customers_words() -> None:
    chat = in_flow()
    reads = answer("", call("answer_question", '{"value": "A-10002"}'))
    assert chat.say("the second one, ten thousand two", results=[reads, FOUND]).texts == ["Why?"]


def test_an_answer_read_by_the_model_is_checked_like_any_other() -> None:
    reads = answer("", call("answer_question", '{"value": "lamp"}'))
    played = in_flow().say("the lamp", results=[reads])
    assert (played.texts, [type(effect) for effect in played.effects]) == (
        ["That is no order number."],
        [AskModel],
    )


@pytest.mark.parametrize("way", ["word", "slash", "button", "model"])
def test_a_flow_can_be_cancelled(way: str) -> None:
    chat = in_flow()
    if way == "button":
        played = chat.take(press("cancel"))
    elif way == "model":
        played = chat.say("I do not want this", results=[answer("", call("cancel_flow"))])
    else:
        played = chat.say("cancel" if way == "word" else "/cancel")
    assert played.texts == [said("cancelled")]
    assert not chat.in_flow(ANNA)


def test_help_inside_a_flow_is_given_and_the_question_asked_again() -> None:
    played = in_flow().say("help")
    assert played.texts == [said("help", bot="Acme"), "Which order?"]
    assert [button.id for button in played.outcome.replies[0].buttons] == ["send_back"]


def test_another_flow_may_come_between() -> None:
    chat = in_flow(OTHER)
    assert chat.say("opening hours").texts == ["Nine to five.", "Which order?"]
    assert chat.say("A-10002", results=[FOUND]).texts == ["Why?"]


def test_a_correction_changes_the_slot_and_the_open_question_stays() -> None:
    chat = in_flow()
    chat.say("A-10002", results=[FOUND])
    words = message("no, A-10003")
    start = chat.start(words)
    draft = Draft(start, batch(start.pending), chat.bot, Moment(chat.now, "h"))
    assert list(apply(draft, Correct("order_number", "A-10003"), words)) == []
    assert [reply.text for reply in draft.replies] == ["Why?"]
    assert draft.state.slots["order_number"] == "A-10003"


def test_a_flow_that_was_removed_meanwhile_is_told_and_left() -> None:
    chat = in_flow()
    chat.bot = script()
    assert chat.say("A-10002").texts == [said("flow_changed")]
    assert chat.say("A-10002", results=[answer("Hm?")]).texts == ["Hm?"]


def test_a_flow_that_was_edited_meanwhile_goes_on_at_the_question_that_was_asked() -> None:
    chat = in_flow()
    chat.bot = script(RETURN.replace("steps:", "steps:\n  - say: New."))
    assert chat.say("A-10002", results=[FOUND]).texts == ["Why?"]


def test_a_flow_whose_question_is_gone_hands_over_because_it_calls_a_tool() -> None:
    chat = in_flow()
    chat.bot = script(RETURN.replace("ask: order_number", "ask: number").replace("order_number }}", "number }}"))
    played = chat.say("A-10002")
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "flow"


@pytest.mark.parametrize("mode", ["handoff", "notice"])
def test_an_overdue_message_inside_a_flow_gets_the_honest_words_and_no_step_runs(mode: str) -> None:
    chat = in_flow(overdue=mode)
    played = chat.say("A-10002", overdue=True)
    assert played.effects == ()
    assert played.texts == [said("overdue_handoff" if mode == "handoff" else "overdue")]
    assert bool(chat.in_flow(ANNA)) == (mode == "notice")


def test_a_tool_that_fails_in_a_flow_goes_to_a_human_with_what_was_gathered() -> None:
    played = in_flow().say("A-10002", results=[ToolResult("The shop is closed.", error="failed")])
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "tool_failed"
    ((_, data),) = played.outcome.events
    assert data["slots"] == {"order_number": "A-10002"}


def test_an_unknown_outcome_in_a_flow_goes_to_a_human() -> None:
    played = in_flow().say("A-10002", results=[ToolResult("?", error="unknown_outcome")])
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "unknown_outcome"
    assert played.texts == [said("handoff_told")]


def test_what_is_sensitive_is_not_shown_to_others() -> None:
    flow = """
flow: verify
description: Verifies.
start: [{command: /verify}]
steps:
  - {ask: pin, question: Your PIN., sensitive: true}
  - {ask: name, question: Your name.}
  - handoff: Check this.
"""
    chat = Chat(script(flow))
    chat.say("/verify")
    chat.say("1234")
    played = chat.say("Anna")
    assert played.outcome.events[0][1]["slots"] == {"name": "Anna"}
    assert "1234" not in str(played.outcome.trace)


SILENT = ["steps: [{set: {seen: yes}}]", 'steps: [{say: "{{ user.name }}"}]']


@pytest.mark.parametrize("steps", SILENT)
def test_a_flow_that_ends_without_a_word_to_the_customer_goes_to_a_human(steps: str) -> None:
    flow = f"flow: quiet\ndescription: Says nothing.\nstart: [{{phrases: [be quiet]}}]\n{steps}\n"
    played = Chat(script(flow)).say("be quiet", user=User("u-nameless"))
    assert played.texts == [said("handoff_told")]
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "error"


def test_a_bounded_reply_falls_back_to_its_own_way_when_the_model_fails() -> None:
    flow = """
flow: explain
description: Explains.
start: [{command: /explain}]
steps:
  - model: {instruction: Explain why., otherwise: [{say: It is a rule.}]}
"""
    assert Chat(script(flow)).say("/explain", results=[answer("Because.")]).texts == ["Because."]
    assert Chat(script(flow)).say("/explain", results=[DOWN]).texts == ["It is a rule."]
    assert Chat(script(flow, has_model=False)).say("/explain").texts == ["It is a rule."]


def test_two_people_in_one_place_each_answer_their_own_question() -> None:
    chat = in_flow()
    chat.say("I want to send it back", user=BEN)
    chat.say("A-10007", user=BEN, results=[FOUND])
    assert chat.states[BEN.id].slots["order_number"] == "A-10007"
    assert "order_number" not in chat.states[ANNA.id].slots


def test_the_model_is_shown_only_the_authors_slots() -> None:
    chat = in_flow()
    chat.say("A-10002", results=[FOUND])
    played = chat.say("what do you know of me?", user=BEN, results=[answer("Nothing.")])
    (asked,) = played.asked
    stated = [one.content for one in asked.messages if one.role == "system"]
    assert "A-10002" not in " ".join(stated)
