"""One portable reply becomes the messages that a channel can show, and nothing is dropped on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.replies import fit
from supportbot.types import Attachment, Button, Capabilities, Reply

BUTTONS = (Button("yes", "Yes, please"), Button("no", "No"))
LINK = Button("more", "Read [all]", url="https://shop.example/a")
PHONE = Button("phone", "Share my number", asks="phone")
PLAIN = Attachment("map.png", "image/png", url="https://shop.example/map.png")
texts = st.text(st.sampled_from("ab é. \n😀"), max_size=300)
ALL = Capabilities(buttons=True, links=True, asks=True, files=True)


def letters(*parts: str) -> str:
    return "".join("".join(parts).split())


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


def test_a_channel_that_can_show_all_is_sent_the_reply_as_it_is() -> None:
    reply = Reply("Look:", (*BUTTONS, LINK, PHONE), (PLAIN,), menu=True, private=True)
    assert fit(reply, ALL) == (reply,)


def test_buttons_become_numbers_where_a_channel_has_none() -> None:
    (only,) = fit(Reply("Again?", BUTTONS, menu=True), Capabilities(buttons=False))
    assert only == Reply("Again?\n\n1. Yes, please\n2. No")


@pytest.mark.parametrize(
    "able",
    [Capabilities(buttons=True, button_limit=1), Capabilities(buttons=True, label_limit=5)],
    ids=["too many", "too long"],
)
def test_buttons_that_do_not_fit_become_numbers_all_together(able: Capabilities) -> None:
    (only,) = fit(Reply("Again?", BUTTONS), able)
    assert only == Reply("Again?\n\n1. Yes, please\n2. No")


def test_links_and_requests_take_no_number() -> None:
    (only,) = fit(Reply("Again?", (LINK, PHONE, *BUTTONS)), Capabilities())
    assert only == Reply("Again?\n\n1. Yes, please\n2. No\n\n[Read \\[all\\]](https://shop.example/a)")


def test_a_link_stays_a_button_beside_choices_that_became_numbers() -> None:
    (only,) = fit(Reply("Again?", (LINK, *BUTTONS)), Capabilities(buttons=True, links=True, button_limit=1))
    assert only.buttons == (LINK,)
    assert only.text == "Again?\n\n1. Yes, please\n2. No"


def test_a_file_becomes_its_name_and_address_where_a_channel_takes_none() -> None:
    stored = Attachment("plan.pdf", "application/pdf", digest="0" * 64)
    (only,) = fit(Reply("Here:", files=(PLAIN, stored)), Capabilities())
    assert only == Reply("Here:\n\n[map.png](https://shop.example/map.png)\n[plan.pdf]")


def test_a_long_reply_has_its_buttons_and_files_on_the_last_part_and_is_private_in_all() -> None:
    reply = Reply("First part.\n\nSecond part.", BUTTONS, (PLAIN,), private=True)
    first, last = fit(reply, Capabilities(buttons=True, files=True, text_limit=15))
    assert first == Reply("First part.", private=True)
    assert last == Reply("Second part.", BUTTONS, (PLAIN,), private=True)


def test_every_part_of_a_long_reply_says_whose_words_it_is() -> None:
    parts = fit(Reply("one two three four", author="Maya"), Capabilities(text_limit=8))
    assert [part.author for part in parts] == ["Maya"] * 3


def test_a_channel_may_count_its_text_in_its_own_way() -> None:
    parts = fit(Reply("aa bb cc"), Capabilities(text_limit=4, measure=lambda text: 2 * len(text)))
    assert [part.text for part in parts] == ["aa", "bb", "cc"]
