"""Whatever arrives and whatever fails, a customer's turn ends with a reply or with a human."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from turning import AGENT, ANNA, BEN, NOW, Chat, drive, event, human, message, play, press, script, timer

from supportbot import history
from supportbot.engine import CEILING, DEADLINE, Moment
from supportbot.history import Limits
from supportbot.types import (
    AskModel,
    Attachment,
    CallTool,
    Effect,
    Hit,
    ModelAnswer,
    ModelFailed,
    Outcome,
    Result,
    SearchResult,
    ToolCall,
    ToolResult,
    TurnInput,
)

FLOWS = (
    """
flow: send_back
description: Sends something back.
start: [{phrases: [send it back]}, {button: send_back}, {event: order.late}]
steps:
  - ask: order_number
    question: Which order?
    pattern: 'A-\\d{5}'
  - call: find_order
    with: {id: "{{ order_number }}"}
    into: order
    otherwise: [{say: "It failed: {{ error }}"}, {goto: why}]
  - {name: why, ask: reason, question: The reason., choices: [broken, too small]}
  - model: {instruction: Read it., into: {mood: {type: choice, choices: [good, bad]}}}
  - if: mood == "bad"
    then: [{handoff: {reason: Unhappy., say: A colleague comes.}}]
  - {flow: quiet}
  - model: Say goodbye.
""",
    "flow: quiet\ndescription: Says nothing.\nstart: [{phrases: [be quiet]}]\nsteps: [{set: {seen: yes}}]\n",
    "flow: broken\ndescription: Fails.\nstart: [{command: /broken}]\nsteps: [{say: '{{ nope.nope }}'}]\n",
)
NAMES = ["find_order", "hand_over", "start_flow", "cancel_flow", "answer_question", "nonsense", ""]
ARGUMENTS = [
    "",
    "{",
    "[]",
    '{"flow": "send_back"}',
    '{"flow": "quiet"}',
    '{"flow": 7}',
    '{"value": "A-10002"}',
    '{"value": null}',
    '{"reason": "why", "requested": true}',
]
WORDS = [
    *(
        "",
        " ",
        "hello",
        "A-10002",
        "broken",
        "2",
        "cancel",
        "help",
        "human please",
        "talk to a human",
        "?",
        "è\u0301",
    ),
    *("send it back", "be quiet", "/broken", "/human", "/cancel", "/help", "/start", "/nope", "x " * 9000),
]

texts = st.sampled_from(WORDS) | st.text(max_size=40)
users = st.sampled_from([ANNA, ANNA, BEN])
customers = st.one_of(
    st.builds(lambda words, user: message(words, user=user), texts, users),
    st.builds(lambda words: message(words, attachments=(Attachment("a.png"),), locale="de"), texts),
    st.builds(press, st.sampled_from(["send_back", "cancel", "human", "nope", "order_number"]), texts, user=users),
)
others = st.one_of(
    st.builds(event, st.sampled_from(["order.late", "nothing"])),
    st.builds(timer, st.sampled_from([DEADLINE, CEILING, "odd"]), st.sampled_from(["h_1", "h_2", "old"])),
    st.builds(
        lambda kind, words: human(kind, words),
        st.sampled_from(["human.message", "handoff.claimed", "handoff.resolved", "handoff.returned"]),
        texts,
    ),
)
pending = st.lists(st.one_of(customers, customers, others), min_size=1, max_size=5)
calls = st.lists(
    st.builds(ToolCall, st.sampled_from(["c1", "c2", "c1"]), st.sampled_from(NAMES), st.sampled_from(ARGUMENTS)),
    max_size=3,
)
failures = st.sampled_from(["unavailable", "refused", "billing", "deadline", "empty", "filtered", "no_answer"])
answers = st.one_of(
    st.builds(
        ModelAnswer, texts | st.sampled_from(['{"mood": "bad"}', '{"mood": 1}']), calls.map(tuple), st.just("m")
    ),
    st.builds(ModelFailed, failures, st.just("It failed.")),
)
errors = ["", "", "unknown_tool", "bad_json", "bad_arguments", "failed", "timeout", "unknown_outcome"]
values = st.sampled_from([None, 1, "text", {"name": "lamp"}, [1, {"a": None}]])
tool_results = st.builds(ToolResult, texts, values, st.sampled_from(errors))
hits = st.lists(st.builds(Hit, st.just("a.md"), st.just("A"), texts, st.just(0.5)), max_size=2)


def some_result(effect: Effect, data: st.DataObject) -> Result:
    if isinstance(effect, AskModel):
        return data.draw(answers, "model")
    if isinstance(effect, CallTool):
        return data.draw(tool_results, "tool")
    return SearchResult(tuple(data.draw(hits, "search")))


def a_bot(data: st.DataObject) -> Any:
    return script(
        *FLOWS,
        has_model=data.draw(st.booleans(), "has model"),
        has_articles=data.draw(st.booleans(), "has articles"),
        overdue=data.draw(st.sampled_from(["handoff", "notice"]), "overdue"),
        limits=Limits(200, 100, data.draw(st.sampled_from(["extract", "model", "off"]))),
        max_calls=3,
    )


def answered(start: TurnInput, outcome: Outcome) -> bool:
    """Whether each customer in the turn has a reply or a human."""
    done = [row.message for row in start.pending if row.position in outcome.consumed]
    if not any(one.kind in ("message", "action") for one in done):
        return True
    handoff = outcome.handoff or start.handoff
    return bool(outcome.replies) or bool(handoff and handoff.open)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_conversation_of_anything_never_ends_a_customers_turn_in_silence(data: st.DataObject) -> None:
    chat = Chat(a_bot(data))
    for _ in range(data.draw(st.integers(1, 5), "turns")):
        start = chat.start(*data.draw(pending, "pending"))
        moment = Moment(
            chat.now,
            f"h_{start.lease.sequence}",
            attempt=data.draw(st.sampled_from([1, 1, 1, 4])),
            overdue=data.draw(st.sampled_from([False, False, False, True])),
            unsure=data.draw(st.sampled_from(["", "", "", "Something was started."])),
        )
        given_results: list[Result] = []

        def result(effect: Effect, kept: list[Result] = given_results) -> Result:
            kept.append(some_result(effect, data))
            return kept[-1]

        played = drive(start, chat.bot, moment, result)
        assert answered(start, played.outcome)
        assert all(reply.text.strip() or reply.buttons for reply in played.outcome.replies)
        assert played.outcome.consumed and set(played.outcome.consumed) <= {row.position for row in start.pending}
        assert history.sound(played.outcome.turn) == played.outcome.turn
        json.dumps([dict(step) for step in played.outcome.trace.steps])
        assert AGENT.id not in played.outcome.states
        again = play(start, chat.bot, moment, given_results)
        assert again == played, "the same input and results must give the same turn"
        chat.commit(start, played.outcome)


def test_the_same_input_and_results_give_equal_outcomes() -> None:
    chat = Chat(script(*FLOWS))
    start = chat.start(message("hello"))
    runs = {repr(play(start, chat.bot, Moment(NOW, "h_1"), [ModelAnswer("Hi.")])) for _ in range(3)}
    assert len(runs) == 1
    other = replace(start, pending=start.pending)
    assert play(other, chat.bot, Moment(NOW, "h_1"), [ModelAnswer("Hi.")]) == play(
        start, chat.bot, Moment(NOW, "h_1"), [ModelAnswer("Hi.")]
    )
