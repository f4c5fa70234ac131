"""The bot's Markdown in Slack's notation: it looks right, fits, and lets nothing through that acts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supportbot.testing.slack.rules import refusal
from supportbot.types import Reply
from supportbot_slack.blocks import shown
from supportbot_slack.mrkdwn import SECTION, length, sections
from supportbot_slack.streaming import so_far, streamed

Z = "\u200b"
ACTIVE = re.compile(r"<(?!(?:https?://|mailto:)[^\s<>|]+(?:\|[^<>]*)?>)")


def one(text: str) -> str:
    (found,) = sections(text)
    return found


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("**bold** and *italic* and ~~gone~~ and `code`", "*bold* and _italic_ and ~gone~ and `code`"),
        ("***both***", "*_both_*"),
        ("# Heading", "*Heading*"),
        ("**Total**: 5 (**net**)", "*Total*: 5 (*net*)"),
        ("un**believ**able", f"un{Z}*believ*{Z}able"),
        ("**a**_b_", f"*a*{Z}_b_"),
        ("**two\nlines**", "*two*\n*lines*"),
        ("- one\n  - two\n\n1. first\n2. second", "• one\n    • two\n\n1. first\n2. second"),
        ("> said\n> twice\n\nend", "> said\n> twice\n\nend"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("[shop](https://shop.example/?a=1&b=2)", "<https://shop.example/?a=1&amp;b=2|shop>"),
        ("https://shop.example/x_y_z", "<https://shop.example/x_y_z>"),
        ("<ada@home.example>", "<mailto:ada@home.example>"),
        ("**[shop](https://shop.example/)**", "*<https://shop.example/|shop>*"),
        ("[call](tel:+441234)", "call (+441234)"),
        ("```py\nif a < b:\n    *x*\n```", "```\nif a &lt; b:\n    *x*\n```"),
        ("| a | b |\n|---|--:|\n| lamp | 12 |", "```\na      b\n----  --\nlamp  12\n```"),
    ],
)
def test_markdown_becomes_mrkdwn(markdown: str, mrkdwn: str) -> None:
    assert one(markdown) == mrkdwn


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        (r"snake_case_name 2\*3\*4 2 * 3 a~b", "snake_case_name 2*3*4 2 * 3 a~b"),
        (r"\*not bold\*", f"{Z}*{Z}not bold{Z}*{Z}"),
        (r"(\*) 5€\*", f"({Z}*{Z}) 5€{Z}*{Z}"),
        (r"\> no quote", f"{Z}&gt; no quote"),
        (r"\`no code\`", "ˋno codeˋ"),
        ("a & b < c > d", "a &amp; b &lt; c &gt; d"),
    ],
)
def test_plain_text_formats_nothing(markdown: str, mrkdwn: str) -> None:
    assert one(markdown) == mrkdwn


@pytest.mark.parametrize(
    "text",
    [
        "<!channel> <!here> <!everyone>",
        "<@U0OTHER> <#C0SUPPORT> <!subteam^S0DESK>",
        "<https://evil.example|your bank>",
        "[x](https://a.example/|><!channel>)",
        "[a|b>c<!here>](https://a.example/)",
        "[x](javascript:alert(1)) [y](slack://open) [z](data:text/html,x)",
        "`<!channel>` and\n```\n<!channel>\n```\n",
        "| <!channel> | b |\n|---|---|\n| <@U0OTHER> | d |",
        "> <!channel>\n\n# <!here>\n\n- <@U0OTHER>",
        "&lt;!channel&gt; &#60;!channel&#62; \\<!channel\\>",
    ],
)
def test_no_data_can_mention_call_or_link(text: str) -> None:
    for piece in sections(text):
        assert not ACTIVE.search(piece), piece
        for link in re.findall(r"<([^>|]+)", piece):
            assert link.startswith(("https://", "http://", "mailto:"))
    assert "<" not in shown(Reply(text)).text


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="<>@#!|&;*_~`[]()\\ \nUhttps:/.ab1-", max_size=80))
def test_nothing_that_acts_ever_comes_out(text: str) -> None:
    for piece in sections(text):
        assert not ACTIVE.search(piece), piece


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["word ", "**b** ", "\n\n", "\n- item ", "\n```\ncode < x\n```\n", "&", "https://a.example/b "]
        ),
        max_size=900,
    ).map("".join)
)
def test_every_section_fits_and_slack_takes_the_blocks(text: str) -> None:
    pieces = sections(text)
    assert all(0 < len(piece) <= SECTION for piece in pieces)
    assert length(text) >= sum(map(len, pieces))
    assert refusal(shown(Reply(text)).whole) is None or len(pieces) > 4


def test_a_long_code_block_is_fenced_in_every_part() -> None:
    pieces = sections("```\n" + "x = 1\n" * 1500 + "```")
    assert len(pieces) == 4
    assert all(piece.startswith("```\n") and piece.endswith("\n```") for piece in pieces)


def test_no_part_ends_inside_an_entity_or_a_link() -> None:
    for text in ("&" * 4000, "a" * 2990 + " [label](https://shop.example/a) b", "<" * 4000):
        for piece in sections(text):
            assert not re.search(r"&[a-z]{0,3}\Z", piece)
            assert piece.count("<") == piece.count(">")


# --- what is streamed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("<!channel> <@U1> <#C1>", f"<{Z}!channel> <{Z}@U1> <{Z}#C1>"),
        ("<https://evil.example|bank>", f"<{Z}https://evil.example|bank>"),
        ("[a](https://b.example) [c](slack://x)", f"[a](https://b.example) [c]{Z}(slack://x)"),
        ("1 < 2 and a[0](1)", f"1 < 2 and a[0]{Z}(1)"),
    ],
)
def test_a_streamed_text_mentions_nobody_either(text: str, safe: str) -> None:
    assert streamed(text) == safe


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="<>@!|[]()htps:/malo ab", max_size=60), st.data())
def test_what_was_streamed_is_always_a_beginning_of_what_follows(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    assert streamed(text).startswith(so_far(text[:cut]))
