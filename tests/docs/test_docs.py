"""Every example in README.md and docs/ is tried, in the order of its page, and every link leads somewhere."""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import json
import os
import random
import re
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
import typer.main
import yaml
from pages import ROOT, Block, Page, pages
from scripts import attributes, calls, checked, events
from tags import read as tags_of
from terminal import Terminal

from supportbot import assembly
from supportbot.cli.app import app
from supportbot.config import Config, bundled, load
from supportbot.knowledge import articles
from supportbot.persona import Persona
from supportbot.prompts import Prompts, Situation
from supportbot.sandbox import Templates
from supportbot.testing import FakeOpenAI, ScriptedModel, serving
from supportbot.testing.receiver import signed_headers
from supportbot.testing.site import SECRET
from supportbot.toolfiles import ToolFile
from supportbot.types import ChatMessage, User
from supportbot_helpdesk.mapping import HelpdeskMapping
from supportbot_webhook.inbound import KINDS

PAGES = pages()
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
NOT_RUN_AT_MOST = 5
SECRET_FILE = "whsec_" + "C" * 32


# --- the blocks ----------------------------------------------------------------------------------------------


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
        assert command[1] in _commands(), f"{block.place}: there is no command {command[1]}"

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


# --- the pages -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> Iterator[FakeOpenAI]:
    """A model server, so that examples with a key reach no real one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = FakeOpenAI()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def terminal(tmp_path: Path, model: FakeOpenAI) -> Iterator[Terminal]:
    """A new user's terminal: nothing set but what the page sets, `.venv` made, no way to OpenAI but the fake."""
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "OPENAI_BASE_URL": model.base_url,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")]),
        "PYTHONSAFEPATH": "",
    }
    swaps = {"9000": str(_free_port()), "sk-…": model.key}
    opened = Terminal(tmp_path, environment, port=_free_port(), swaps=swaps)
    for folder in (tmp_path / "bin", opened.home / ".venv" / "bin"):
        _commands_in(folder)
    yield opened
    opened.close()


def _free_port() -> int:
    """A port for a server that begins later: below those that the system gives to whoever asks meanwhile."""
    while True:
        port = random.SystemRandom().randrange(20_000, 29_000)
        with contextlib.suppress(OSError), socket.socket() as found:
            found.bind(("127.0.0.1", port))
            return port


def _commands_in(folder: Path) -> None:
    """What an activated environment offers, from the code under test."""
    folder.mkdir(parents=True)
    for name, arguments in (("supportbot", "-m supportbot "), ("python", ""), ("python3", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (folder / name).chmod(0o755)
    (folder / "activate").write_text(f'export PATH="{folder}:$PATH"\n')


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_example_of_a_page_works(page: Page, terminal: Terminal, tmp_path: Path) -> None:
    trial = Trial(terminal, tmp_path)
    for block in page.blocks:
        trial.run(block)
    trial.finish(page.name)


def test_few_examples_are_not_run_and_each_says_why() -> None:
    left_out = [block for page in PAGES for block in page.blocks if "not run" in block.marks]
    assert len(left_out) <= NOT_RUN_AT_MOST
    assert [block.place for block in left_out if len(block.marks["not run"]) < 10] == []


def test_no_block_is_left_open() -> None:
    assert [page.name for page in PAGES if re.search(r"^```", page.prose, re.M)] == []


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_of_a_page_leads_somewhere(page: Page) -> None:
    here = (ROOT / page.name).parent
    anchors = {str(ROOT / one.name): one.anchors for one in PAGES}
    for link in page.links:
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (here / path).resolve() if path else ROOT / page.name
        assert target.exists(), f"{page.name}: {link} leads nowhere"
        assert not anchor or anchor in anchors[str(target)], f"{page.name}: {link} leads to no heading"


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_picture_of_a_page_is_there_and_has_words_for_who_cannot_see_it(page: Page) -> None:
    for words, path in page.pictures:
        assert ((ROOT / page.name).parent / path).is_file(), f"{page.name}: there is no picture {path}"
        assert len(words) > 30, f"{page.name}: {path} has no words"


def test_every_page_is_reached_from_the_index() -> None:
    (index,) = [page for page in PAGES if page.name == "docs/index.md"]
    named = {f"docs/{link.partition('#')[0]}" for link in index.links}
    assert {page.name for page in PAGES} - named == {"README.md", "docs/index.md"}


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_page_names_only_commands_that_exist(page: Page) -> None:
    named = set(re.findall(r"`supportbot ((?:db |handoffs |console )?[a-z-]+)", page.text))
    assert named <= _commands(), f"{page.name}: {named - _commands()}"


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_page_names_only_keys_events_and_message_types_that_exist(page: Page) -> None:
    heads = "|".join([*CONFIG_KEYS, "outbox", "turn", "watchdog", "message", "conversation"])
    named = set(re.findall(rf"`((?:{heads})\.[a-z_]+)`", page.prose))
    source = "".join(
        file.read_text("utf-8") for folder in ("supportbot", "adapters") for file in (ROOT / folder).rglob("*.py")
    )
    for name in named - _keys() - set(KINDS):
        assert f'"{name}"' in source, f"{page.name}: there is no {name}"


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_page_names_no_place_of_the_machine_it_was_written_on(page: Page) -> None:
    assert re.findall(r"/(?:work|tmp|root|home)/[\w./-]+", page.text) == []


def test_the_install_command_asks_for_extras_that_exist() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = re.findall(r"-e '\.\[([\w,]+)\]'", PAGES[0].text)
    assert wanted
    assert {extra for extras in wanted for extra in extras.split(",")} <= set(project["optional-dependencies"])


def _keys() -> set[str]:
    """`bot.name`, … and what a persona has under the same heads."""
    both = (Config.model_fields, Persona.model_fields)
    return {
        f"{head}.{key}"
        for fields in both
        for head, field in fields.items()
        for key in getattr(field.annotation, "model_fields", {})
    }


def _commands() -> set[str]:
    """`serve`, `db backup`, … as the command line has them."""
    root = typer.main.get_command(app)
    groups: Mapping[str, Any] = root.commands  # type: ignore[attr-defined]
    inner = {f"{name} {one}" for name, group in groups.items() for one in getattr(group, "commands", {})}
    return set(groups) | inner
