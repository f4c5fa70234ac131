"""Every example in README.md and docs/ is tried, in the order of its page, and every link leads somewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import ROOT, Page, pages
from terminal import Terminal
from trial import CONFIG_KEYS, Trial, commands

from supportbot.config import Config
from supportbot.persona import Persona
from supportbot.testing import FakeOpenAI
from supportbot_webhook.inbound import KINDS

PAGES = pages()
NOT_RUN_AT_MOST = 5


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
    assert named <= commands(), f"{page.name}: {named - commands()}"


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
