"""Which of the pending rows make one turn."""

from __future__ import annotations

import pytest
from turning import ANNA, BEN, Chat, answer, event, human, message, press, script, timer

from supportbot.engine import CEILING, batch
from supportbot.types import Inbound, Message

A, B = message("one", user=ANNA), message("two", user=BEN)
CASES: dict[str, tuple[list[Message], bool, int]] = {
    "one message": ([A], False, 1),
    "a burst of one author": ([A, A, A], False, 3),
    "another author begins a turn of their own": ([A, A, B, A], False, 2),
    "a button is a turn of its own": ([press("x"), A], False, 1),
    "words before a button": ([A, press("x")], False, 1),
    "a slash command is a turn of its own": ([message("/help"), A], False, 1),
    "words before a slash command": ([A, message("/human"), A], False, 1),
    "an event is a turn of its own": ([event("started"), A], False, 1),
    "a human's act is a turn of its own": ([human("handoff.claimed"), human("human.message", "hi")], False, 1),
    "a timer is a turn of its own": ([timer(CEILING, "h"), A], False, 1),
    "everyone: all that customers sent": ([A, B, press("x"), event("e"), message("/help")], True, 5),
    "everyone: until a human acts": ([A, B, human("handoff.claimed"), A], True, 2),
    "everyone: a timer stays alone": ([timer(CEILING, "h"), A], True, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_the_leading_rows_that_belong_together_make_one_turn(name: str) -> None:
    messages, everyone, size = CASES[name]
    rows = tuple(Inbound(at, one, 0.0) for at, one in enumerate(messages, 1))
    assert batch(rows, everyone=everyone) == rows[:size]


def test_only_the_rows_of_the_turn_are_consumed() -> None:
    chat = Chat(script())
    played = chat.take(A, B, results=[answer("Hello Anna.")])
    assert played.outcome.consumed == (1,)


def test_a_burst_is_one_question_to_the_model() -> None:
    chat = Chat(script())
    played = chat.say("hello", "my lamp", "is broken", results=[answer("Oh no.")])
    (asked,) = played.asked
    users = [one.content for one in asked.messages if one.role == "user"]
    assert users == ["hello", "my lamp", "is broken"]
    assert asked.question == "hello\nmy lamp\nis broken"
    assert (played.texts, played.outcome.consumed) == (["Oh no."], (1, 2, 3))
