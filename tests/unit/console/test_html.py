"""Markdown as the console shows it: whatever somebody wrote, nothing of it becomes markup of its own."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.console.html import markdown, plain_lines, unmarked

ALLOWED = {
    "p": {"class", "dir"},
    "span": {"class"},
    "strong": set(),
    "em": set(),
    "s": set(),
    "code": set(),
    "br": set(),
    "hr": set(),
    "blockquote": set(),
    "pre": {"class", "dir", "tabindex"},
    "a": {"href", "target", "rel"},
    "div": {"class", "tabindex"},
    "table": set(),
    "thead": set(),
    "tbody": set(),
    "tr": set(),
    "th": {"class", "dir"},
    "td": {"class", "dir"},
}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](//evil.example/a)",
    '[x](https://a.example/" onmouseover="alert(1))',
    "[x](<https://a.example/'><script>alert(1)</script>>)",
    "![x](https://evil.example/pixel.png)",
    "![x](javascript:alert(1))",
    "<https://a.example/?<script>>",
    "`<b>`",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    '```" onload="x\nx\n```',
    '| <img src=x> | b |\n|---|---|\n| <script> | "x |',
    "# <iframe src=//evil.example>",
    "> <form action=//evil.example><input>",
    "- <style>*{display:none}</style>",
    "**<b onclick=x>**",
    "&lt;script&gt; &#60;script&#62;",
    "<!-- --><a href=javascript:alert(1)>x</a>",
    "[a]: javascript:alert(1)\n\n[a]",
]


class Seen(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(str(html))  # a Markup would escape what the parser adds to it
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")


def harmless(html: str) -> Seen:
    seen = Seen(html)
    for tag, attributes in seen.tags:
        assert tag in ALLOWED, (tag, html)
        assert set(attributes) <= ALLOWED[tag], (tag, attributes)
        if tag == "a":
            assert re.match(r"(https?://|mailto:|tel:)", attributes["href"] or ""), attributes
            assert attributes["rel"] == "noopener noreferrer nofollow"
            assert attributes["target"] == "_blank"
    return seen


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_brings_no_markup_of_its_own(text: str) -> None:
    harmless(markdown(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_customers_words_are_shown_as_they_are(text: str) -> None:
    seen = harmless(plain_lines(text))
    assert {tag for tag, _ in seen.tags} <= {"br"}
    assert seen.text == text.replace("\n", "")


@given(st.text(alphabet=st.sampled_from("<>\"'&[]()`*_~#|!-\\:/.\n ajvscript1é\u202e"), max_size=80))
def test_no_text_at_all_brings_markup_of_its_own(text: str) -> None:
    harmless(markdown(text))
    harmless(plain_lines(text))


def test_what_markdown_means_is_shown() -> None:
    html = markdown("Hello **Ada**,\n\n1. *one*\n2. `two`\n\n> ~~no~~\n\n[page](https://example.com/?a=1&b=2)")
    assert "<strong>Ada</strong>" in html
    assert "<em>one</em>" in html and "<code>two</code>" in html
    assert "<blockquote>" in html and "<s>no</s>" in html
    assert 'href="https://example.com/?a=1&amp;b=2"' in html


def test_a_heading_is_no_part_of_the_pages_outline() -> None:
    assert markdown("# Big") == '<p class="heading" dir="auto">Big</p>'


def test_a_table_has_its_header_and_cells() -> None:
    html = markdown("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert '<th class="left" dir="auto">a</th>' in html
    assert '<td class="right" dir="auto">2</td>' in html


def test_each_block_of_text_finds_its_own_direction() -> None:
    assert all('dir="auto"' in part for part in markdown("سلام\n\nhello").split("</p>") if part)


def test_lines_of_a_summary_lose_their_marks_and_stay_lines() -> None:
    assert unmarked("Bot: Order **A-1** is `late`\nCustomer: <b>why</b>?") == (
        "Bot: Order A-1 is late\nCustomer: <b>why</b>?"
    )
