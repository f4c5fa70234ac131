"""What flows look like on each channel: `preview`, the warnings of `check`, and the commands about channels."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from commands import assert_refused, run

from supportbot import Adapter, Address, Message, Outgoing, User
from supportbot.bot import Bot
from supportbot.errors import ConfigError
from supportbot.stores import SqliteStore
from supportbot.testing.local_pair import local_pairs
from supportbot.testing.site import write_bot
from supportbot.types import Attachment, Capabilities

TINY = '''
from supportbot import Adapter
from supportbot.types import Capabilities, Rendering


class Tiny(Adapter):
    """Shows little."""

    capabilities = Capabilities(buttons=True, button_limit=3, label_limit=12, text_limit=60)
    environment = {"token": "TINY_TOKEN"}

    @classmethod
    def render(cls, reply):
        shown = " ".join([reply.text, *(f"({button.label})" for button in reply.buttons)])
        warnings = ("it cannot shout",) if "!" in reply.text else ()
        return Rendering(shown, ({"method": "send", "text": reply.text},), warnings)

    @classmethod
    def manifest(cls, name, options, *, bot_name, public_url):
        return {"name": bot_name, "url": f"{public_url}/{name}", "mode": options.get("mode", "none")}

    async def send(self, outgoing):
        return ""
'''
FLOW = """flow: sizes
description: Asks a size.
start: [{command: /size}]
steps:
- say:
    en: "Hello from {{ bot.name }}."
    de: Hallo von {{ bot.name }}.
- say: {en: "Stop, {{ user.name }}!", de: "Halt."}
- ask: size
  question: {en: "Which size?", de: "Welche Größe?"}
  choices: [small, extraordinarily large]
- say:
    text: Where to?
    buttons: [{label: a, id: cancel}, {label: b, id: help}, {label: c, id: human}, {label: d, id: cancel, value: d}]
- say: "A first paragraph that is of some length.\\n\\nA second paragraph that is as long."
"""


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    folder = tmp_path / "bot"
    folder.mkdir()
    channels = {"mini": {"type": "tiny:Tiny"}}
    write_bot(folder, callback_url="http://127.0.0.1:9/", config={"channels": channels})
    (folder / "tiny.py").write_text(TINY)
    (folder / "flows" / "sizes.yaml").write_text(FLOW, "utf-8")
    return folder


# --- preview -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["mini", "tiny:Tiny"])
def test_a_flow_is_shown_as_the_channel_shows_it(bot: Path, channel: str) -> None:
    done = run(bot, "preview", "sizes", "--channel", channel)
    assert (done.code, done.sentences) == (0, [])
    lines = done.out.splitlines()
    assert lines[:2] == ["── say (steps.0, en)", "Hello from Acme."]
    assert "Stop, ‹user.name›!" in lines and "   ! it cannot shout" in lines
    numbered = lines.index("1. small")
    assert lines[numbered + 1] == "2. extraordinarily large"
    why = "   ! the buttons become numbered choices: 'extraordinarily large' has more than 12 characters"
    assert lines.count(why) == 2, "once for each language"
    assert any("more than 3" in line for line in lines) and any("in 2 messages" in line for line in lines)


def test_one_language_can_be_shown_alone_with_the_texts_that_stand_for_all(bot: Path) -> None:
    done = run(bot, "preview", "sizes", "--channel", "mini", "--locale", "de")
    assert "Hallo von Acme." in done.out and "Welche Größe?" in done.out and "Where to?" in done.out
    assert "Hello" not in done.out and "Which size?" not in done.out


def test_as_json_the_requests_stand_beside_the_texts(bot: Path) -> None:
    rows = run(bot, "preview", "sizes", "--channel", "mini", "--locale", "en", "--json").rows
    assert rows[0] == {
        "place": ["steps", 0, "say"],
        "locale": "en",
        "messages": [{"text": "Hello from Acme.", "requests": [{"method": "send", "text": "Hello from Acme."}]}],
        "warnings": [],
    }
    assert len(rows) == 5 and len(rows[-1]["messages"]) == 2


def test_what_does_not_exist_is_refused_in_one_sentence(bot: Path) -> None:
    assert_refused(run(bot, "preview", "sises", "--channel", "mini"), "there is no flow 'sises'", "sizes")
    assert_refused(run(bot, "preview", "sizes", "--channel", "carrier-pigeon"), "carrier-pigeon", "known are")
    assert_refused(run(bot, "preview", "sizes", "--channel", "nowhere:Thing"), "nowhere")


def test_a_language_that_the_flow_does_not_have_is_said(bot: Path) -> None:
    (bot / "flows" / "sizes.yaml").write_text("flow: sizes\nsteps: [{say: {en: Hello.}}]\n")
    done = run(bot, "preview", "sizes", "--channel", "mini", "--locale", "fr")
    assert (done.code, done.out) == (0, "the flow sizes says nothing in fixed words in fr\n")


# --- check ---------------------------------------------------------------------------------------------------


def test_check_warns_of_what_does_not_fit_on_a_channel_at_its_place(bot: Path) -> None:
    done = run(bot, "check")
    assert done.code == 0, done
    found = [line for line in (done.out + done.err).splitlines() if "on the channel mini" in line]
    places = [line.partition("flows/sizes.yaml:")[2].partition(": ")[0] for line in found]
    assert places == ["8:8", "10:13", "13:5", "15:8"]
    told = "\n".join(found)
    for words in ("it cannot shout", "extraordinarily large", "more than 3", "in 2 messages"):
        assert words in told


def test_check_says_where_a_missing_file_is_sent(bot: Path) -> None:
    (bot / "flows" / "send.yaml").write_text(
        "flow: send\nsteps:\n- say:\n    text: Here.\n    files:\n    - path: files/list.pdf\n"
    )
    done = run(bot, "check")
    assert done.code != 0
    (line,) = [line for line in (done.out + done.err).splitlines() if "list.pdf" in line]
    assert "flows/send.yaml:6:13" in line and "there is no file 'files/list.pdf' in the bot's folder" in line
    (bot / "files").mkdir()
    (bot / "files" / "list.pdf").write_bytes(b"%PDF-1.7")
    assert "list.pdf" not in run(bot, "check").out


# --- channels ------------------------------------------------------------------------------------------------


def test_the_types_of_channels_are_listed(bot: Path) -> None:
    names = run(bot, "adapters", "--json").rows
    assert "webhook" in names and names == sorted(names)
    assert run(bot, "adapters").out.split() == names


def test_a_manifest_is_made_from_the_config_and_one_that_is_not_needed_is_said(bot: Path) -> None:
    config = {
        "channels": {"mini": {"type": "tiny:Tiny", "mode": "loud"}},
        "web": {"public_url": "https://bot.example.org/"},
    }
    write_bot(bot, callback_url="http://127.0.0.1:9/", config=config)
    made = run(bot, "adapters", "manifest", "mini").rows
    assert made == {"name": "Acme", "url": "https://bot.example.org/mini", "mode": "loud"}
    assert run(bot, "adapters", "manifest", "tiny:Tiny").rows["mode"] == "none"
    assert_refused(run(bot, "adapters", "manifest", "desk"), "desk needs no manifest")


async def test_what_was_set_aside_is_listed_newest_first(bot: Path) -> None:
    async with local_pairs(bot / "data" / "supportbot.db")() as pair:
        assert await asyncio.to_thread(lambda: run(bot, "db", "aside").out) == "nothing was set aside\n"
        for number in range(3):
            await pair.store.set_aside(
                "mini", f"u{number}", "{}", f"Reason {number}.", now=1_700_000_000.0 + number
            )
        rows = (await asyncio.to_thread(run, bot, "db", "aside", "--json", "--limit", "2")).rows
        shown = (await asyncio.to_thread(run, bot, "db", "aside")).out
    assert [(row["id"], row["reason"]) for row in rows] == [("u2", "Reason 2."), ("u1", "Reason 1.")]
    assert shown.index("Reason 2.") < shown.index("Reason 1.") < shown.index("Reason 0.")
    assert "2023-11-14" in shown


# --- the bot's own files -------------------------------------------------------------------------------------

SENDS = """flow: send
description: Sends files.
start: [{command: /send}]
steps:
- say:
    text: Here.
    files: [{path: files/list.pdf, name: Price list}, {url: "https://example.org/a.png"}]
"""
PDF = b"%PDF-1.7 and more"


class Memory(Adapter):
    """A channel in memory."""

    capabilities = Capabilities(burst_wait=0.0, files=True)

    def __init__(self) -> None:
        super().__init__("memory", {})
        self.sent: asyncio.Queue[Outgoing] = asyncio.Queue()

    async def send(self, outgoing: Outgoing) -> str:
        self.sent.put_nowait(outgoing)
        return ""


def sending(folder: Path, **config: Any) -> Path:
    path = write_bot(folder, callback_url="http://127.0.0.1:9/", config=config)
    (folder / "flows" / "send.yaml").write_text(SENDS)
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "list.pdf").write_bytes(PDF)
    return path


async def test_a_file_of_the_bots_folder_is_sent_by_its_digest_and_can_be_read(tmp_path: Path) -> None:
    channel = Memory()
    path = sending(tmp_path)
    bot = Bot.from_config(path, env={}, model=None, channels={"memory": channel}, only_channels=True)
    async with bot:
        await bot.receive(Message(Address("memory", "c1"), "m1", User("u1"), "/send"))
        async with asyncio.timeout(10):
            reply = (await channel.sent.get()).reply
        assert reply is not None
        own, linked = reply.files
        assert own == Attachment("Price list", "application/pdf", digest=hashlib.sha256(PDF).hexdigest())
        assert linked == Attachment("a.png", "image/png", url="https://example.org/a.png")
        assert await bot.house.files.read(own.digest) == PDF
    store = SqliteStore.read_only(tmp_path / "data" / "supportbot.db")
    await store.open()
    (row,) = await store.replies_to("memory", "m1")
    await store.close()
    assert row.reply == reply


@pytest.mark.parametrize("path", ["../secret.pdf", "/etc/passwd", "files", "files/linked.pdf", "files/none.pdf"])
async def test_a_file_outside_the_bots_folder_is_never_sent(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "bot"
    folder.mkdir()
    (tmp_path / "secret.pdf").write_bytes(PDF)
    config = sending(folder)
    (folder / "files" / "linked.pdf").symlink_to(tmp_path / "secret.pdf")
    (folder / "flows" / "send.yaml").write_text(SENDS.replace("files/list.pdf", path))
    bot = Bot.from_config(config, env={}, model=None, channels={"memory": Memory()}, only_channels=True)
    with pytest.raises(ConfigError, match=r"send\.yaml:7:20: there is no file"):
        await bot.open()


async def test_a_file_larger_than_what_is_taken_is_not_sent_either(tmp_path: Path) -> None:
    config = sending(tmp_path, attachments={"max_size": 1024})
    (tmp_path / "files" / "list.pdf").write_bytes(PDF * 100)
    bot = Bot.from_config(config, env={}, model=None, channels={"memory": Memory()}, only_channels=True)
    with pytest.raises(ConfigError, match=r"larger than attachments\.max_size \(1,024 bytes\)"):
        await bot.open()
