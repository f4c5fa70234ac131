"""An agent's words in the house's Markdown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import MessageEntity

from supportbot.testing.telegram.parts import entity
from supportbot_telegram.entities import render, utf16
from supportbot_telegram.markdown import markdown


def marked(text: str, *entities: dict[str, Any]) -> str:
    return markdown(text, [MessageEntity.de_json(one, None) for one in entities])


@pytest.mark.parametrize("text", ["", "Hi", "*six* <b>", "- a\n- b", "snake_case 🙂", "a\n\n\nb", "\\* [x](y)"])
def test_words_without_a_style_are_left_as_they_are(text: str) -> None:
    assert marked(text) == text
    assert marked(text, *([entity("url", text, text[:1])] if text else [])) == text


@pytest.mark.parametrize(
    ("kind", "more", "shown"),
    [
        ("bold", {}, "a **b c** d"),
        ("italic", {}, "a *b c* d"),
        ("strikethrough", {}, "a ~~b c~~ d"),
        ("code", {}, "a `b c` d"),
        ("pre", {"language": "sql"}, "a \n```sql\nb c\n```\n d"),
        ("text_link", {"url": "https://shop.example/a_b"}, "a [b c](<https://shop.example/a_b>) d"),
        ("text_link", {"url": "tg://user?id=1"}, "a b c d"),
        ("text_link", {"url": "https://shop.example/>"}, "a b c d"),
        ("underline", {}, "a b c d"),
        ("spoiler", {}, "a b c d"),
    ],
)
def test_a_style_has_its_marks(kind: str, more: dict[str, Any], shown: str) -> None:
    assert marked("a b c d", entity(kind, "a b c d", "b c", **more)) == shown


def test_styles_in_styles_and_blanks_at_their_ends() -> None:
    text = "🙂 very important news"
    both = (entity("bold", text, " very important "), entity("italic", text, "important"))
    assert marked(text, *both) == "🙂 **very *important*** news"


def test_code_with_backticks_and_torn_styles() -> None:
    assert marked("a `` b", entity("code", "a `` b", "`` b")) == "a ``` `` b ```"
    torn = ({"type": "bold", "offset": 0, "length": 4}, {"type": "italic", "offset": 2, "length": 4})
    assert marked("abcdef", *torn) == "**abcd**ef"
    half = {"type": "bold", "offset": 1, "length": 3}
    assert marked("🙂ab", half) == "🙂ab", "half a letter has no style"


@given(st.text("ab *_~`[]()#\n🙂>-", max_size=30), st.data())
def test_whatever_the_style_the_customer_reads_the_same_words(text: str, data: st.DataObject) -> None:
    size = utf16(text)
    spans = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["bold", "italic", "code", "pre", "text_link"]),
                st.integers(0, size),
                st.integers(1, max(size, 1)),
            ),
            max_size=4,
        )
    )
    entities = [
        {
            "type": kind,
            "offset": at,
            "length": length,
            **({"url": "https://a.example"} if kind == "text_link" else {}),
        }
        for kind, at, length in spans
    ]
    assert render(marked(text, *entities)).text.split() == render(text).text.split()
