"""Free words: the model, its calls in a loop, its decisions, and the ladder when it fails."""

from __future__ import annotations

import pytest
from turning import ANNA, BEN, DOWN, NO_HITS, Chat, answer, call, message, press, said, script

from supportbot.types import (
    AskModel,
    Attachment,
    CallTool,
    Hit,
    ModelAnswer,
    Result,
    Search,
    SearchResult,
    ToolResult,
    Usage,
)

HITS = SearchResult((Hit("delivery.md", "Delivery", "Two to four days.", 0.9),))
ORDER = """
flow: order_status
description: Tells where an order is.
start: [{phrases: [where is my order]}]
steps:
  - ask: order_number
    question: Which order?
    pattern: 'A-\\d{5}'
  - say: Order {{ order_number }} is on its way.
"""


def test_the_models_words_are_the_reply_and_its_use_is_counted() -> None:
    usage = Usage("gpt", "reply", prompt_tokens=3)
    played = Chat(script()).say("hi", results=[ModelAnswer("Hello!", usage=(usage,))])
    assert (played.texts, played.outcome.usage) == (["Hello!"], (usage,))
    assert [(one.role, one.content) for one in played.outcome.turn] == [("user", "hi"), ("assistant", "Hello!")]
    assert played.outcome.handoff is None and played.outcome.locale is None


def test_tools_are_called_in_the_models_order_with_its_arguments_for_the_author() -> None:
    calls = (call("find_order", '{"id": 1}', "x"), call("find_order", '{"id": 2}', "y"))
    results: list[Result] = [
        ModelAnswer("", calls),
        ToolResult("first"),
        ToolResult("Error: second", error="failed"),
        answer("Found one."),
    ]
    played = Chat(script()).take(message("orders?", user=BEN), results=results)
    called = [effect for effect in played.effects if isinstance(effect, CallTool)]
    assert [(one.name, one.arguments, one.call_id, one.user) for one in called] == [
        ("find_order", '{"id": 1}', "x", BEN),
        ("find_order", '{"id": 2}', "y", BEN),
    ]
    last = played.effects[-1]
    assert isinstance(last, AskModel)
    shown = [(one.tool_call_id, one.content) for one in last.request.messages if one.role == "tool"]
    assert shown == [("x", "first"), ("y", "Error: second")]
    assert played.texts == ["Found one."]


def test_a_name_that_no_tool_has_goes_to_the_toolbox_and_its_error_to_the_model() -> None:
    results: list[Result] = [
        answer("", call("nonsense")),
        ToolResult("Error: unknown", error="unknown_tool"),
        answer("Sorry."),
    ]
    played = Chat(script()).say("hi", results=results)
    assert played.texts == ["Sorry."]


@pytest.mark.parametrize("name", ["start_flow", "cancel_flow", "answer_question"])
@pytest.mark.parametrize("arguments", ["{}", "not json", '["list"]', '{"flow": "nope", "value": "x"}', "[" * 9999])
def test_a_decision_that_is_not_possible_now_is_refused_and_never_reaches_a_tool(
    name: str, arguments: str
) -> None:
    played = Chat(script()).say("hi", results=[answer("", call(name, arguments)), answer("Then in words.")])
    assert all(isinstance(effect, AskModel) for effect in played.effects)
    (refused,) = [one.content for one in played.outcome.turn if one.role == "tool"]
    assert refused.startswith("refused")
    assert played.texts == ["Then in words."]


def test_a_model_that_calls_without_end_is_stopped_and_a_human_takes_over() -> None:
    results: list[Result] = [answer("", call("find_order")), ToolResult("nothing")] * 3
    played = Chat(script(max_calls=3)).say("hi", results=results)
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "error"
    assert played.texts == [said("handoff_told")]


def test_an_unknown_outcome_ends_the_loop_and_a_human_looks() -> None:
    calls = (
        call("find_order", id="x"),
        call("find_order", id="y"),
        call("start_flow", '{"flow": "order_status"}'),
    )
    results: list[Result] = [ModelAnswer("", calls), ToolResult("unknown", error="unknown_outcome")]
    played = Chat(script(ORDER)).say("refund me", results=results)
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "unknown_outcome"
    assert "find_order" in played.outcome.handoff.detail
    told = [one.content for one in played.outcome.turn if one.role == "tool"]
    assert told[0] == "unknown" and told[1].startswith("not called") and told[2].startswith("refused")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [('{"reason": "upset", "requested": true}', "requested"), ('{"reason": "upset"}', "model"), ("{}", "model")],
)
def test_hand_over_is_a_decision_with_its_reason(arguments: str, reason: str) -> None:
    played = Chat(script()).say("hm", results=[answer("One moment.", call("hand_over", arguments))])
    handoff = played.outcome.handoff
    assert handoff is not None and handoff.reason == reason
    assert handoff.detail == ("upset" if "upset" in arguments else "The model decided to hand over.")
    assert played.texts == ["One moment.", said("handoff_told")]


@pytest.mark.parametrize("words", ["I have handed you over to a human.", "HANDOFF", "[hand_over]", "hand_over()"])
def test_words_never_hand_over(words: str) -> None:
    played = Chat(script()).say("hm", results=[answer(words)])
    assert (played.texts, played.outcome.handoff, played.outcome.events) == ([words], None, ())


def test_the_first_of_several_decisions_counts() -> None:
    calls = (call("start_flow", '{"flow": "order_status"}'), call("hand_over", '{"reason": "x"}'))
    played = Chat(script(ORDER)).say("hm", results=[ModelAnswer("Sure.", calls)])
    assert played.texts == ["Sure.", "Which order?"]
    assert played.outcome.handoff is None


def test_the_model_is_offered_only_the_decisions_that_are_possible() -> None:
    chat = Chat(script(ORDER))
    (first,) = chat.say("hm", results=[answer("", call("start_flow", '{"flow": "order_status"}'))]).asked
    (second,) = chat.say("hm", results=[answer("Yes.")]).asked
    assert [tool.name for tool in first.tools] == ["find_order", "hand_over", "start_flow"]
    assert [tool.name for tool in second.tools][-2:] == ["cancel_flow", "answer_question"]


# --- the ladder ----------------------------------------------------------------------------------------------


def test_a_failed_model_is_replaced_by_an_extract() -> None:
    played = Chat(script(has_articles=True)).say("delivery?", results=[HITS, DOWN, answer("Two to four days.")])
    assert isinstance(played.effects[0], Search)
    assert [getattr(effect, "rung", "") for effect in played.effects[1:]] == ["model", "offline"]
    assert played.texts == ["Two to four days."]
    assert played.outcome.handoff is None


@pytest.mark.parametrize("results", [[NO_HITS, DOWN], [HITS, DOWN, DOWN], [HITS, DOWN, answer(" ")]])
def test_when_the_model_fails_and_no_extract_fits_a_human_takes_over(results: list[object]) -> None:
    played = Chat(script(has_articles=True)).say("why is the sky blue?", results=results)  # type: ignore[arg-type]
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "model_failed"
    assert "The model is down." in played.outcome.handoff.detail
    assert played.texts == [said("handoff_told")]


@pytest.mark.parametrize("words", ["", " \n"])
def test_an_answer_without_words_counts_as_failed(words: str) -> None:
    played = Chat(script()).say("hi", results=[answer(words)])
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "model_failed"
    assert played.texts == [said("handoff_told")]


def test_the_model_that_fails_after_a_call_leaves_a_sound_turn_and_a_human() -> None:
    played = Chat(script()).say("hi", results=[answer("", call("find_order")), ToolResult("found"), DOWN])
    assert [one.role for one in played.outcome.turn] == ["user", "assistant", "tool", "assistant"]
    assert played.outcome.handoff is not None


def test_without_a_key_the_articles_answer_and_no_model_is_asked() -> None:
    played = Chat(script(has_model=False, has_articles=True)).say("delivery?", results=[HITS, answer("Two days.")])
    assert [getattr(effect, "rung", "") for effect in played.effects] == ["", "offline"]
    assert played.texts == ["Two days."]


def test_without_a_key_and_without_an_article_a_human_takes_over() -> None:
    played = Chat(script(has_model=False)).say("hello")
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "no_answer"


# --- what customers send -------------------------------------------------------------------------------------


def test_a_file_alone_gets_an_honest_notice_and_stands_in_history() -> None:
    chat = Chat(script())
    played = chat.take(message(attachments=(Attachment("crack.jpg", "image/jpeg"),)))
    assert played.texts == [said("attachment_unread")]
    assert played.outcome.turn[0].content == "[file: crack.jpg]"


def test_a_file_with_words_is_answered_in_words() -> None:
    played = Chat(script()).take(
        message("look", attachments=(Attachment("crack.jpg"),)), results=[answer("I see.")]
    )
    assert played.texts == ["I see."]
    assert played.outcome.turn[0].content == "look [file: crack.jpg]"


def test_a_message_longer_than_the_limit_is_cut_for_the_question_and_shortened_in_history() -> None:
    bot = script(max_message_chars=50)
    long = "word " * 9000
    played = Chat(bot).say(long, results=[answer("That was long.")])
    (asked,) = played.asked
    assert len(asked.question) <= 50
    assert played.outcome.turn[0].tokens <= bot.limits.max_tokens // 2
    assert "left out" in played.outcome.turn[0].content
    assert played.texts == ["That was long."]


@pytest.mark.parametrize("sent", [press("nobody-knows"), press("x", "The value"), message("   ")])
def test_a_button_that_belongs_to_nothing_is_free_words(sent: object) -> None:
    played = Chat(script()).take(sent, results=[answer("Hm?")])  # type: ignore[arg-type]
    assert played.texts == ["Hm?"]


def test_commands_need_no_model() -> None:
    chat = Chat(script(ORDER))
    assert chat.say("cancel").texts == [said("nothing_to_cancel")]
    assert chat.say("/help").texts == [said("help", bot="Acme")]
    played = chat.say("I want to talk to a human")
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "requested"


def test_texts_are_in_the_customers_language_and_it_is_remembered() -> None:
    chat = Chat(script())
    first = chat.take(message("/cancel", locale="de"))
    assert first.outcome.locale == "de"
    second = chat.say("/help")
    assert second.outcome.locale is None
    assert (first.texts + second.texts)[1].startswith("Ich bin der Assistent von Acme")


def test_the_language_of_the_customers_own_words_is_learned_if_the_persona_speaks_it() -> None:
    chat = Chat(script())
    played = chat.say("ich möchte mit einem Menschen sprechen")
    assert played.outcome.locale == "de"
    assert played.texts[0].startswith("Ich habe Ihr Gespräch")
    french = Chat(script()).say("parler à un humain")
    assert french.outcome.locale is None


def test_other_peoples_words_stand_under_their_own_names() -> None:
    chat = Chat(script())
    chat.say("I am Anna", results=[answer("Hi Anna.")])
    played = chat.say("and I am Ben", user=BEN, results=[answer("Hi Ben.")])
    (asked,) = played.asked
    users = [(one.name, one.content) for one in asked.messages if one.role == "user"]
    assert users == [("", "I am Anna"), ("Ben", "and I am Ben")]


# --- what must not be answered in the ordinary way ------------------------------------------------------------


def test_a_message_that_keeps_failing_goes_to_a_human() -> None:
    assert Chat(script()).say("hi", results=[answer("Hello.")], attempt=3).outcome.handoff is None
    played = Chat(script()).say("hi", attempt=4)
    assert played.outcome.handoff is not None
    assert (played.outcome.handoff.reason, played.outcome.handoff.detail) == (
        "error",
        "The bot failed 3 times at this message.",
    )


def test_an_unknown_outcome_from_before_a_crash_goes_to_a_human() -> None:
    played = Chat(script()).say("hi", unsure="A refund was started.", overdue=True, attempt=9)
    assert played.outcome.handoff is not None
    assert (played.outcome.handoff.reason, played.outcome.handoff.detail) == (
        "unknown_outcome",
        "A refund was started.",
    )


@pytest.mark.parametrize("mode", ["handoff", "notice"])
def test_what_is_overdue_ends_for_everyone_at_once_and_honestly(mode: str) -> None:
    played = Chat(script(overdue=mode)).take(message("hi"), message("hello?", user=BEN), press("x"), overdue=True)
    assert played.outcome.consumed == (1, 2, 3)
    assert played.texts == [said("overdue_handoff" if mode == "handoff" else "overdue")]
    assert (played.outcome.handoff is not None) == (mode == "handoff")


def test_each_author_keeps_the_slots_of_their_own_flow() -> None:
    chat = Chat(script(ORDER))
    chat.say("where is my order")
    chat.say("where is my order", user=BEN)
    assert set(chat.states) == {ANNA.id, BEN.id}
    assert chat.say("A-10001", user=BEN).texts == ["Order A-10001 is on its way."]
    assert chat.in_flow(ANNA) and not chat.in_flow(BEN)
    assert chat.say("A-10002").texts == ["Order A-10002 is on its way."]
