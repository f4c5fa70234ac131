"""A channel that somebody else wrote: installed for real beside supportbot, or as one file that the config names."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import re
import shutil
import site
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

import supportbot
import supportbot_webhook
from supportbot.testing.site import write_bot

PACKAGE = Path(__file__).parents[1] / "adapters" / "third_party" / "mattermost_supportbot"
TOKEN = "webhook-token-of-nobody"
_LISTENING = re.compile(r'"port": (\d+), .*"listening"')
_ARTICLE = "# Delivery\n\n## How long does delivery take\n\nDelivery takes three working days.\n"
_FLOW = """\
flow: hours
description: Tells when a shop is open.
start:
  - command: /hours
steps:
  - ask: city
    question: In which city?
    choices: [Berlin, Hamburg]
  - say: "In {{ city }} we are open from 9 to 18."
"""


@pytest.fixture(scope="module")
def fake() -> Any:
    """The module with the package's own stand-in for Mattermost."""
    sys.path.insert(0, str(PACKAGE))
    try:
        yield importlib.import_module("fake_mattermost")
    finally:
        sys.path.remove(str(PACKAGE))


def fresh(folder: Path) -> Path:
    """The Python of a fresh environment that borrows supportbot and what it needs; nothing is downloaded."""
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    purelib = run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    homes = dict.fromkeys(str(Path(one.__file__).parents[1]) for one in (supportbot, supportbot_webhook))
    borrowed = [f"import site; site.addsitedir({place!r})" for place in site.getsitepackages()]
    (Path(purelib) / "borrowed.pth").write_text("\n".join([*homes, *borrowed]) + "\n", "utf-8")
    return python


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without the package."""
    return fresh(tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the package's wheel."""
    python = fresh(tmp_path_factory.mktemp("environment"))
    source = tmp_path_factory.mktemp("package") / "mattermost-supportbot"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    wheels = source / "dist"
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(source))
    (wheel,) = wheels.glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    return python


def run(*command: str, **more: Any) -> str:
    """What the command prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    secrets = {"MATTERMOST_BOT_TOKEN": "bot-token-that-does-not-exist", "MATTERMOST_WEBHOOK_TOKEN": TOKEN}
    return {**kept, **secrets, "PYTHONSAFEPATH": "1", **more}


@contextlib.asynccontextmanager
async def served(python: Path, folder: Path, kind: str, platform: Any, **more: str) -> AsyncIterator[str]:
    """`supportbot serve` for a bot with a channel `town` of that type; gives its address."""
    (folder / "flows").mkdir()
    (folder / "knowledge").mkdir()
    (folder / "flows" / "hours.yaml").write_text(_FLOW, "utf-8")
    (folder / "knowledge" / "delivery.md").write_text(_ARTICLE, "utf-8")
    town = {"type": kind, "url": platform.url, "allow_private": True, "public_url": "http://bot.example"}
    changes = {"channels": {"town": {**town, "burst_wait": "0s"}}, "logging": {"format": "json"}}
    path = write_bot(folder, callback_url="http://127.0.0.1:9", config=changes)
    log = folder / "log"
    command = [str(python), "-m", "supportbot", "serve", "--config", str(path), "--port", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=environment(**more))
    try:
        async with asyncio.timeout(40):
            while not (found := _LISTENING.search(log.read_text("utf-8"))):
                assert process.poll() is None, log.read_text("utf-8")
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{found[1]}/mattermost/town"
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 25)
    assert TOKEN not in log.read_text("utf-8")


async def said(platform: Any, count: int) -> list[str]:
    """The bot's first posts."""
    async with asyncio.timeout(20):
        while len(platform.posts) < count:
            await asyncio.sleep(0.02)
    return [post["message"] for post in platform.posts]


def post(fake: Any, id: str, text: str) -> dict[str, str]:
    """What Mattermost's outgoing webhook sends when Ada writes in the town square."""
    where = {"token": TOKEN, "channel_id": fake.TOWN, "channel_name": "town"}
    return {**where, "user_id": fake.ADA, "user_name": "ada", "post_id": fake.id_of(id), "text": text}


def test_an_installed_channel_is_listed(installed: Path, tmp_path: Path) -> None:
    told = run(str(installed), "-m", "supportbot", "adapters", cwd=tmp_path, env=environment())
    assert {"mattermost", "webhook"} <= set(told.split())


def test_an_installed_channel_needs_its_options_to_be_right(installed: Path, tmp_path: Path) -> None:
    write_bot(tmp_path, callback_url="http://127.0.0.1:9", config={"channels": {"town": {"type": "mattermost"}}})
    command = [str(installed), "-m", "supportbot", "check"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "config.yaml:1:" in done.stdout + done.stderr
    assert "channels.town.url is missing" in done.stdout + done.stderr


async def test_a_bot_on_an_installed_channel_answers_a_customer(
    installed: Path, tmp_path: Path, fake: Any
) -> None:
    async with (
        fake.FakeMattermost() as platform,
        served(installed, tmp_path, "mattermost", platform) as url,
        httpx2.AsyncClient(trust_env=False) as http,
    ):
        for _ in range(2):
            form = urlencode(post(fake, "p-1", "how long does delivery take?"))
            kind = {"content-type": "application/x-www-form-urlencoded"}
            assert (await http.post(url, content=form, headers=kind)).status_code == 200
        (answered,) = await said(platform, 1)
        assert "three working days" in answered
        assert platform.posts[0]["channel_id"] == fake.TOWN
        assert (await http.post(url, json={**post(fake, "p-2", "hi"), "token": "wrong"})).status_code == 401


async def test_a_file_that_the_config_names_is_a_channel_too(bare: Path, tmp_path: Path, fake: Any) -> None:
    home = tmp_path / "one-file"
    home.mkdir()
    shutil.copyfile(PACKAGE / "mattermost_supportbot.py", home / "mattermost_supportbot.py")
    path = os.pathsep.join(filter(None, (str(home), os.environ.get("PYTHONPATH", ""))))
    told = run(str(bare), "-m", "supportbot", "adapters", cwd=tmp_path, env=environment(PYTHONPATH=path))
    assert "mattermost" not in told.split()
    bot = tmp_path / "bot"
    bot.mkdir()
    kind = "mattermost_supportbot:MattermostAdapter"
    async with (
        fake.FakeMattermost() as platform,
        served(bare, bot, kind, platform, PYTHONPATH=path) as url,
        httpx2.AsyncClient(trust_env=False) as http,
    ):
        assert (await http.post(url, json=post(fake, "p-1", "/hours"))).status_code == 200
        assert await said(platform, 1) == ["In which city?"]
        pressed = [await http.post(f"{url}/press", content=platform.pressed("Hamburg")) for _ in range(2)]
        assert [one.json() for one in pressed] == [{"ephemeral_text": "✓ Hamburg"}, {}]
        assert (await said(platform, 2))[1] == "In Hamburg we are open from 9 to 18."


def test_the_package_says_what_it_needs() -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]
    assert "supportbot-framework" in project["dependencies"]
    assert project["entry-points"] == {
        "supportbot.adapters": {"mattermost": "mattermost_supportbot:MattermostAdapter"}
    }
