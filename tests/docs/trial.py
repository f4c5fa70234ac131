"""What it means to try an example of a page: each kind of block is run, loaded, sent or read as a user would."""

from __future__ import annotations

import asyncio
import configparser
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import typer.main
import yaml
from pages import ROOT, Block
from scripts import attributes, calls, checked, events
from tags import read as tags_of
from terminal import Terminal

from supportbot import assembly
from supportbot.cli.app import app
from supportbot.config import bundled, load
from supportbot.knowledge import articles
from supportbot.prompts import Prompts, Situation
from supportbot.sandbox import Templates
from supportbot.testing import ScriptedModel, serving
from supportbot.testing.receiver import signed_headers
from supportbot.testing.site import SECRET
from supportbot.toolfiles import ToolFile
from supportbot.types import ChatMessage, User
from supportbot_helpdesk.mapping import HelpdeskMapping
from supportbot_webhook.inbound import KINDS

CONFIG_KEYS = set(yaml.safe_load(bundled("config.example.yaml").read_text("utf-8")))
ENVIRONMENT = {f"{name}_SECRET": "whsec_" + "A" * 32 for name in ("HELPDESK", "NOTIFY", "OIDC", "SITE", "WEBHOOK")}
ENVIRONMENT |= {"HELPDESK_TOKEN": "token-of-nobody"}
ENVIRONMENT |= {f"MATTERMOST_{name}_TOKEN": "token-of-nobody" for name in ("BOT", "WEBHOOK")}
ENVIRONMENT |= {
    "TELEGRAM_BOT_TOKEN": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "TELEGRAM_WEBHOOK_SECRET": "nobody",
}
ENVIRONMENT |= {
    "SLACK_BOT_TOKEN": "xoxb-of-nobody-at-all",
    "SLACK_APP_TOKEN": "xapp-of-nobody-at-all",
    "SLACK_SIGNING_SECRET": "0" * 32,
}
SECRET_FILE = "whsec_" + "C" * 32


class Trial:
    """Tries the blocks of one page."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.terminal = terminal
        self.flows = folder / "flows"
        self._folders = (folder / f"bot-{number}" for number in range(1000))

    def run(self, block: Block) -> None:
        if "not run" in block.marks or block.language == "text":
            return
        if "file" in block.marks:
            file = self.terminal.folder / block.marks["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.terminal.swapped(block.text), "utf-8")
            if block.language not in ("yaml", "json"):
                return
        if "edit" in block.marks:
            self._edit(block)
        if "merge" in block.marks:
            self._merge(
                self.terminal.folder / block.marks["merge"], yaml.safe_load(self.terminal.swapped(block.text))
            )
            _loads(self.terminal.folder, block.place)
            return
        assert block.language in self.WAYS, (
            f"{block.place}: nobody knows how to try {block.language or 'a bare block'}"
        )
        self.WAYS[block.language](self, block)

    def _edit(self, block: Block) -> None:
        name, _, change = block.marks["edit"].partition(": ")
        old, _, new = change.partition(" -> ")
        file = self.terminal.folder / name
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{block.place}: {old!r} stands {text.count(old)} times in {name}"
        file.write_text(text.replace(old, new), "utf-8")

    def _merge(self, file: Path, keys: Mapping[str, Any]) -> None:
        written = yaml.safe_load(file.read_text("utf-8")) or {}
        file.write_text(yaml.safe_dump(_merged(written, keys), sort_keys=False, allow_unicode=True), "utf-8")

    def console(self, block: Block) -> None:
        self.terminal.type(block)

    def sh(self, block: Block) -> None:
        """Commands to copy, without prompts and output."""
        typed = "".join(f"$ {line}\n" for line in block.text.splitlines())
        self.terminal.type(replace(block, text=typed))

    def python(self, block: Block) -> None:
        self.terminal.python(block.text, block.place)

    def yaml(self, block: Block) -> None:
        written = yaml.safe_load(block.text)
        assert isinstance(written, dict), f"{block.place}: not a mapping"
        folder = next(self._folders)
        if "flow" in written:
            self.flows.mkdir(exist_ok=True)
            (self.flows / f"{written['flow']}.yaml").write_text(block.text, "utf-8")
        elif set(written) <= CONFIG_KEYS:
            _loads(_bot(folder, config=written), block.place)
        elif "helpdesk" in written:
            HelpdeskMapping.model_validate(written)
        elif "base" in written:
            ToolFile.model_validate({**written, "base": "http://127.0.0.1"})
        elif "name" in written:
            _loads(_bot(folder, persona=block.text), block.place)
        else:
            raise AssertionError(f"{block.place}: neither a flow nor a config nor a persona")

    def json(self, block: Block) -> None:
        written = json.loads(block.text)
        kind = written.get("type", "message")
        assert kind in KINDS or kind in _leaving(), f"{block.place}: nothing of type {kind} comes or goes"
        if kind in KINDS and "handoff" not in written:
            asyncio.run(_is_taken(written, block.place, next(self._folders)))
        else:
            assert _shape(written) == _shape(_leaving()[kind]), f"{block.place}: not what is sent"

    def jinja(self, block: Block) -> None:
        folder = _bot(next(self._folders), persona="name: Mia\nsystem: own.j2\n")
        (folder / "prompts" / "own.j2").write_text(block.text, "utf-8")
        files = _loads(folder, block.place)
        prompts = Prompts(files.persona, Templates(files.templates), {"name": "Acme"})
        now = datetime(2026, 5, 3, tzinfo=UTC)
        situation = Situation("Acme", files.persona, User("u"), "web", "en", {}, now)
        assert prompts.messages(situation, (), (ChatMessage("user", "Hello"),))[0].content

    def markdown(self, block: Block) -> None:
        assert articles.parse(block.text, "page.md").title, f"{block.place}: the article has no title"

    def ini(self, block: Block) -> None:
        """A systemd unit: it can be read, and it starts a command that exists."""
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment, method-assign]
        unit.read_string(block.text)
        command = unit["Service"]["ExecStart"].split()
        assert command[0].endswith("/supportbot"), block.place
        assert command[1] in commands(), f"{block.place}: there is no command {command[1]}"

    def html(self, block: Block) -> None:
        """Well-formed, and its scripts are those that a bot serves, with attributes that the widget reads."""
        for tag in tags_of(block.text, block.place):
            if tag.name == "script" and "src" in tag.attributes:
                assert tag.attributes["src"].endswith("/chat/widget.js"), block.place
                given = {name for name in tag.attributes if name.startswith("data-")}
                assert given <= attributes(), f"{block.place}: the widget does not read {given - attributes()}"

    def js(self, block: Block) -> None:
        """It can be parsed, and asks of the widget only what it has."""
        called = set(re.findall(r"\bsupportbot\.(\w+)\(", block.text))
        assert called <= calls(), f"{block.place}: window.supportbot has no {called - calls()}"
        heard = set(re.findall(r"\bsupportbot\.on\(\"(\w+)\"", block.text))
        assert heard <= events(), f"{block.place}: there is no event {heard - events()}"
        checked(block.text, block.place)

    def finish(self, place: str) -> None:
        """A page's flows are one bot's: they may run each other."""
        if self.flows.exists():
            folder = _bot(next(self._folders))
            shutil.copytree(self.flows, folder / "flows", dirs_exist_ok=True)
            _loads(folder, place)

    WAYS: ClassVar[dict[str, Callable[[Trial, Block], None]]] = {
        "console": console,
        "sh": sh,
        "python": python,
        "yaml": yaml,
        "json": json,
        "jinja": jinja,
        "markdown": markdown,
        "ini": ini,
        "html": html,
        "js": js,
    }


def _merged(first: Any, second: Any) -> Any:
    if isinstance(first, dict) and isinstance(second, dict):
        return {**first, **{key: _merged(first.get(key), value) for key, value in second.items()}}
    return second


def _bot(folder: Path, *, config: Mapping[str, Any] | None = None, persona: str = "name: Mia\n") -> Path:
    """A bot's folder with every file that an example may name."""
    for name in ("prompts", "flows", "knowledge", "secrets"):
        (folder / name).mkdir(parents=True)
    shutil.copytree(bundled("prompts"), folder / "prompts", dirs_exist_ok=True)
    for name in ("openai", "helpdesk"):
        (folder / "secrets" / name).write_text(SECRET_FILE, "utf-8")
        (folder / "secrets" / name).chmod(0o600)
    shutil.copytree(bundled("tools"), folder / "tools")
    (folder / "helpdesks").mkdir()
    shutil.copyfile(ROOT / "tests" / "adapters" / "helpdesk" / "tiny.yaml", folder / "helpdesks" / "mine.yaml")
    for name in ("shop_tools.py", "shop.sql"):
        shutil.copyfile(bundled(name), folder / name)
    (folder / "prompts" / "persona.yaml").write_text(persona, "utf-8")
    whole = _merged({"bot": {"name": "Acme"}}, config or {})
    (folder / "config.yaml").write_text(yaml.safe_dump(whole), "utf-8")
    return folder


def _loads(folder: Path, place: str) -> Any:
    """The bot's files, which have no findings and whose channels can be built."""
    files = load(folder / "config.yaml", env=ENVIRONMENT)
    assembly.adapters(files)
    errors = [finding for finding in files.findings if finding.level == "error"]
    assert errors == [], f"{place}: {errors}"
    return files


async def _is_taken(payload: Mapping[str, Any], place: str, folder: Path) -> None:
    """Sends the payload, as it stands, to a running bot."""
    body = json.dumps(payload).encode()
    headers = signed_headers(SECRET, str(payload.get("id", "none")), body)
    async with serving(folder, model=ScriptedModel(["Hello."], repeat=True)) as site:
        answer = await site.http.post(f"{site.url}/webhook/desk", content=body, headers=headers)
    assert answer.status_code == 202, f"{place}: {answer.text}"


_seen: dict[str, Mapping[str, Any]] = {}


def _leaving() -> Mapping[str, Mapping[str, Any]]:
    """One real payload of each type that leaves, from a conversation that went to a human and back."""
    if not _seen:
        _seen.update(asyncio.run(_recorded()))
    return _seen


async def _recorded() -> Mapping[str, Mapping[str, Any]]:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = _bot(Path(name) / "bot")
        shutil.copytree(bundled("flows"), folder / "flows", dirs_exist_ok=True)
        config = {"tools": {"modules": ["shop_tools.py"], "rules": {"cancel_order": _FREE}}}
        async with serving(folder, config=config) as site:
            await site.post("/start")
            await site.say("cancel A-10003")
            await site.say("20457")
            for kind in ("handoff.claimed", "handoff.returned", "handoff.claimed", "handoff.resolved"):
                await site.post("/human")
                await site.post(type=kind, user={"id": "ana", "name": "Ana"})
            await site.payloads(11)
            found = {one.payload["type"]: one.payload for one in reversed(site.receiver.accepted)}
    return found


_FREE = {"confirm": False, "approve": "human"}


def _shape(value: Any) -> Any:
    """Keys and kinds of values; of a list its first entry, and an empty one fits any."""
    if isinstance(value, Mapping):
        return {key: _shape(inner) for key, inner in value.items()}
    return type(value).__name__ if not isinstance(value, int | float) else "number"


def commands() -> set[str]:
    """`serve`, `db backup`, … as the command line has them."""
    root = typer.main.get_command(app)
    groups: Mapping[str, Any] = root.commands  # type: ignore[attr-defined]
    inner = {f"{name} {one}" for name, group in groups.items() for one in getattr(group, "commands", {})}
    return set(groups) | inner
