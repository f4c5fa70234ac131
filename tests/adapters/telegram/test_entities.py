"""Markdown as Telegram shows it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.testing.telegram.text import checked_entities
from supportbot_telegram.entities import linkable, measure, render, utf16


def shown(markdown: str) -> list[tuple[str, str]]:
    """The entities as (type, the text they are on)."""
    found = render(markdown)
    units = found.text.encode("utf-16-le")
    return [
        (e["type"], units[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le"))
        for e in found.entities
    ]


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("plain", "plain", []),
        ("a **b** c", "a b c", [("bold", "b")]),
        ("🙂🙂 **b** 🙂", "🙂🙂 b 🙂", [("bold", "b")]),
        ("*i* and ~~s~~", "i and s", [("italic", "i"), ("strikethrough", "s")]),
        ("**bold *both* bold**", "bold both bold", [("bold", "bold both bold"), ("italic", "both")]),
        ("use `x_y` now", "use x_y now", [("code", "x_y")]),
        ("**see `x`**", "see x", [("bold", "see"), ("code", "x")]),
        ("[shop](https://shop.example/a)", "shop", [("text_link", "shop")]),
        ("[mail us](mailto:a@shop.example)", "mail us (mailto:a@shop.example)", []),
        ("[call](tel:+4930123)", "call (tel:+4930123)", []),
        ("[local](http://localhost/x)", "local (http://localhost/x)", []),
        ("# Title\n\ntext", "Title\n\ntext", [("bold", "Title")]),
        ("# A [link](https://a.example)", "A link", [("bold", "A link"), ("text_link", "link")]),
        ("- one\n- two\n  - deep", "• one\n• two\n  • deep", []),
        ("1. one\n2. two", "1. one\n2. two", []),
        ("```python\nx = 1\n```", "x = 1", [("pre", "x = 1")]),
        ("    indented\n      more", "indented\n  more", [("pre", "indented\n  more")]),
        ("> quoted\n>\n> more\n\nout", "quoted\n\nmore\n\nout", [("blockquote", "quoted\n\nmore")]),
        ("> **b**", "b", [("blockquote", "b"), ("bold", "b")]),
        ("a\n\n---\n\nb", "a\n\n———\n\nb", []),
        ("<b>no</b> & <i>", "<b>no</b> & <i>", []),
        ("|a|b|\n|-|-|\n|1|2|", "a  b\n-  -\n1  2", [("pre", "a  b\n-  -\n1  2")]),
        ("", "", []),
    ],
)
def test_markdown_becomes_text_and_entities(markdown: str, text: str, entities: list[tuple[str, str]]) -> None:
    assert render(markdown).text == text
    assert sorted(shown(markdown)) == sorted(entities)


def test_code_has_its_language_and_a_link_its_target() -> None:
    assert render("```python\nx\n```").entities[0]["language"] == "python"
    assert render("[a](https://a.example/?q=1&b=2)").entities[0]["url"] == "https://a.example/?q=1&b=2"


def test_an_entity_ends_where_its_words_end() -> None:
    for kind, text in shown("**two\n\nlines** and ** no ** and [ x ](https://a.example)"):
        assert text == text.strip(), kind


def test_the_measure_is_what_telegram_counts() -> None:
    assert measure("**🙂** [shop](https://shop.example/a-long-address)") == utf16("🙂 shop") == 7


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://a.example", True),
        ("http://a.example:8080/x", True),
        ("tg://user?id=1", True),
        ("https://localhost", False),
        ("mailto:a@b.example", False),
        ("javascript:alert(1)", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_addresses_that_telegram_takes_are_links(url: str, right: bool) -> None:
    assert linkable(url) is right


MARKS = (
    "**",
    "*",
    "_",
    "~~",
    "`",
    "```\n",
    "> ",
    "- ",
    "1. ",
    "# ",
    "\n",
    "\n\n",
    "|",
    "---",
    "\\",
    "\t",
    "(",
    "]",
)
WORDS = ("  ", "word", "🙂", "é", "<b>", "&amp;", "\u200b", "👩\u200d👩\u200d👧", "x_y", "[a](https://a.example)")
PIECES = st.sampled_from((*MARKS, *WORDS))


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=80))
def test_telegram_takes_whatever_is_rendered(markdown: str) -> None:
    found = render(markdown)
    end = utf16(found.text)
    assert found.text == found.text.strip()
    for entity in found.entities:
        assert entity["offset"] >= 0 and 0 < entity["length"] <= end - entity["offset"]
    assert len(checked_entities(found.text, json.loads(json.dumps(list(found.entities))))) == len(found.entities)
    for kind, text in shown(markdown):
        assert text.strip() and (kind == "pre" or text == text.strip())
