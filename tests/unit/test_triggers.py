"""The owner's rules: what calls a human, how it is explained, and what a broken condition does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.dialogue.expr import ExprError
from supportbot.triggers import Facts, Rule, Verdict, compile_when, compile_words, is_repeat, judge

SAFETY = Rule(
    "safety",
    words=compile_words({"en": ["smok*", "caught fire"], "de": ["rauch", "brennt", "Stromschlag"]}),
    priority="urgent",
    tags=("safety",),
    desk="front",
    say={"en": "Switch it off.", "de": "Schalten Sie es aus."},
)
ANGRY = Rule("angry", anger=True)
LOST = Rule("lost", misunderstood=3)
NO_SOURCE = Rule("no_source", unsourced=2)
UNSURE = Rule("unsure", confidence_below=0.4)
BIG = Rule("big_money", when=compile_when("money > 500"))
VIP = Rule("vip", customers=frozenset({"u-17", "c-99"}), priority="high")
ALL = (SAFETY, ANGRY, LOST, NO_SOURCE, UNSURE, BIG, VIP)


def before(rules: tuple[Rule, ...], **facts: Any) -> Verdict | None:
    return judge(rules, Facts(**{"text": "", **facts}), "before").verdict


def after(rules: tuple[Rule, ...], **facts: Any) -> Verdict | None:
    return judge(rules, Facts(**{"text": "", **facts}), "after").verdict


@pytest.mark.parametrize(
    ("facts", "reason", "because"),
    [
        (
            {"text": "It smokes, help", "locale": "en"},
            "Rule `safety`: the customer wrote “smokes”.",
            [{"condition": "words", "found": ["smokes"]}],
        ),
        (
            {"text": "You idiots!!!"},
            "Rule `angry`: the customer sounds angry (“You idiots”, “!!!”).",
            [{"condition": "anger", "found": ["“You idiots”", "“!!!”"], "value": 15, "limit": 10}],
        ),
        (
            {"text": "I lost 1.200,50 €"},
            "Rule `big_money`: `money > 500` holds (money is 1200.5).",
            [{"condition": "when", "value": "money > 500", "found": {"money": 1200.5}}],
        ),
        (
            {"user_id": "u-17"},
            "Rule `vip`: the customer is u-17.",
            [{"condition": "customers", "found": "u-17"}],
        ),
        (
            {"identity": {"customer": "c-99"}},
            "Rule `vip`: the customer is c-99.",
            [{"condition": "customers", "found": "c-99"}],
        ),
    ],
)
def test_before_the_answer_the_message_and_its_author_decide(
    facts: dict[str, Any], reason: str, because: list[Any]
) -> None:
    verdict = before(ALL, **facts)
    assert verdict is not None
    assert verdict.reason == reason
    assert verdict.cause == {"rule": verdict.rule, "because": because}
    assert after(ALL, **facts) is None
    json.dumps(verdict.cause)


@pytest.mark.parametrize(
    ("facts", "reason", "because"),
    [
        (
            {"misunderstood": 3},
            "Rule `lost`: the bot did not understand the customer 3 times in a row.",
            {"condition": "misunderstood", "value": 3, "limit": 3},
        ),
        (
            {"unsourced": 2},
            "Rule `no_source`: the bot's last 2 answers rest on no article, tool or flow.",
            {"condition": "unsourced", "value": 2, "limit": 2},
        ),
        (
            {"confidence": 0.31},
            "Rule `unsure`: the best article's score is 0.31, below 0.4.",
            {"condition": "confidence_below", "value": 0.31, "limit": 0.4},
        ),
    ],
)
def test_after_the_answer_what_it_rests_on_decides(
    facts: dict[str, Any], reason: str, because: dict[str, Any]
) -> None:
    verdict = after(ALL, **facts)
    assert verdict is not None
    assert (verdict.reason, verdict.cause["because"]) == (reason, [because])
    assert before(ALL, **facts) is None


@pytest.mark.parametrize(
    "facts", [{"misunderstood": 2}, {"unsourced": 1}, {"confidence": 0.4}, {"confidence": None}]
)
def test_below_its_limit_a_rule_does_not_hold(facts: dict[str, Any]) -> None:
    assert after(ALL, **facts) is None


def test_the_first_rule_that_holds_decides() -> None:
    facts = {"text": "The idiots sold me a thing that smokes", "user_id": "u-17"}
    for rules, name in (((SAFETY, ANGRY, VIP), "safety"), ((VIP, ANGRY, SAFETY), "vip")):
        verdict = before(rules, **facts)
        assert verdict is not None and verdict.rule == name
    verdict = before((SAFETY,), **facts)
    assert verdict is not None
    assert (verdict.priority, verdict.tags, verdict.desk, verdict.say) == (
        "urgent",
        ("safety",),
        "front",
        {"en": "Switch it off.", "de": "Schalten Sie es aus."},
    )


def test_all_conditions_of_a_rule_must_hold() -> None:
    rule = Rule("both", words=compile_words({"": ["lawyer"]}), channels=frozenset({"telegram"}))
    assert before((rule,), text="my lawyer", channel="slack") is None
    assert before((rule,), text="my paper", channel="telegram") is None
    verdict = before((rule,), text="my lawyer’s", channel="telegram")
    assert verdict is not None
    assert verdict.reason == "Rule `both`: the channel is telegram, and the customer wrote “lawyer’s”."
    mixed = Rule("mixed", words=compile_words({"": ["refund"]}), misunderstood=2)
    assert before((mixed,), text="refund", misunderstood=2) is None
    assert after((mixed,), text="refund", misunderstood=2) is not None
    assert after((mixed,), text="parcel", misunderstood=2) is None


@pytest.mark.parametrize(
    ("text", "locale", "found"),
    [
        ("Da ist Rauch", "de", True),
        ("Da ist Rauch", "de-AT", True),
        ("There is smoke", "de", True),  # English counts beside every language
        ("Rauch", "en", False),
        ("Rauch", "", True),  # not known: all lists
        ("Rauch", "fr", True),  # no list of its own: all lists
    ],
)
def test_the_customers_language_and_english_are_looked_at(text: str, locale: str, found: bool) -> None:
    assert (before((SAFETY,), text=text, locale=locale) is not None) == found


def test_what_a_customer_hides_in_their_words_stands_in_sight() -> None:
    verdict = before((SAFETY,), text="sm\u200b\u202eoke", locale="en")
    assert verdict is not None
    assert verdict.reason == "Rule `safety`: the customer wrote “sm\\u{200b}\\u{202e}oke”."


# --- conditions in the language of flows ---------------------------------------------------------------------

CASE = {
    "text": "I want my 20 € back",
    "locale": "de",
    "channel": "slack",
    "user_id": "u-1",
    "user_name": "Ada",
    "identity": {"customer": "c-1", "verified": True, "claims": {"tier": "gold", "orders": 3}},
    "slots": {"total": 80, "items": ["lamp"]},
    "turns": 4,
    "tags": ("vip",),
    "today": "2026-05-06",
}


@pytest.mark.parametrize(
    "condition",
    [
        "money == 20",
        "money < 21 and turns >= 4",
        "slots.total > 50",
        "slots['total'] > 50",
        "'lamp' in slots.items",
        "identity.claims.tier == 'gold'",
        "identity.customer != '' and identity.verified",
        "user.id == 'u-1' and lower(user.name) == 'ada'",
        "channel in ['slack', 'telegram'] and locale == 'de'",
        "'vip' in tags",
        "'back' in text and len(text) < 100",
        "days_since('2026-05-01') == 5",
        "slots.nothing == null and identity.claims.nothing == null",
    ],
)
def test_a_condition_reads_what_is_known(condition: str) -> None:
    assert before((Rule("x", when=compile_when(condition)),), **CASE) is not None
    assert before((Rule("x", when=compile_when(f"not ({condition})")),), **CASE) is None


def test_a_condition_is_explained_by_the_values_that_it_read() -> None:
    verdict = before(
        (Rule("x", when=compile_when("slots.total > 50 and identity.claims.tier == 'gold'")),), **CASE
    )
    assert verdict is not None
    assert verdict.reason == (
        "Rule `x`: `slots.total > 50 and identity.claims.tier == 'gold'` holds"
        " (slots.total is 80, identity.claims.tier is gold)."
    )
    verdict = before((Rule("x", when=compile_when("'back' in text")),), **CASE)
    assert verdict is not None
    assert verdict.reason == "Rule `x`: `'back' in text` holds."


@pytest.mark.parametrize(
    ("condition", "facts", "problem"),
    [
        ("slots.total / 0 > 1", CASE, "column 13 of the expression: division by zero"),
        ("slots.nothing + 1 > 0", CASE, "`+` needs two numbers, here are null and a number"),
        ("days_since(slots.day) > 3", {"slots": {"day": "soon"}}, "`days_since` cannot use text"),
        ("days_since('2026-05-01') > 3", {}, "`days_since` cannot use text"),
        ("slots.big * 1.5 > 0", {"slots": {"big": 10**400}}, "OverflowError"),
    ],
)
def test_a_condition_that_cannot_be_computed_does_not_hold_and_is_told(
    condition: str, facts: dict[str, Any], problem: str
) -> None:
    broken = Rule("broken", when=compile_when(condition))
    verdict, problems = judge((broken, VIP), Facts(**{"text": "", **facts, "user_id": "u-17"}), "before")
    assert verdict is not None and verdict.rule == "vip"
    assert len(problems) == 1
    assert problems[0].startswith("Rule `broken`: its `when` could not be computed: ")
    assert problem in problems[0]


@pytest.mark.parametrize(
    ("condition", "column", "message"),
    [
        ("money >", 8, "a value is missing at the end"),
        ("mony > 5", 1, "`mony` is not known here; known are text, money, slots"),
        ("turns > 1 and total > 5", 15, "a slot is written slots.total"),
        ("user.age > 5", 6, "`user.age` is not known here; there are user.id, user.name"),
        ("identity['clams'].x == 1", 10, "there are identity.customer"),
        ("text.lower", 6, "`text` has no parts"),
        ("slots[mony]", 7, "`mony` is not known here"),
        ("upper(text) == 'X'", 1, "`upper` is not a function"),
    ],
)
def test_a_condition_with_a_mistake_is_refused_with_its_column(condition: str, column: int, message: str) -> None:
    with pytest.raises(ExprError, match="column") as caught:
        compile_when(condition)
    assert caught.value.column == column
    assert message in str(caught.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(
        [
            "slots.a + slots.b > 1",
            "slots.a[slots.b] == 1",
            "slots.a in slots.b",
            "len(slots.a) > 1",
            "-slots.a < 0",
            "identity.claims.a % slots.b == 0",
            "lower(slots.a) == slots.b",
            "days_since(slots.a) > 0",
        ]
    ),
    _JSON,
    _JSON,
    st.text(max_size=30),
)
def test_judging_never_raises_and_a_cause_is_plain_json(condition: str, a: Any, b: Any, text: str) -> None:
    rules = (Rule("x", when=compile_when(condition)), *ALL)
    facts = Facts(text, slots={"a": a, "b": b}, identity={"claims": {"a": a}}, today="2026-05-06")
    for phase in ("before", "after"):
        verdict, problems = judge(rules, facts, phase)
        assert len(problems) <= 1
        if verdict is not None:
            json.dumps(verdict.cause, allow_nan=False)


def test_a_repeat_is_told_from_here_too() -> None:
    assert is_repeat("Where is my order??", ["where is my order"])
