"""The files on the page are the files of the package that the tests install: one text in two places."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from pages import ROOT, pages

PACKAGE = ROOT / "tests" / "adapters" / "third_party" / "mattermost_supportbot"
SHOWN = {
    PurePosixPath(block.marks["file"]).name: block
    for page in pages()
    if page.name == "docs/writing-an-adapter.md"
    for block in page.blocks
    if "file" in block.marks
}


def test_the_page_shows_the_whole_package() -> None:
    assert set(SHOWN) == {path.name for path in PACKAGE.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_file_on_the_page_is_the_file_that_is_tested(name: str) -> None:
    block = SHOWN[name]
    assert block.text == (PACKAGE / name).read_text("utf-8"), f"{block.place}: copy {name} from {PACKAGE} here"
