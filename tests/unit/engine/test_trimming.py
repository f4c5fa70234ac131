"""What of a long conversation the model still sees, and what becomes of the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from turning import DOWN, Chat, Played, answer, call, count_words, script

from supportbot.history import Limits
from supportbot.types import Result, ToolResult


def long_chat(summary: str) -> Chat:
    chat = Chat(script(limits=Limits(400, 240, summary)))  # type: ignore[arg-type]
    for number in range(4):
        chat.say(
            f"My order A-1000{number} has not come until today. " + "word " * 40,
            results=[answer("Noted. " + "fine " * 20)],
        )
    assert chat.conversation.cut == 0
    return chat


def shown(played: Played) -> str:
    asked = played.asked[-1]
    return "\n".join(one.content for one in asked.messages)


def test_a_cut_takes_the_oldest_turns_and_puts_an_extract_in_their_place() -> None:
    chat = long_chat("extract")
    played = chat.say("and now? " + "more " * 100, results=[answer("Now.")])
    assert played.outcome.cut == 2 and "trimmed" in played.steps
    assert played.outcome.summary and "A-10000" in played.outcome.summary
    assert "A-10000" in shown(played)
    assert [one.content[:16] for one in played.asked[-1].messages if one.role == "user"] == [
        "My order A-10002",
        "My order A-10003",
        "and now? more mo",
    ]
    assert count_words(played.outcome.summary) <= chat.bot.limits.summary_tokens


def test_without_a_summary_what_is_cut_is_gone_from_the_models_view() -> None:
    chat = long_chat("off")
    played = chat.say("and now? " + "more " * 100, results=[answer("Now.")])
    assert played.outcome.cut == 1 and played.outcome.summary is None
    assert "A-10000" not in shown(played)


def test_the_model_may_write_the_summary() -> None:
    chat = long_chat("model")
    played = chat.say("and now? " + "more " * 100, results=[answer("She has four orders."), answer("Now.")])
    assert [one.purpose for one in played.asked] == ["summary", "reply"]
    assert played.outcome.summary == "She has four orders."
    assert "She has four orders." in shown(played)


@pytest.mark.parametrize("failed", [DOWN, answer("")])
def test_a_summary_that_the_model_fails_at_is_extracted(failed: object) -> None:
    chat = long_chat("model")
    played = chat.say("and now? " + "more " * 100, results=[failed, answer("Now.")])  # type: ignore[list-item]
    assert played.outcome.summary and "A-10000" in played.outcome.summary


def test_a_summary_by_the_model_stays_within_its_room() -> None:
    chat = long_chat("model")
    played = chat.say("and now? " + "more " * 100, results=[answer("blah " * 5000), answer("Now.")])
    assert played.outcome.summary and count_words(played.outcome.summary) <= chat.bot.limits.summary_tokens


def test_between_two_cuts_nothing_is_cut_and_the_summary_stays() -> None:
    chat = long_chat("extract")
    chat.say("and now? " + "more " * 100, results=[answer("Now.")])
    before = chat.conversation.summary
    played = chat.say("thanks", results=[answer("Bye.")])
    assert (played.outcome.cut, played.outcome.summary, chat.conversation.summary) == (None, None, before)
    assert before.splitlines()[0] in shown(played)


def test_a_cut_never_parts_a_call_from_its_result() -> None:
    chat = Chat(script(limits=Limits(200, 100)))
    for number in range(8):
        results: list[Result] = [
            answer("", call("find_order", id=f"x{number}")),
            ToolResult("found " * 20),
            answer("Here."),
        ]
        played = chat.say("order? " + "word " * 10, results=results)
        asked = played.asked[-1]
        called = [one.id for message in asked.messages for one in message.tool_calls]
        returned = [message.tool_call_id for message in asked.messages if message.role == "tool"]
        assert called == returned
    assert chat.conversation.cut > 0


def test_the_summary_too_is_counted_as_the_script_counts() -> None:
    chat = Chat(script(count=lambda text: 100 * count_words(text), limits=Limits(600, 200)))
    chat.say("Hello", results=[answer("Yes.")])
    chat.conversation = replace(chat.conversation, summary="Customer: hm")
    assert chat.say("Hi", results=[answer("Yes.")]).outcome.cut is None
    chat.conversation = replace(chat.conversation, summary="Customer: hm hm hm")
    assert chat.say("Hi", results=[answer("Yes.")]).outcome.cut == 2
