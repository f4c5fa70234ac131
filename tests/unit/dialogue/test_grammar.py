"""What may be written in a flow file, and what is said about mistakes."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml
from helping import book, mistakes
from pydantic import ValidationError

from supportbot.dialogue import FlowError
from supportbot.dialogue.flow import Ask, Say
from supportbot.dialogue.grammar import FlowFile


@pytest.mark.parametrize(
    ("steps", "place", "words"),
    [
        ("[{saay: x}]", (0,), "did you mean `say`"),
        ("[{hello: x}]", (0,), "a step needs exactly one of: say, ask, set, if"),
        ("[{say: x, ask: y}]", (0,), "exactly one of say, ask"),
        ("[handoff]", (0,), "write `handoff: …`"),
        ("[5]", (0,), "only the word `end` may stand alone"),
        ("[{say: 5}]", (0, "say"), "put it in quotes"),
        ("[{say: ''}]", (0, "say"), "empty"),
        ("[{say: {english: x}}]", (0, "say", "english"), "not a language code"),
        ("[{say: {no: x}}]", (0, "say"), "in quotes"),
        (
            "[{say: {text: x, buttons: [{label: x, idd: y}]}}]",
            (0, "say", "buttons", 0, "idd"),
            "did you mean `id`",
        ),
        ("[{ask: a, quetion: b}]", (0, "question"), "missing"),
        ("[{ask: a, quetion: b}]", (0, "quetion"), "did you mean `question`"),
        ("[{ask: user, question: b}]", (0, "ask"), "uses itself"),
        ("[{ask: A b, question: b}]", (0, "ask"), "begin with a small letter"),
        ("[{ask: a, question: b, type: colour}]", (0, "type"), "must be one of 'text'"),
        ("[{ask: a, question: b, type: choice}]", (0, "type"), "needs the key `choices`"),
        ("[{ask: a, question: b, type: text, choices: [x]}]", (0, "choices"), "goes with `type: choice`"),
        ("[{ask: a, question: b, choices: [yes]}]", (0, "choices", 0), "put the word in quotes"),
        ("[{ask: a, question: b, type: email, min: 1}]", (0, "min"), "types text, number and date"),
        ("[{ask: a, question: b, type: date, max: soon}]", (0, "max"), "2026-05-31"),
        ("[{ask: a, question: b, pattern: '('}]", (0, "pattern"), "not a valid regular expression"),
        ("[{ask: a, question: b, pattern: '(a+)+'}]", (0, "pattern"), "take for ever"),
        ("[{ask: a, question: b, check: value = 3}]", (0, "check"), "use == to compare"),
        ("[{ask: a, question: b, tries: 0}]", (0, "tries"), "greater than or equal to 1"),
        ("[{ask: a, question: b, otherwise: stop}]", (0, "otherwise"), "handoff, cancel, skip or a list"),
        ("[{ask: a, question: b, otherwise: [{sy: x}]}]", (0, "otherwise", 0), "did you mean `say`"),
        ("[{if: a, then: {say: x}}]", (0, "then"), "must be a list"),
        ("[{if: a is b, then: [{say: x}]}]", (0, "if"), "use == or !="),
        ("[{switch: a, cases: {x: [{goto: 5}]}}]", (0, "cases", "x", 0, "goto"), "text"),
        ("[{model: {instruction: x, into: {a: colour}}}]", (0, "model", "into", "a"), "must be one of"),
        ("[{call: 'a b'}]", (0, "call"), "not a tool's name"),
        ("[{set: {today: 1}}]", (0, "set", "today", "[key]"), "uses itself"),
        ("[]", (), "at least one entry"),
    ],
)
def test_a_mistake_is_named_at_its_place_in_plain_words(steps: str, place: tuple[Any, ...], words: str) -> None:
    found = [message for loc, message in mistakes(steps) if loc == ("steps", *place)]
    assert found and words in found[0]


def test_a_mistake_in_a_step_is_reported_once() -> None:
    assert len(mistakes("[{ask: a, question: b, otherwise: [{say: {en: 3}}]}]")) == 1


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ({"phrases": ["a"], "button": "b"}, "exactly one of"),
        ({}, "exactly one of"),
        ({"command": "order"}, "write / and a word"),
        ({"phrases": []}, "at least one text"),
    ],
)
def test_a_trigger_has_exactly_one_usable_key(start: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FlowFile.model_validate({"flow": "main", "start": [start], "steps": ["end"]})


def test_steps_nested_without_end_are_refused_and_not_followed() -> None:
    steps: list[Any] = ["end"]
    for _ in range(200):
        steps = [{"if": "a", "then": steps}]
    with pytest.raises(ValidationError, match="levels deep"):
        FlowFile.model_validate({"flow": "main", "steps": steps})


@pytest.mark.parametrize(
    "text",
    [
        "Hi.",
        "{variants: [Hi., Hello.]}",
        "{en: Hi., de: Hallo.}",
        "{en: [Hi., Hello.]}",
        "{variants: {en: [Hi.]}}",
        "{text: Hi., buttons: [{label: Ok, id: ok}]}",
    ],
)
def test_a_text_may_be_written_in_several_ways(text: str) -> None:
    step = book(f"[{{say: {text}}}]").flows["main"].steps[0]
    assert isinstance(step, Say)
    assert step.wording.pick("en", "en", 0) == "Hi."


def test_the_type_follows_from_choices_or_pattern() -> None:
    steps = book("[{ask: a, question: A, choices: [1, x]}, {ask: b, question: B, pattern: x}]").flows["main"].steps
    assert [step.spec.type for step in steps if isinstance(step, Ask)] == ["choice", "pattern"]


def test_the_schema_for_editors_takes_what_the_grammar_takes() -> None:
    schema = FlowFile.model_json_schema()
    steps = yaml.safe_load(
        "[end, {say: {en: x}}, {ask: a, question: {variants: [A]}, choices: [x, {value: y, label: {en: Y}}], otherwise: [end]},"
        " {if: a, then: [{call: t, with: {x: 1}, otherwise: []}], else: [{goto: b}]}, {name: b, model: {instruction: x, into: {n: number}}},"
        " {switch: a, cases: {x: [{handoff: y}]}}, {flow: other}, {set: {z: [1]}}]"
    )
    written = {"flow": "main", "title": {"en": "T"}, "start": [{"phrases": {"en": ["x"]}}], "steps": steps}
    FlowFile.model_validate(written)
    jsonschema.validate(written, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**written, "steps": [{"saay": "x"}]}, schema)


def test_two_flows_of_one_name_are_refused_with_both_files() -> None:
    with pytest.raises(FlowError, match=r"flows/1.yaml: the flow main is also in flows/0.yaml"):
        book("[end]", "[end]")


def test_the_digest_changes_with_the_steps_only() -> None:
    def digest(source: str) -> str:
        return book(source).flows["main"].digest

    plain = "{flow: main, steps: [{say: x}]}"
    assert digest(plain) == digest("{flow: main, description: New., start: [{button: b}], steps: [{say: x}]}")
    assert digest(plain) != digest("{flow: main, steps: [{say: y}]}")


def test_offered_flows_are_those_a_model_may_start() -> None:
    flows = book(
        "{flow: b, description: ' Two\\n lines. ', steps: [end]}", "{flow: a, model: false, steps: [end]}"
    )
    assert flows.offered() == (("b", "Two\\n lines."),)


def test_a_flow_has_a_title_for_buttons() -> None:
    flows = book(
        "{flow: order_status, start: [{button: go}], steps: [end]}", "{flow: b, title: {de: Hallo}, steps: [end]}"
    )
    assert (flows.flows["order_status"].title("de"), flows.flows["order_status"].button) == ("Order status", "go")
    assert (flows.flows["b"].title("de-AT"), flows.flows["b"].button) == ("Hallo", "")
