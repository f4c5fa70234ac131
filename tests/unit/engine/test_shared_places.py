"""Where others read along: what was found for one customer reaches nobody else, in no later turn and by no way."""

from __future__ import annotations

from turning import BEN, FIND_ORDER, Chat, answer, call, human, message, script

from supportbot.history import Limits
from supportbot.types import Action, ModelRequest, ToolResult, ToolTerms

FOUND = ToolResult("a red lamp, to Anna, Torstraße 1", {"name": "lamp"})
TRACK = (
    "flow: track\ndescription: Tracks.\nstart: [{command: /track}]\n"
    "steps: [{call: find_order, into: order}, {ask: size, question: 'Which size?'}, {say: 'A {{ order.name }}.'}]\n"
)
TEST = """
flow: test
description: Orders again.
start: [{command: /test}, {button: again}]
steps:
  - call: find_order
    into: order
  - say: {text: "Well?", buttons: [{label: "Order the {{ order.name }} again", id: help, value: "the {{ order.name }}"}]}
"""


def looked_up(chat: Chat) -> None:
    """Anna's order is looked up in a place that Ben reads too."""
    results = [answer("", call("find_order")), FOUND, answer("Your red lamp is on its way.")]
    played = chat.take(message("where is my order?", shared=True), results=results)
    assert [reply.private for reply in played.outcome.replies] == [True]


def read(request: ModelRequest) -> str:
    return " ".join(one.content for one in request.messages)


def test_the_model_is_not_shown_one_customers_results_when_it_answers_another() -> None:
    chat = Chat(script())
    looked_up(chat)
    (asked,) = chat.take(message("and hers?", user=BEN, shared=True), results=[answer("I cannot say.")]).asked
    assert "lamp" not in read(asked) and "Torstraße" not in read(asked)
    assert "where is my order?" in read(asked), "what she wrote herself stands there for all"
    assert not any(one.tool_calls or one.role == "tool" for one in asked.messages)


def test_what_is_said_to_another_in_the_same_place_is_for_all() -> None:
    chat = Chat(script())
    looked_up(chat)
    played = chat.take(message("and you?", user=BEN, shared=True), results=[answer("Hello Ben.")])
    assert [reply.private for reply in played.outcome.replies] == [False]


def test_the_customer_herself_goes_on_from_what_was_found_and_alone() -> None:
    chat = Chat(script())
    looked_up(chat)
    played = chat.take(message("what colour was it?", shared=True), results=[answer("Red.")])
    assert "red lamp" in read(played.asked[0])
    assert [reply.private for reply in played.outcome.replies] == [True]


def test_a_flow_that_asks_after_a_look_up_goes_on_alone_with_the_customer() -> None:
    chat = Chat(script(TRACK))
    first = chat.take(message("/track", shared=True), results=[FOUND])
    then = chat.take(message("large", shared=True))
    assert then.texts == ["A lamp."]
    assert [reply.private for reply in (*first.outcome.replies, *then.outcome.replies)] == [True, True]


def test_it_stays_so_over_a_handoff_and_back() -> None:
    chat = Chat(script())
    looked_up(chat)
    chat.take(message("/human", shared=True))
    assert chat.handoff is not None
    chat.handoff = None
    played = chat.take(message("colour?", shared=True), results=[answer("Red.")])
    assert [reply.private for reply in played.outcome.replies] == [True]


def test_what_only_one_may_read_is_in_no_summary() -> None:
    chat = Chat(script(limits=Limits(max_tokens=120, keep_tokens=60)))
    looked_up(chat)
    for number in range(8):
        words = f"number {number} " + "is a long story of many words " * 3
        chat.take(message(words, user=BEN, shared=True), results=[answer("Aha.")])
    assert chat.conversation.cut > 0
    assert "lamp" not in chat.conversation.summary and "Torstraße" not in chat.conversation.summary


def test_in_a_direct_message_nothing_is_kept_back() -> None:
    chat = Chat(script())
    results = [answer("", call("find_order")), FOUND, answer("Your red lamp is on its way.")]
    chat.take(message("where?"), results=results)
    assert all(one.only == "" for one in chat.turns[0].messages)
    assert any(one.role == "tool" for one in chat.turns[0].messages)


def test_after_a_public_look_up_everyone_may_read() -> None:
    chat = Chat(script(terms={FIND_ORDER.name: ToolTerms(public=True)}))
    results = [answer("", call("find_order")), FOUND, answer("A red lamp.")]
    chat.take(message("what lamps?", shared=True), results=results)
    (asked,) = chat.take(message("and?", user=BEN, shared=True), results=[answer("Red.")]).asked
    assert "red lamp" in read(asked)


def test_what_a_human_says_to_a_customer_who_was_answered_alone_is_for_them_alone() -> None:
    chat = Chat(script())
    looked_up(chat)
    chat.take(message("/human", shared=True))
    said = chat.take(human("human.message", "Your lamp goes to Torstraße 1."))
    back = chat.take(human("handoff.returned"))
    assert [reply.private for reply in (*said.outcome.replies, *back.outcome.replies)] == [True, True]
    (asked,) = chat.take(message("and?", user=BEN, shared=True), results=[answer("Hello.")]).asked
    assert "Torstraße" not in read(asked) and "Hand-back" not in read(asked)


def test_what_a_human_says_where_nothing_was_private_is_for_all() -> None:
    chat = Chat(script())
    chat.take(message("/human", shared=True))
    said = chat.take(human("human.message", "We open at ten."))
    assert [reply.private for reply in said.outcome.replies] == [False]


def test_what_stands_on_a_private_button_is_told_to_nobody_else() -> None:
    chat = Chat(script(TEST))
    offered = chat.take(message("/test", shared=True), results=[FOUND]).outcome.replies[-1]
    (button,) = offered.buttons
    pressing = message(kind="action", action=Action(press=button.press), shared=True)
    chat.take(pressing)
    (asked,) = chat.take(message("and?", user=BEN, shared=True), results=[answer("Hello.")]).asked
    assert button.label == "Order the lamp again" and "lamp" not in read(asked)
