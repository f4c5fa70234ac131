"""Every example in the documentation can be loaded and has no mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from supportbot.dialogue import build, check
from supportbot.dialogue.grammar import FlowFile

TEXT = (Path(__file__).parents[3] / "docs" / "flows.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.split("\n", 1)[0] for example in EXAMPLES])
def test_an_example_is_a_valid_flow(example: str) -> None:
    assert FlowFile.model_validate(yaml.safe_load(example)).steps


def test_the_examples_together_have_no_errors() -> None:
    files = {str(number): yaml.safe_load(example) for number, example in enumerate(EXAMPLES)}
    book = build({name: FlowFile.model_validate(written) for name, written in files.items()})
    assert [one for one in check(book, languages=["en", "de"]) if one.level == "error"] == []
    assert len(book.flows) >= 10


def test_every_link_inside_the_page_leads_to_a_heading() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", TEXT, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= headings
