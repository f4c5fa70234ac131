"""Every fixed text of a flow as it would be sent, with a mark where a value would stand."""

from __future__ import annotations

from typing import Any

import pytest
from helping import book

from supportbot.dialogue import Specimen, specimens
from supportbot.types import Button, Reply

TEXTS = {"yes": "Yes", "no": "No", "share_phone": "Share my number"}
KNOWN = {"bot.name": "Acme", "persona.name": "Mia"}


def shown(steps: str) -> list[Specimen]:
    return list(specimens(book(steps).flows["main"], TEXTS, KNOWN))


def text(written: str) -> str:
    """What becomes of one text."""
    (found,) = shown(f"[{{say: {written!r}}}]")
    return found.reply.text


def test_each_language_and_variant_is_shown_in_the_order_of_the_file_with_its_place() -> None:
    steps = """
- say: {en: [Hi., Hello.], de: Hallo.}
- if: a
  then: [{say: Inside.}]
- ask: size
  question: {en: "Size?", de: "Größe?"}
  choices: [{value: s, label: {en: Small, de: Klein}}, l]
  invalid: s or l?
  otherwise: [{say: Too bad.}]
- handoff: {reason: x, say: {en: A human comes., de: Ein Mensch kommt.}}
- handoff: Only for the human.
"""
    found = [(one.kind, one.place, one.locale, one.reply.text) for one in shown(steps)]
    assert found == [
        ("say", ("steps", 0, "say"), "en", "Hi."),
        ("say", ("steps", 0, "say"), "en", "Hello."),
        ("say", ("steps", 0, "say"), "de", "Hallo."),
        ("say", ("steps", 1, "then", 0, "say"), "", "Inside."),
        ("ask", ("steps", 2, "question"), "en", "Size?"),
        ("ask", ("steps", 2, "question"), "de", "Größe?"),
        ("ask", ("steps", 2, "invalid"), "", "s or l?"),
        ("say", ("steps", 2, "otherwise", 0, "say"), "", "Too bad."),
        ("handoff", ("steps", 3, "handoff", "say"), "en", "A human comes."),
        ("handoff", ("steps", 3, "handoff", "say"), "de", "Ein Mensch kommt."),
    ]
    labels = [[button.label for button in one.reply.buttons] for one in shown(steps) if one.kind == "ask"]
    assert labels == [["Small", "l"], ["Klein", "l"], ["Small", "l"]]


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Order {{ order_number }} is here.", "Order ‹order_number› is here."),
        ("{{ order.total | money('EUR') }}", "‹order.total›"),
        ("{{- name -}}", "‹name›"),
        ("I am {{ persona.name }} of {{bot.name}}.", "I am Mia of Acme."),
        ("{{ 'a' ~ b }}", "‹b›"),
        ("{{ 5 }}", "‹…›"),
        ("{% if late %}Sorry. {% endif %}Soon.{# note #}", "Sorry. Soon."),
        ("{{ " + "n" * 99 + " }}", "‹" + "n" * 30 + "›"),
        ("{{ unclosed", "{{ unclosed"),
        ("a } b { c", "a } b { c"),
    ],
)
def test_a_value_is_a_mark_and_code_is_left_out(written: str, seen: str) -> None:
    assert text(written) == seen


def test_buttons_files_and_menus_are_shown_with_marks_too() -> None:
    steps = """
- say:
    text: Look.
    menu: true
    buttons: [{label: "Order {{ n }}", url: "https://example.org/{{ n }}"}, {label: Go, id: go, style: primary}]
    files: [{path: files/list.pdf}, {url: "https://example.org/{{ n }}.png", name: "{{ n }}"}]
"""
    (found,) = shown(steps)
    link, go = found.reply.buttons
    assert (link.label, link.url) == ("Order ‹n›", "https://example.org/‹n›")
    assert (go.id, go.style, found.reply.menu) == ("go", "primary", True)
    assert [file.name for file in found.reply.files] == ["list.pdf", "‹n›"]


@pytest.mark.parametrize(
    ("keys", "labels"),
    [("type: yes_no", ["Yes", "No"]), ("asks: phone", ["Share my number"]), ("type: email", [])],
)
def test_a_question_is_shown_with_the_buttons_that_the_house_gives_it(keys: str, labels: list[str]) -> None:
    (found,) = shown(f"[{{ask: a, question: Well, {keys}}}]")
    assert [button.label for button in found.reply.buttons] == labels


@pytest.mark.parametrize(
    "steps",
    ["[end]", "[{set: {a: 1}}]", "[{call: find}]", "[{model: {instruction: Explain., into: {n: number}}}]"],
)
def test_a_flow_without_fixed_words_has_none(steps: str) -> None:
    assert shown(steps) == []


def test_a_specimen_is_an_ordinary_reply() -> None:
    (found,) = shown("[{say: {text: x, buttons: [{label: B, id: b}]}}]")
    expected: Any = Reply("x", (Button("b", "B"),))
    assert found.reply == expected
