"""The page about the console tells of every command, role, key and log event that there is."""

from __future__ import annotations

import re

import typer.main
from pages import ROOT, pages

from supportbot.cli.app import app
from supportbot.types.console import ROLES

(PAGE,) = (page for page in pages() if page.name == "docs/console.md")
CONSOLE = ROOT / "supportbot" / "console"


def test_every_command_is_told() -> None:
    group = typer.main.get_command(app).commands["console"]  # type: ignore[attr-defined]
    assert [name for name in group.commands if f"`supportbot console {name}" not in PAGE.prose] == []


def test_every_role_is_told() -> None:
    assert re.findall(r"^\| `(\w+)` \| (?:see|also)", PAGE.prose, re.M) == list(ROLES)


def test_the_keys_are_those_of_the_help() -> None:
    (help_,) = re.findall(
        r'<dl class="keys">(.*?)</dl>', (CONSOLE / "templates" / "base.html").read_text("utf-8"), re.S
    )
    table = PAGE.prose.partition("## By keyboard")[2].partition("\n## ")[0]
    told = re.sub(
        r"[`+,]", " ", " ".join(line.split(" | ")[0] for line in table.splitlines() if line.startswith("| "))
    )
    assert set(re.findall(r"<kbd>(.*?)</kbd>", help_)) == set(told.replace("|", " ").split()) - {"key"}


def test_every_dashboard_figure_of_the_overview_is_told() -> None:
    source = (CONSOLE / "sections.py").read_text("utf-8")
    (overview,) = re.findall(r"async def overview\(.*?(?=\n# ---)", source, re.S)
    tiles = re.findall(r'(?:counted|compared|timed|Tile)\(\s*"([^"]+)"', overview)
    figures = PAGE.prose.partition("## Dashboards")[2].partition("\n## ")[0]
    told = re.findall(r"^\| ([^|]+) \|", figures, re.M)
    missing = [tile for tile in tiles if not any(tile.partition(",")[0].startswith(name) for name in told)]
    assert len(tiles) == 8
    assert missing == []


def test_the_events_of_the_log_are_logged() -> None:
    source = "".join(file.read_text("utf-8") for file in CONSOLE.glob("*.py"))
    logged = set(re.findall(r'\blog\(\s*"(console\.\w+)"', source))
    told = set(re.findall(r"`(console\.(?:signed|sign|single|refused)\w*)`", PAGE.prose))
    assert told <= logged
    assert {"console.signed_in", "console.sign_in_failed", "console.refused"} <= told
