"""A reply as Block Kit, without anything that runs."""

from __future__ import annotations

import pytest

from supportbot.replies import fit
from supportbot.testing.slack.rules import refusal
from supportbot.types import Attachment, Button, Reply
from supportbot_slack import SlackAdapter
from supportbot_slack.blocks import settled, shown, without_blocks

ADAPTER = SlackAdapter("slack", {"bot_token": "xoxb-1", "signing_secret": "s"})


def buttons(count: int, **more: str) -> tuple[Button, ...]:
    return tuple(Button(f"b{at}", f"Choice {at}", press=f"tok.0.{at}", **more) for at in range(count))  # type: ignore[arg-type]


def kinds(reply: Reply) -> list[str]:
    return [block["type"] for block in shown(reply).whole]


def test_text_is_sections_and_a_plain_notification() -> None:
    found = shown(Reply("**Hello** & <welcome>"))
    assert found.text == "Hello &amp; &lt;welcome&gt;"
    assert found.whole == (
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "*Hello* &amp; &lt;welcome&gt;", "verbatim": True},
        },
    )


def test_buttons_stand_in_rows_and_name_who_they_are_for() -> None:
    rows = shown(Reply("?", buttons(7)), user="U1", thread="1.2").below
    assert [len(row["elements"]) for row in rows] == [5, 2]
    assert [row["block_id"] for row in rows] == ["for:U1:1.2::0", "for:U1:1.2::1"]
    assert rows[0]["elements"][0]["value"] == "tok.0.0"


def test_styles_and_links() -> None:
    reply = Reply("?", (Button("a", "Pay", style="primary"), Button("b", "Shop", url="https://shop.example/")))
    choice, link = shown(reply).below
    assert choice["elements"][0]["style"] == "primary"
    assert link["elements"][0]["url"] == "https://shop.example/" and "value" not in link["elements"][0]
    assert link["block_id"].startswith("links:")


@pytest.mark.parametrize(
    ("count", "menu", "kind"), [(10, False, "button"), (11, False, "static_select"), (3, True, "static_select")]
)
def test_many_choices_are_a_menu(count: int, menu: bool, kind: str) -> None:
    rows = shown(Reply("?", buttons(count), menu=menu)).below
    assert {element["type"] for row in rows for element in row["elements"]} == {kind}


def test_a_picture_is_shown_a_file_with_an_address_linked_and_the_rest_uploaded() -> None:
    files = (
        Attachment("lamp.png", "image/png", url="https://shop.example/lamp.png"),
        Attachment("terms.pdf", "application/pdf", url="https://shop.example/terms.pdf?a=1&b=2"),
        Attachment("label.pdf", "application/pdf", digest="0" * 64),
    )
    found = shown(Reply("Here:", files=files))
    assert [block["type"] for block in found.whole] == ["section", "image", "section"]
    assert found.whole[-1]["text"]["text"] == "<https://shop.example/terms.pdf?a=1&amp;b=2|terms.pdf>"
    assert found.uploads == files[2:]


@pytest.mark.parametrize(
    "reply",
    [
        Reply("x", buttons(120)),
        Reply("x", buttons(100), menu=True),
        Reply("x" * 3400, buttons(9), files=(Attachment("a.png", "image/png", url="https://a.example/a.png"),)),
        Reply("", buttons(2)),
        Reply("   "),
        Reply("", (Button("a", ""), Button("b", "L" * 200, url="https://a.example/" + "x" * 5000))),
        Reply("\u200b"),
    ],
)
def test_slack_takes_whatever_the_house_hands_over(reply: Reply) -> None:
    for part in fit(reply, ADAPTER.capabilities):
        assert refusal(shown(part, user="U0CUSTOMER", thread="1700000000.000100").whole) is None


def test_the_choice_takes_the_place_of_all_rows() -> None:
    found = settled(shown(Reply("?", buttons(7)), user="U1").whole, "Choice <3>")
    assert [block["type"] for block in found] == ["section", "context"]
    assert found[-1]["elements"][0]["text"] == "✓ Choice &lt;3&gt;"


def test_without_blocks_the_choices_are_a_list() -> None:
    reply = Reply("**Well** <!here>?", (Button("a", "Yes"), Button("b", "Shop", url="https://shop.example/")))
    assert without_blocks(reply) == "Well &lt;!here&gt;?\n\n• Yes\n• Shop: https://shop.example/"


def test_a_reply_can_be_looked_at_before_it_is_sent() -> None:
    reply = Reply("**Well**?", (*buttons(2), Button("s", "Shop", url="https://shop.example/")))
    found = SlackAdapter.render(reply)
    assert found.text == "Well?\n[ Choice 0 ] [ Choice 1 ]\n[ Shop ↗ ] https://shop.example/"
    assert found.requests[0]["method"] == "chat.postMessage"
    assert found.warnings == ()


def test_what_does_not_fit_is_said() -> None:
    reply = Reply("?", (*buttons(101), Button("l", "L" * 76), Button("p", "Phone", asks="phone")))
    warnings = SlackAdapter.render(reply).warnings
    assert any("76 characters; Slack shows 75" in warning for warning in warnings)
    assert any("at most 100" in warning for warning in warnings)
    assert any("asks for the customer's phone" in warning for warning in warnings)
