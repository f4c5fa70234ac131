"""What the web chat's widget offers, read from its own source; and JavaScript of the pages."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache

from pages import ROOT

STATIC = ROOT / "adapters" / "supportbot_web" / "static"


def node() -> str | None:
    """Where Node is, None if there is none."""
    return shutil.which("node")


def checked(text: str, place: str) -> None:
    """AssertionError if Node cannot parse it as a module; without Node only its brackets are looked at."""
    found = node()
    if found is None:
        bare = re.sub(r"//.*|`[^`]*`|\"[^\"\n]*\"", "", text)
        assert all(bare.count(a) == bare.count(b) for a, b in ("()", "[]", "{}")), f"{place}: a bracket is missing"
        return
    parsed = subprocess.run(
        [found, "--input-type=module", "--check"], input=text, text=True, capture_output=True, check=False
    )
    assert parsed.returncode == 0, f"{place}: {parsed.stderr}"


@cache
def calls() -> frozenset[str]:
    """What `window.supportbot` has."""
    (inside,) = re.findall(r"window\.supportbot = Object\.freeze\(\{\n(.*?)\n  \}\);", _source("widget.js"), re.S)
    return frozenset(re.findall(r"^    (\w+)[:(,]", inside, re.M))


@cache
def events() -> frozenset[str]:
    """What `supportbot.on` hears of."""
    said = re.findall(r"\bhub\.(?:emit|ask)\((.*?)[,)]", "".join(_source(name) for name in _modules()))
    return frozenset(name for one in said for name in re.findall(r'"(\w+)"', one))


@cache
def attributes() -> frozenset[str]:
    """What the tag may have, as it is written in HTML."""
    source = _source("widget.js") + _source("app/main.js")
    (taken,) = re.findall(r"function customised\(config, \{ (.*?) \}\)", source)
    names = {*re.findall(r"\boptions\.(\w+)", source), *taken.split(", ")}
    return frozenset("data-" + re.sub("[A-Z]", lambda letter: "-" + letter[0].lower(), name) for name in names)


@cache
def parts() -> frozenset[str]:
    """What the page's CSS can name by `::part`."""
    source = "".join(_source(name) for name in _modules())
    named = re.findall(r'\bpart: "([\w ]+)"', source) + re.findall(r'\bbutton\("(\w+)"', source)
    return frozenset(word for one in named for word in one.split())


def _modules() -> list[str]:
    return ["widget.js", *(f"app/{path.name}" for path in sorted((STATIC / "app").glob("*.js")))]


def _source(name: str) -> str:
    return (STATIC / name).read_text("utf-8")
