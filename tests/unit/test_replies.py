"""One portable reply becomes the messages that a channel can show, and nothing is dropped on the way."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supportbot.replies import fit, split
from supportbot.types import Button, Capabilities, Reply

BUTTONS = (Button("yes", "Yes, please"), Button("no", "No"))
texts = st.text(st.sampled_from("ab é. \n\t😀"), max_size=300) | st.text(max_size=200)


def letters(*parts: str) -> str:
    return "".join("".join(parts).split())


@given(texts, st.integers(1, 60))
@example("word " * 20 + " " * 50, 40)
@example(" " * 100, 10)
@example("\n\n" * 30 + "x" * 30, 20)
def test_the_parts_join_to_the_text_and_none_is_too_long(text: str, limit: int) -> None:
    parts = list(split(text, limit))
    assert letters(*parts) == letters(text)
    assert all(len(part) <= limit for part in parts)
    assert all(part.strip() for part in parts) or not text.strip()


@given(texts.filter(lambda text: bool(text.strip())), st.integers(0, 60), st.booleans(), st.booleans())
def test_a_fitted_reply_keeps_every_letter_and_every_button(
    text: str, limit: int, shows: bool, with_buttons: bool
) -> None:
    reply = Reply(text, BUTTONS if with_buttons else ())
    parts = fit(reply, Capabilities(buttons=shows, text_limit=limit))
    said = letters(*(part.text for part in parts))
    listed = letters("1. Yes, please 2. No") if with_buttons and not shows else ""
    assert said == letters(text) + listed
    assert [part.buttons for part in parts[:-1]] == [()] * (len(parts) - 1)
    assert parts[-1].buttons == (reply.buttons if shows else ())
    assert not limit or all(len(part.text) <= limit for part in parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("short", ["short"]),
        ("", [""]),
        ("  kept as it is ", ["  kept as it is "]),
        ("First part.\n\nSecond part.", ["First part.", "Second part."]),
        ("One line here\nanother line", ["One line here", "another line"]),
        ("A sentence. And another", ["A sentence.", "And another"]),
        ("several words without end", ["several words", "without end"]),
        ("x" * 45, ["x" * 20, "x" * 20, "x" * 5]),
    ],
)
def test_a_long_text_is_cut_at_the_best_place(text: str, parts: list[str]) -> None:
    assert list(split(text, 20)) == parts


def test_buttons_become_numbers_where_a_channel_has_none() -> None:
    (only,) = fit(Reply("Again?", BUTTONS), Capabilities(buttons=False))
    assert only == Reply("Again?\n\n1. Yes, please\n2. No")
