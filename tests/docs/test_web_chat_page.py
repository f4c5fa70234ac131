"""The page about the web chat tells all of it, and nothing else: options, attributes, calls, events, routes, signers."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pages import ROOT, Page, pages
from scripts import attributes, calls, events, node, parts
from starlette.routing import Route

from supportbot.config.settings import IdentitySettings
from supportbot.identity import Proofs
from supportbot.types import Identity
from supportbot_web import WebAdapter
from supportbot_web.settings import KNOWN, read
from supportbot_web.words import WORDS

(PAGE,) = (page for page in pages() if page.name == "docs/web-chat.md")
SECRET = "of-nobody-" * 4
ROWS = re.compile(r"^\| (.*?) \| (.*?) \| (.*) \|$", re.M)


def section(title: str, page: Page = PAGE) -> str:
    """A section's text, with its blocks."""
    (found,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page.text, re.M | re.S)
    return found


def first_column(text: str) -> list[str]:
    """Every name in backticks that stands in the first column of a table."""
    heads = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    return [name for head in heads for name in re.findall(r"`([^`]+)`", head)]


def test_the_options_are_those_that_are_read() -> None:
    listed = [name for name in first_column(section("Options")) if not name.startswith("data-")]
    assert sorted(listed) == sorted({*KNOWN, "burst_wait"})


def test_the_defaults_are_those_that_are_used() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in ROWS.findall(section("Options"))}
    used = read("web", {})
    for name in ("accent", "position", "theme", "text_limit", "rate", "streams"):
        assert told[name] == str(getattr(used, name)), name
    assert told["keep"] == str(int(used.keep / 86_400))
    assert told["uploads"] == str(used.uploads).lower()
    assert told["upload_types"] == f"[{', '.join(used.upload_types)}]"
    assert read("web", {"max_upload": told["max_upload"]}).max_upload == used.max_upload
    assert told["burst_wait"] == f"{WebAdapter.capabilities.burst_wait}s"


def test_the_attributes_are_those_that_the_widget_reads() -> None:
    listed = [name for name in first_column(section("Options")) if name.startswith("data-")]
    assert sorted(listed) == sorted(attributes())


def test_every_call_and_event_of_the_script_is_told() -> None:
    told = first_column(section("Its JavaScript"))
    assert {name.partition("(")[0] for name in told if "(" in name} == calls()
    assert {name for name in told if "(" not in name} == events()


def test_the_named_parts_and_languages_are_there() -> None:
    text = section("Look and language")
    listed = text.partition("There are")[2].partition(".")[0]
    assert set(re.findall(r"`(\w+)`", listed)) <= parts()
    assert len(re.findall(r"English, German, French, Spanish, Arabic and Hebrew", text)) == 1
    assert set(WORDS) == {"en", "de", "fr", "es", "ar", "he"}


def test_every_route_of_the_api_is_told() -> None:
    told = set()
    for line in first_column(section("Your own front end")):
        if found := re.match(r"(GET|POST|DELETE) (/\w+(?:/ID)?)", line):
            told.add((found[1], found[2].replace("/ID", "/{id}")))
    served = {
        (method, route.path.removeprefix("/chat"))
        for route in WebAdapter("web", {}).routes()
        if isinstance(route, Route) and "/app/" not in route.path
        for method in (route.methods or ()) - {"HEAD", "OPTIONS"}
    }
    assert told == served - {("GET", ""), ("GET", "/widget.js")}


@pytest.mark.parametrize("name", ["sign.py", "sign.mjs"])
def test_a_token_that_the_page_signs_holds(name: str, tmp_path: Path) -> None:
    (block,) = (block for block in PAGE.blocks if block.marks.get("file") == name)
    program = sys.executable if name.endswith(".py") else node()
    if program is None:
        pytest.skip("node, which signs as the page shows it")
    (tmp_path / name).write_text(block.text, "utf-8")
    environment = {"SITE_SECRET": SECRET, "PATH": "", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [program, name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    proofs = Proofs(IdentitySettings.model_validate({"secrets": [SECRET]}))
    found = proofs.identity(ran.stdout.strip(), now=time.time(), log=lambda *_, **__: None)
    assert isinstance(found, Identity)
    assert (found.customer, found.name) == ("cust-31", "Ada")
