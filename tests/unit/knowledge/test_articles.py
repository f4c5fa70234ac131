from __future__ import annotations

from pathlib import Path

import pytest

from supportbot.errors import ConfigError
from supportbot.knowledge import articles
from supportbot.knowledge.articles import load, parse
from supportbot.knowledge.markdown import LONG, PASSAGE


def _write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_articles_are_found_in_folders_and_files_once_and_in_order(tmp_path: Path) -> None:
    _write(tmp_path, "help/b.md", "# B\ntext")
    _write(tmp_path, "help/deep/a.txt", "plain")
    _write(tmp_path, "one.md", "# One\ntext")
    found = load([Path("help"), Path("one.md"), Path("help/b.md")], tmp_path)
    assert [article.source for article in found] == ["help/b.md", "help/deep/a.txt", "one.md"]


def test_hidden_and_foreign_and_empty_files_are_left_out(tmp_path: Path) -> None:
    for name in ("k/.hidden.md", "k/.git/x.md", "k/picture.png", "k/notes.md.bak"):
        _write(tmp_path, name, "secret")
    _write(tmp_path, "k/empty.md", "# Only a title\n")
    assert load([Path("k")], tmp_path) == ()


def test_every_bad_file_is_named_with_its_place(tmp_path: Path) -> None:
    _write(tmp_path, "k/latin.md", b"# Title\nCaf\xe9")
    _write(tmp_path, "k/big.md", b"x" * (articles.MAX_FILE + 1))
    with pytest.raises(ConfigError) as caught:
        load([Path("k"), Path("gone")], tmp_path)
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 3
    assert str(tmp_path / "gone") in told[0]
    assert told[1].startswith("k/big.md: larger than 1 MiB")
    assert told[2].startswith("k/latin.md:2:4: not UTF-8")


def test_a_file_that_is_no_article_is_refused_when_it_is_named_itself(tmp_path: Path) -> None:
    _write(tmp_path, "faq.pdf", b"%PDF")
    with pytest.raises(ConfigError, match=r"faq\.pdf: not an article"):
        load([Path("faq.pdf")], tmp_path)


def test_an_article_outside_the_folder_is_quoted_by_its_name_only(tmp_path: Path) -> None:
    path = _write(tmp_path, "elsewhere/x.md", "text")
    assert load([path], tmp_path / "bot")[0].source == "x.md"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: Shipping: times\n---\n# Other\ntext", "Shipping: times"),
        ('---\nlang: en\ntitle: "Quoted"\n---\ntext', "Quoted"),
        ("# First\ntext\n# Second\nmore", "First"),
        ("First\n=====\ntext", "First"),
        ("no heading", "Delivery times"),
        ("---\n\nonly a rule above", "Delivery times"),
        ("\ufeff# After a mark\r\ntext", "After a mark"),
    ],
)
def test_the_title_comes_from_front_matter_then_heading_then_file_name(text: str, title: str) -> None:
    assert parse(text, "k/delivery-times.md").title == title


def test_passages_carry_the_headings_above_them() -> None:
    article = parse("# T\nintro\n## A ##\none\n### A1\ntwo\n\nB\n---\nthree", "t.md")
    assert [(section.path, section.text) for section in article.sections] == [
        ((), "intro"),
        (("A",), "one"),
        (("A", "A1"), "two"),
        (("B",), "three"),
    ]


def test_what_looks_like_a_heading_in_code_is_code() -> None:
    (section,) = parse("```sh\n# comment\n\n<!-- kept -->\n```", "t.md").sections
    assert section.text == "```sh\n# comment\n\n<!-- kept -->\n```"


def test_comments_are_not_shown_to_customers() -> None:
    article = parse("before <!-- ask Eve\n\n# No heading\nabout it --> after", "t.md")
    assert "Eve" not in str(article)
    assert "No heading" not in str(article)
    assert "after" in article.sections[-1].text


@pytest.mark.parametrize(
    "block",
    [
        "```\n" + "code line\n\n" * 300 + "```",
        "| a | b |\n|---|---|\n" + "\n".join("| 1 | 2 |" for _ in range(400)),
        "\n\n".join(f"{number}. step {number}" for number in range(1, 300)),
        "- one\n\n  ```\n  code\n  ```\n\n- two " + "word " * 500,
    ],
    ids=["code", "table", "numbered list", "list with code"],
)
def test_code_tables_and_lists_stay_whole(block: str) -> None:
    article = parse(f"Intro. {'x ' * 400}\n\n{block}\n\nOutro. {'y ' * 400}", "t.md")
    assert [section.text for section in article.sections if block.strip() in section.text]


def test_long_sections_are_split_at_paragraphs() -> None:
    paragraphs = [f"Paragraph {number}. " + "word " * 60 for number in range(20)]
    article = parse("\n\n".join(paragraphs), "t.md")
    assert len(article.sections) > 5
    assert all(len(section.text) <= PASSAGE for section in article.sections)
    assert "\n\n".join(section.text for section in article.sections) == "\n\n".join(map(str.strip, paragraphs))


def test_an_endless_paragraph_is_split_where_sentences_end() -> None:
    article = parse("This is a sentence of some length. " * 500, "t.txt")
    assert all(len(section.text) <= LONG and section.text.endswith("length.") for section in article.sections)


def test_a_list_stays_with_the_line_that_announces_it() -> None:
    article = parse(
        "word " * 130 + "Do this:\n\n" + "\n".join(f"- item {n} " + "w " * 20 for n in range(10)), "t.md"
    )
    assert any("Do this:\n\n- item 0" in section.text for section in article.sections)
