"""The owner's rules in a turn: before the answer, after it, and what is told of them."""

from __future__ import annotations

from typing import Any

from turning import ANNA, Chat, answer, call, message, said, script

from supportbot.dialogue.expr import compile_expr
from supportbot.engine.terms import DeskTerms, HandoffTerms
from supportbot.triggers import Rule, compile_words
from supportbot.types import Hit, SearchResult, ToolResult

SAFETY = Rule(
    "safety",
    words=compile_words({"": ["smoke", "electric shock"]}),
    priority="urgent",
    tags=("safety",),
    say={"en": "Please unplug it."},
)
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


def ruled(*rules: Rule, flows: tuple[str, ...] = (), **more: Any) -> Chat:
    return Chat(script(*flows, handoff=HandoffTerms(rules=rules, desks=(DeskTerms("front"),)), **more))


def test_a_rule_calls_a_human_before_the_model_is_asked_and_explains_itself() -> None:
    talk = ruled(SAFETY)
    played = talk.say("There is SMOKE coming out of it")
    assert played.effects == () and played.texts == ["Please unplug it."]
    handoff = played.outcome.handoff
    assert handoff is not None
    assert (handoff.reason, handoff.priority, handoff.tags) == ("rule", "urgent", ("safety",))
    assert handoff.cause["rule"] == "safety" and "SMOKE" in str(handoff.cause["because"])
    assert "safety" in handoff.detail and "SMOKE" in handoff.detail
    (step,) = [one for one in played.outcome.trace.steps if one["step"] == "handoff"]
    assert step["rule"] == "safety"
    assert played.outcome.posts[0].data["cause"] == dict(handoff.cause)


def test_a_rule_without_words_in_the_language_says_the_standard_notice() -> None:
    talk = ruled(SAFETY)
    assert talk.take(message("smoke!", locale="de")).texts[0].startswith("Ich habe Ihr Gespräch")


def test_a_rule_holds_inside_a_flow_too() -> None:
    talk = ruled(SAFETY, flows=(ASKING,))
    talk.say("where is my order")
    assert talk.say("I got an electric shock").texts == ["Please unplug it."]
    assert not talk.in_flow()


def test_rules_read_money_slots_and_who_has_been_proven() -> None:
    dear = Rule("dear", when=compile_expr("money > 500"))
    assert ruled(dear).say("I want my 499 € back", results=[answer("Well.")]).texts == ["Well."]
    assert ruled(dear).say("I want my 1,200.50 € back").texts == [said("handoff_told")]
    vip = Rule("vip", customers=frozenset({ANNA.id}))
    assert ruled(vip).say("hello").texts == [said("handoff_told")]


def test_a_rule_that_cannot_be_computed_holds_not_and_stands_in_the_trace() -> None:
    odd = Rule("odd", when=compile_expr("text + 1 > 2"))
    played = ruled(odd).say("hello", results=[answer("Hi.")])
    assert played.texts == ["Hi."] and "rule failed" in played.steps


def test_three_turns_that_were_not_understood_call_a_human_and_an_understood_one_counts_anew() -> None:
    lost = Rule("lost", misunderstood=3)
    talk = ruled(lost, flows=(ASKING,), has_model=False)
    talk.say("where is my order")
    talk.say("dunno")
    talk.say("no idea")
    assert talk.handoff is None and talk.states[ANNA.id].missed == 2
    talk.say("A-10002")
    assert talk.states[ANNA.id].missed == 0
    talk.say("where is my order")
    for words in ("what", "how should I know"):
        assert talk.say(words).outcome.handoff is None
    played = talk.say("I said I do not know")
    assert talk.handoff is not None and talk.handoff.cause["rule"] == "lost"
    assert played.texts[-1] == said("handoff_told") and "rule" in talk.handoff.reason


def test_saying_the_same_again_counts_as_not_understood() -> None:
    talk = ruled(Rule("lost", misunderstood=2))
    talk.say("My lamp flickers every evening", results=[answer("Try another bulb.")])
    talk.say("My lamp flickers every evening!!", results=[answer("Try another bulb.")])
    played = talk.say("my lamp flickers every evening", results=[answer("Try another bulb.")])
    assert played.texts == ["Try another bulb.", said("handoff_told")]


def test_answers_that_rest_on_nothing_are_counted_and_one_with_a_source_counts_anew() -> None:
    talk = ruled(Rule("no_source", unsourced=2), has_articles=True)
    hit = SearchResult((Hit("a.md", "A", "Thirty days.", 0.9),))
    nothing = SearchResult(())
    assert talk.say("one?", results=[nothing, answer("Hm.")]).outcome.handoff is None
    assert talk.say("two?", results=[hit, answer("Thirty days.")]).outcome.handoff is None
    assert talk.say("three?", results=[nothing, answer("Perhaps.")]).outcome.handoff is None
    assert talk.say("four?", results=[nothing, answer("Maybe.")]).texts == ["Maybe.", said("handoff_told")]


def test_an_answer_out_of_a_weak_article_may_call_a_human() -> None:
    talk = ruled(Rule("unsure", confidence_below=0.4), has_articles=True)
    strong = SearchResult((Hit("a.md", "A", "Thirty days.", 0.9),))
    weak = SearchResult((Hit("a.md", "A", "Thirty days.", 0.3),))
    assert talk.say("one?", results=[strong, answer("Thirty days.")]).outcome.handoff is None
    assert talk.say("two?", results=[weak, answer("Thirty days?")]).outcome.handoff is not None


def test_an_answer_with_a_tool_rests_on_something() -> None:
    talk = ruled(Rule("no_source", unsourced=1))
    results = [answer("", call("find_order")), ToolResult("found"), answer("It left us.")]
    assert talk.say("where is it?", results=results).outcome.handoff is None
