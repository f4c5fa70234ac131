"""Links, requests, menus and files in flows: how they are written, and what is sent."""

from __future__ import annotations

from typing import Any

import pytest
from helping import Walk, book, mistakes, scene

from supportbot.dialogue import OWN_FILE, check
from supportbot.types import Attachment, Button, Reply

BUTTON = "[{{say: {{text: x, buttons: [{{label: B, {}}}]}}}}]"
FILE = "[{{say: {{text: x, files: [{{{}}}]}}}}]"
AT_BUTTON, AT_FILE = (0, "say", "buttons", 0), (0, "say", "files", 0)


@pytest.mark.parametrize(
    ("steps", "place", "words"),
    [
        (BUTTON.format("style: primary"), AT_BUTTON, "a button needs exactly one of: id, url, asks"),
        (BUTTON.format("id: a, url: 'https://x'"), AT_BUTTON, "a button needs exactly one of: id, url, asks"),
        (BUTTON.format("id: a, asks: phone"), AT_BUTTON, "a button needs exactly one of: id, url, asks"),
        (BUTTON.format("url: 'javascript:alert(1)'"), (*AT_BUTTON, "url"), "begins with https://"),
        (BUTTON.format("url: '{{ order.url }}'"), (*AT_BUTTON, "url"), "begins with https://"),
        (BUTTON.format("url: 5"), (*AT_BUTTON, "url"), "text"),
        (BUTTON.format(f"url: 'https://{'x' * 2000}'"), (*AT_BUTTON, "url"), "2000"),
        (BUTTON.format("asks: email"), (*AT_BUTTON, "asks"), "'phone'"),
        (BUTTON.format("id: a, style: green"), (*AT_BUTTON, "style"), "'primary'"),
        (BUTTON.format("id: a, stile: danger"), (*AT_BUTTON, "stile"), "did you mean `style`"),
        (FILE.format("name: a"), AT_FILE, "a file needs exactly one of: url, path"),
        (FILE.format("url: 'https://x', path: a.pdf"), AT_FILE, "a file needs exactly one of: url, path"),
        (FILE.format("url: 'ftp://x'"), (*AT_FILE, "url"), "begins with https://"),
        (FILE.format("path: ''"), (*AT_FILE, "path"), "this text is empty"),
        (FILE.format("pth: a.pdf"), (*AT_FILE, "pth"), "did you mean `path`"),
        ("[{say: {files: [{path: a.pdf}]}}]", (0, "say", "text"), "missing"),
        ("[{say: {text: x, menu: sometimes}}]", (0, "say", "menu"), "true or false"),
        ("[{ask: a, question: b, asks: email}]", (0, "asks"), "'phone'"),
    ],
)
def test_a_mistake_is_one_sentence_at_its_place(steps: str, place: tuple[Any, ...], words: str) -> None:
    found = mistakes(steps)
    assert [loc for loc, _ in found] == [("steps", *place)]
    assert words in found[0][1]


def said(steps: str, **changes: Any) -> tuple[Reply, ...]:
    walk = Walk(book(steps), scene=scene(**changes))
    walk.start()
    assert walk.last is not None
    return walk.last.replies


def test_buttons_open_addresses_ask_for_things_and_have_a_look() -> None:
    steps = """
- set: {n: "A-1"}
- say:
    text: Choose.
    menu: true
    buttons:
      - {label: "Order {{ n }}", url: "https://example.org/{{ n }}?a=1"}
      - {label: My number, asks: phone}
      - {label: Delete, id: delete, value: "yes", style: danger}
"""
    (reply,) = said(steps)
    assert reply.menu
    assert reply.buttons == (
        Button("link", "Order A-1", url="https://example.org/A-1?a=1"),
        Button("phone", "My number", asks="phone"),
        Button("delete", "Delete", "yes", style="danger"),
    )


def test_files_have_a_name_a_kind_and_a_place() -> None:
    steps = """
- set: {n: "A-1"}
- say:
    text: Here.
    files:
      - {url: "https://example.org/{{ n }}/label.PNG?x=/y.pdf"}
      - {url: "https://example.org/download", name: {en: "Label {{ n }}", de: "Zettel {{ n }}"}}
      - {path: files/price list.pdf}
"""
    (reply,) = said(steps, locale="de")
    assert reply.files == (
        Attachment("label.PNG", "image/png", url="https://example.org/A-1/label.PNG?x=/y.pdf"),
        Attachment("Zettel A-1", url="https://example.org/download"),
        Attachment("price list.pdf", "application/pdf", ref=f"{OWN_FILE}files/price list.pdf"),
    )


def test_an_address_with_what_is_not_known_hands_over_as_any_text_does() -> None:
    walk = Walk(book("[{say: {text: x, buttons: [{label: B, url: 'https://x/{{ nothing }}'}]}}]"))
    walk.start()
    plain = Walk(book("[{say: 'x {{ nothing }}'}]"))
    plain.start()
    assert (walk.handoff, walk.last and walk.last.replies) == (plain.handoff, plain.last and plain.last.replies)


SHARE = {"share_phone": "Share my number", "share_location": "Share my place", "invalid": "Hm."}


@pytest.mark.parametrize(("asks", "label"), [("phone", "Share my number"), ("location", "Share my place")])
def test_a_question_may_ask_the_platform_for_the_answer(asks: str, label: str) -> None:
    (reply,) = said(f'[{{ask: where, question: "Where?", asks: {asks}}}]', texts=SHARE)
    assert reply.buttons == (Button("where:share", label, asks=asks),)  # type: ignore[arg-type]
    assert reply.choices == ()


def test_the_answer_to_such_a_question_is_typed_where_the_platform_cannot_ask() -> None:
    walk = Walk(
        book('[{ask: number, question: "Your number?", type: phone, asks: phone}, {say: "{{ number }}"}]'),
        scene=scene(texts=SHARE, region="DE"),
    )
    walk.start()
    assert walk.say("+49 30 901820") == ["+4930901820"]


def test_a_question_may_show_its_choices_as_a_menu_also_when_it_is_asked_again() -> None:
    walk = Walk(book("[{ask: size, question: \"Size?\", choices: [s, l], menu: true, invalid: 's or l?'}]"))
    walk.start()
    walk.say("huge")
    assert walk.last is not None
    (again,) = walk.last.replies
    assert (again.text, again.menu, [button.label for button in again.buttons]) == ("s or l?", True, ["s", "l"])


def test_links_and_requests_need_no_flow_that_waits_for_them() -> None:
    source = """
flow: main
description: Main.
start: [{command: /main}]
steps:
- say:
    text: x
    buttons: [{label: A, url: "https://x"}, {label: B, asks: phone}, {label: C, id: c}]
    files: [{url: "https://x/{{ n }}", name: "{{ m }}"}]
"""
    flows = book(source)
    warned = [finding.message for finding in check(flows, {}, languages=("en",)) if "button" in finding.message]
    assert warned == ["the button c triggers nothing; no flow has `button: c`"]


def test_a_flow_knows_which_of_the_bots_files_it_sends_and_where_it_says_so() -> None:
    steps = """
- if: a
  then: [{say: {text: x, files: [{url: "https://x"}, {path: a.pdf}]}}]
- say: {text: y, files: [{path: b.pdf}]}
"""
    assert list(book(steps).flows["main"].sends) == [
        (("steps", 0, "then", 0, "say", "files", 1, "path"), "a.pdf"),
        (("steps", 1, "say", "files", 0, "path"), "b.pdf"),
    ]
