"""Flows that are edited or removed while a customer stands in them."""

from __future__ import annotations

import pytest
from helping import Walk, book

from supportbot.dialogue import waiting
from supportbot.types import FlowState

BEFORE = "[{say: Hi.}, {ask: a, question: 'A?'}, {ask: b, question: 'B?'}, {say: '{{ a }}{{ b }}'}]"


def at_b(source: str = BEFORE) -> Walk:
    walk = Walk(book(source))
    walk.start()
    walk.say("1")
    return walk


@pytest.mark.parametrize(
    "after",
    [
        "[{ask: b, question: 'New B?'}, {say: '{{ a }}{{ b }}'}]",
        "[{say: x}, {say: y}, {if: a, then: [{ask: b, question: 'New B?'}]}, {say: '{{ a }}{{ b }}'}]",
        "[{call: pay}, {ask: b, question: 'New B?'}, {say: '{{ a }}{{ b }}'}]",
    ],
)
def test_the_question_is_found_again_wherever_it_went(after: str) -> None:
    walk = at_b()
    walk.flows = book(after)
    asked = waiting(walk.state, walk.flows)
    assert asked is not None and asked.slot == "b"
    assert walk.say("2") == ["12"]


def test_a_flow_without_the_question_begins_again_and_keeps_what_is_known() -> None:
    walk = at_b()
    walk.flows = book("[{say: New.}, {ask: a, question: 'A?'}, {ask: c, question: 'C?'}]")
    assert waiting(walk.state, walk.flows) is None
    assert walk.say("2") == ["New.", "C?"]


@pytest.mark.parametrize("call", ["{call: pay}", "{flow: inner}"])
def test_a_flow_that_calls_a_tool_is_not_begun_again(call: str) -> None:
    walk = at_b()
    walk.flows = book(f"[{call}, {{ask: c, question: 'C?'}}]", "{flow: inner, steps: [{call: pay}]}")
    walk.say("2")
    assert walk.handoff == "flow"
    assert walk.needs == []


def test_two_questions_for_the_slot_leave_the_place_unclear() -> None:
    walk = at_b()
    walk.flows = book("[{ask: b, question: 'B1?'}, {call: pay}, {ask: b, question: 'B2?', again: true}]")
    walk.say("2")
    assert walk.handoff == "flow"


def test_a_removed_flow_is_told_and_nothing_else_happens() -> None:
    walk = at_b()
    walk.flows = book("{flow: other, steps: [{call: pay}]}")
    assert waiting(walk.state, walk.flows) is None
    assert walk.say("2") == ["Changed."]
    assert walk.state == FlowState()
    assert walk.needs == []


def test_a_removed_sub_flow_takes_its_caller_along_but_not_an_interrupted_flow() -> None:
    first = "{flow: first, steps: [{ask: x, question: 'X?'}]}"
    inner = "{flow: inner, steps: [{ask: y, question: 'Y?'}]}"
    outer = "{flow: outer, steps: [{flow: inner}, {call: pay}]}"
    walk = Walk(book(first, inner, outer))
    walk.start("first")
    walk.start("outer")
    walk.flows = book(first, outer)
    assert walk.say("1") == ["Changed.", "X?"]
    assert [frame.flow for frame in walk.state.frames] == ["first"]
    assert walk.needs == []


def test_an_edited_caller_goes_on_behind_its_sub_flow() -> None:
    inner = "{flow: inner, steps: [{ask: y, question: 'Y?'}]}"
    walk = Walk(book("[{flow: inner}, {say: End.}]", inner))
    walk.start()
    walk.flows = book("[{say: New.}, {flow: inner}, {say: New end.}]", inner)
    assert walk.say("1") == ["New end."]
