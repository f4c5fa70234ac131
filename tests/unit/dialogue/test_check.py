"""What is said about flows without running them."""

from __future__ import annotations

from typing import Any

import pytest
from helping import book

from supportbot.dialogue import check
from supportbot.types import ToolSpec

TOOLS = {
    "find": ToolSpec(
        "find", "", {"type": "object", "properties": {"number": {}, "zip": {}}, "required": ["number"]}
    ),
    "loose": ToolSpec("loose", "", {"type": "object", "properties": {}, "additionalProperties": True}),
}
INNER = "{flow: inner, model: false, steps: [{ask: code, question: Code}]}"


def found(*sources: str, **options: Any) -> list[tuple[str, tuple[Any, ...], str]]:
    return [(one.level, one.path, one.message) for one in check(book(*sources), **options)]


@pytest.mark.parametrize(
    ("steps", "level", "path", "words"),
    [
        ("[end, {say: x}]", "warning", (1,), "never reached: `end`"),
        ("[{if: user.id, then: [{handoff: x}, {say: y}]}]", "warning", (0, "then", 1), "never reached: `handoff`"),
        ("[{goto: nowhere}]", "error", (0, "goto"), "`name: nowhere`"),
        ("[{name: a, say: x}, {name: a, say: y}]", "error", (1, "name"), "two steps"),
        ("[{flow: nowhere}]", "error", (0, "flow"), "no flow nowhere"),
        ("[{flow: main}]", "error", (0, "flow"), "comes back to itself"),
        ("[{name: a, say: x}, {goto: a}]", "error", (1, "goto"), "round in circles"),
        ("[{name: a, say: x}, {ask: n, question: Q}, {if: n, then: [{goto: a}]}]", "warning", (1, "ask"), "again: true"),
        ("[{say: '{{ total }}'}]", "error", (0, "say"), "nothing fills the slot total"),
        ("[{say: '{{ slots.total }}'}]", "error", (0, "say"), "nothing fills the slot total"),
        ("[{if: total > 3, then: [end]}]", "warning", (0, "if"), "nothing fills the slot total"),
        ("[{say: '{{ n }}'}, {ask: n, question: Q}]", "warning", (0, "say"), "only further down"),
        ("[{set: {a: '{{ b }}'}}]", "error", (0, "set", "a"), "nothing fills the slot b"),
        ("[{say: '{{ user.name '}]", "error", (0, "say"), "cannot be read"),
        ("[{say: {text: x, buttons: [{label: x, id: nothing}]}}]", "warning", (0, "say", "buttons", 0, "id"), "triggers nothing"),
        ("[{call: find}]", "error", (0, "call"), "needs `number`"),
        ("[{call: find, with: {number: 1, size: 2}}]", "error", (0, "with", "size"), "takes no `size`"),
        ("[{call: search}]", "error", (0, "call"), "no tool search"),
        ("[{say: {en: x}}]", "warning", (0, "say"), "no text for de"),
    ],
)  # fmt: skip
def test_a_finding_names_the_place(steps: str, level: str, path: tuple[Any, ...], words: str) -> None:
    all_found = found(steps, tools=TOOLS, languages=["en", "de"])
    assert [one for one in all_found if one[0] == level and one[1] == ("steps", *path) and words in one[2]], (
        all_found
    )


@pytest.mark.parametrize(
    "steps",
    [
        "[{ask: n, question: Q}, {say: '{{ n }} {{ user.name }} {{ today }}'}]",
        "[{flow: inner}, {say: '{{ code }}'}]",
        "[{name: a, ask: n, question: Q, type: number}, {if: n > 3, then: [{goto: a}]}]",
        "[{goto: b}, {name: b, say: x}]",
        "[{call: loose, with: {any: 1}, otherwise: [{say: '{{ error }}'}]}]",
        "[{call: find, with: {number: 1}}]",
        "[{say: {en: x, de-AT: y}}]",
        "[{ask: n, question: Q, choices: [x]}, {say: {text: x, buttons: [{label: x, id: 'n:x'}, {label: y, id: human}]}}]",
        "[{ask: n, question: Q, check: value > 3}]",
    ],
)
def test_sound_flows_have_no_findings(steps: str) -> None:
    uses = "{flow: uses, description: U, steps: [{flow: inner}]}"
    assert found(steps, INNER, uses, tools=TOOLS, languages=["en", "de"]) == []


def test_a_trigger_of_two_flows_is_a_warning() -> None:
    first = "{flow: a, description: D, start: [{phrases: [Where is it]}], steps: [end]}"
    second = "{flow: b, description: D, start: [{phrases: [where IS it]}], steps: [end]}"
    assert found(first, second) == [("warning", ("start", 0, "phrases"), "'where IS it' also starts the flow a")]


def test_flows_that_nothing_can_start_or_describe_are_warned_about() -> None:
    assert "nothing starts" in found("{flow: a, model: false, steps: [end]}")[0][2]
    assert "without a `description`" in found("{flow: a, steps: [end]}")[0][2]


def test_a_flow_may_not_take_a_command_of_the_bot() -> None:
    findings = found("{flow: a, description: D, start: [{command: /help}], steps: [end]}")
    assert findings[0][:2] == ("error", ("start", 0, "command"))


def test_conditional_recursion_has_a_way_out() -> None:
    source = "[{ask: more, question: More, type: yes_no, again: true}, {if: more, then: [{flow: main}]}]"
    assert not [one for one in found(source) if "itself" in one[2]]


def test_mutual_recursion_without_a_way_out_is_an_error() -> None:
    other = "{flow: other, description: D, steps: [{say: x}, {flow: main}]}"
    assert [one[0] for one in found("[{flow: other}]", other)] == ["error", "error"]
