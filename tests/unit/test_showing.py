"""What a customer sees while the bot is at work, and how the bot gets the files that customers send."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from crashing import Shop, message
from working import Model, quiet, running, sent

from supportbot.errors import ChannelBusy, ChannelRefused
from supportbot.models import ScriptedModel
from supportbot.models.wire import Quirks, body
from supportbot.testing.openai_rules import violation
from supportbot.texts import text
from supportbot.types import Attachment, Capabilities, Message, ModelAnswer, ModelRequest, Outgoing, User

PICTURE = b"\x89PNG\r\n\x1a\n" + b"p" * 100
DIGEST = hashlib.sha256(PICTURE).hexdigest()
FILE = Attachment("lamp.png", "image/png", len(PICTURE), ref="r1")
SEES = "name: Mia\nlanguages: [en, de]\nimages: true\n"


# --- a sign of life ------------------------------------------------------------------------------------------


class Typing(Shop):
    """A channel that shows that the bot is at work."""

    capabilities = Capabilities(typing=0.1)
    trouble: BaseException | None = None

    def __init__(self) -> None:
        super().__init__()
        self.signs: list[tuple[str, str, int]] = []

    async def working(self, outgoing: Outgoing, note: str) -> None:
        self.signs.append((outgoing.address.chat, note, len(self.sent)))
        if self.trouble is not None:
            raise self.trouble


def after(seconds: float, words: str = "Done.") -> Model:
    async def answering(count: int, request: ModelRequest) -> ModelAnswer:
        await asyncio.sleep(seconds)
        return ModelAnswer(words)

    return Model(answering)


async def test_a_quick_answer_comes_without_a_sign_of_life(tmp_path: Path) -> None:
    shop = Typing()
    async with running(tmp_path, ScriptedModel(["Done."]), shop=shop) as (bot, _):
        await bot.receive(message("m1"))
        await sent(shop, 1)
        await quiet(0.5)
    assert shop.signs == []


async def test_a_slow_answer_is_announced_again_and_again_until_it_is_there(tmp_path: Path) -> None:
    shop = Typing()
    async with running(tmp_path, after(0.9), shop=shop) as (bot, _):
        await bot.receive(replace(message("m1"), locale="de"))
        await sent(shop, 1)
        shown = len(shop.signs)
        await quiet(0.4)
    assert 2 <= shown == len(shop.signs)
    assert set(shop.signs) == {("anna", text("working", "de"), 0)}


@pytest.mark.parametrize(
    "trouble", [RuntimeError("x"), ChannelBusy("x"), TimeoutError(), ExceptionGroup("g", [OSError()])]
)
async def test_a_sign_of_life_that_fails_costs_nothing_and_is_not_tried_again(
    tmp_path: Path, trouble: BaseException
) -> None:
    shop = Typing()
    shop.trouble = trouble
    async with running(tmp_path, after(0.8), shop=shop) as (bot, _):
        await bot.receive(message("m1"))
        assert await sent(shop, 1) == ["Done."]
    assert len(shop.signs) == 1


async def test_a_channel_that_hangs_over_the_sign_does_not_hold_up_the_answer(tmp_path: Path) -> None:
    class Hanging(Typing):
        async def working(self, outgoing: Outgoing, note: str) -> None:
            await super().working(outgoing, note)
            await asyncio.Event().wait()

    shop = Hanging()
    async with running(tmp_path, after(0.6), shop=shop) as (bot, _):
        await bot.receive(message("m1"))
        assert await sent(shop, 1, seconds=2.0) == ["Done."]
    assert len(shop.signs) == 1


async def test_there_is_no_sign_of_life_while_a_human_has_the_conversation(tmp_path: Path) -> None:
    class Waiting(Typing):
        """Gives a file so slowly that any other turn would be announced."""

        async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
            await asyncio.sleep(0.7)
            fetched.set()
            return PICTURE

    shop, fetched = Waiting(), asyncio.Event()
    async with running(tmp_path, ScriptedModel([]), shop=shop) as (bot, _):
        await bot.receive(message("m1", "/human"))
        await sent(shop, 1)
        await bot.receive(replace(message("m2", ""), attachments=(FILE,)))
        async with asyncio.timeout(5):
            await fetched.wait()
        await quiet()
    assert (shop.signs, len(shop.sent)) == ([], 1)


async def test_a_channel_that_shows_nothing_is_asked_nothing(tmp_path: Path) -> None:
    class Mute(Typing):
        capabilities = Capabilities()

    shop = Mute()
    async with running(tmp_path, after(0.6), shop=shop) as (bot, _):
        await bot.receive(message("m1"))
        await sent(shop, 1)
    assert shop.signs == []


# --- files ---------------------------------------------------------------------------------------------------


class Giving(Shop):
    """A channel with files: `give` says what each fetch gives or does."""

    def __init__(self, give: Callable[[], Any]) -> None:
        super().__init__()
        self.give = give
        self.fetched: list[tuple[str, int]] = []

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        self.fetched.append((attachment.ref, limit))
        found = self.give()
        if isinstance(found, BaseException):
            raise found
        given: bytes = await found if isinstance(found, Awaitable) else found
        return given


def sending(id: str = "m1", words: str = "", *, file: Attachment = FILE) -> Message:
    return replace(message(id, words), attachments=(file,))


def seeing(folder: Path) -> None:
    (folder / "prompts").mkdir()
    (folder / "prompts" / "persona.yaml").write_text(SEES, "utf-8")


def shown(request: ModelRequest) -> list[Any]:
    """The content of the customer's messages as a provider gets them."""
    built = body("gpt-4.1-mini", request, Quirks(), stream=False)
    assert violation(built) is None
    return [one["content"] for one in built["messages"] if one["role"] == "user"]


async def test_a_picture_is_kept_and_the_model_is_shown_it_also_in_later_turns(tmp_path: Path) -> None:
    seeing(tmp_path)
    model, shop = ScriptedModel(["A lamp.", "Red."]), Giving(lambda: PICTURE)
    async with running(tmp_path, model, shop=shop) as (bot, _):
        await bot.receive(sending())
        await sent(shop, 1)
        await bot.receive(message("m2", "which colour?"))
        assert await sent(shop, 2) == ["A lamp.", "Red."]
    assert shop.fetched == [("r1", 10_000_000)]
    (kept,) = (tmp_path / "data" / "files").glob("??/*")
    assert (kept.name, kept.read_bytes()) == (DIGEST, PICTURE)
    first, second = (shown(request) for request in model.requests)
    assert [part["type"] for part in first[0]] == ["text", "image_url"]
    assert first[0][1]["image_url"]["url"] == f"data:image/png;base64,{b64encode(PICTURE).decode()}"
    assert second == [first[0], "which colour?"]


async def test_a_picture_that_was_swept_is_left_out_and_its_name_stays(tmp_path: Path) -> None:
    seeing(tmp_path)
    model, shop = ScriptedModel(["A lamp.", "I cannot see it any more."]), Giving(lambda: PICTURE)
    async with running(tmp_path, model, shop=shop) as (bot, _):
        await bot.receive(sending())
        await sent(shop, 1)
        assert await bot.house.files.sweep(-60) == 1
        await bot.receive(message("m2", "which colour?"))
        await sent(shop, 2)
    assert shown(model.requests[1]) == ["[file: lamp.png]", "which colour?"]


async def test_a_persona_that_shows_no_pictures_shows_none_though_they_are_kept(tmp_path: Path) -> None:
    model, shop = ScriptedModel(["A colleague will look."]), Giving(lambda: PICTURE)
    async with running(tmp_path, model, shop=shop) as (bot, _):
        await bot.receive(sending(words="see"))
        await sent(shop, 1)
        assert await bot.house.files.read(DIGEST) == PICTURE
    assert shown(model.requests[0]) == ["see [file: lamp.png]"]


@pytest.mark.parametrize(
    ("file", "key"),
    [
        (replace(FILE, size=10_000_001), "attachment_too_large"),
        (replace(FILE, name="x.html", media_type="text/html"), "attachment_unread"),
        (replace(FILE, name="x.exe", media_type="application/octet-stream"), "attachment_unread"),
    ],
)
async def test_what_is_not_taken_by_its_own_account_is_not_asked_for(
    tmp_path: Path, file: Attachment, key: str
) -> None:
    shop = Giving(lambda: PICTURE)
    async with running(tmp_path, ScriptedModel([]), shop=shop) as (bot, _):
        await bot.receive(sending(file=file))
        assert await sent(shop, 1) == [text(key, "en")]
    assert shop.fetched == []


async def test_a_file_of_unknown_size_is_asked_for_with_the_limit(tmp_path: Path) -> None:
    shop = Giving(lambda: PICTURE)
    attachments = {"max_size": 2000}
    async with running(tmp_path, ScriptedModel([]), shop=shop, attachments=attachments) as (bot, _):
        await bot.receive(sending(file=replace(FILE, size=-1)))
        await sent(shop, 1)
        assert await bot.house.files.read(DIGEST) == PICTURE
    assert shop.fetched == [("r1", 2000)]


FAILURES: dict[str, Callable[[], Any]] = {
    "refused": lambda: ChannelRefused("gone"),
    "a bug": lambda: ValueError("x"),
    "an odd error": lambda: ExceptionGroup("g", [OSError()]),
    "no time": lambda: TimeoutError(),
    "nothing": lambda: None,
    "text": lambda: "no bytes",
    "more than the limit": lambda: PICTURE * 30,
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_file_that_cannot_be_had_is_said_and_costs_no_answer(tmp_path: Path, name: str) -> None:
    shop = Giving(FAILURES[name])
    async with running(tmp_path, ScriptedModel(["Yes."]), shop=shop, attachments={"max_size": 2000}) as (bot, _):
        await bot.receive(sending())
        key = "attachment_too_large" if name == "more than the limit" else "attachment_unread"
        assert await sent(shop, 1) == [text(key, "en")]
        await bot.receive(message("m2", "still there?"))
        assert (await sent(shop, 2))[1] == "Yes."
    assert len(shop.fetched) == 1
    assert not list((tmp_path / "data").glob("files/*/*"))


@pytest.mark.parametrize(("busy", "key"), [(1, "Kept."), (2, text("attachment_unread", "en"))])
async def test_a_busy_channel_is_asked_once_more(tmp_path: Path, busy: int, key: str) -> None:
    left = [ChannelBusy("later")] * busy
    shop = Giving(lambda: left.pop() if left else PICTURE)
    seeing(tmp_path)
    async with running(tmp_path, ScriptedModel(["Kept."]), shop=shop) as (bot, _):
        await bot.receive(sending())
        assert await sent(shop, 1) == [key]
    assert len(shop.fetched) == 2


async def test_a_channel_that_gives_a_file_too_slowly_is_not_waited_for(tmp_path: Path) -> None:
    shop = Giving(lambda: asyncio.sleep(30, PICTURE))
    limits = {"turn_deadline": "1s"}
    async with running(tmp_path, ScriptedModel([]), shop=shop, limits=limits) as (bot, _):
        await bot.receive(sending())
        assert await sent(shop, 1, seconds=4.0) == [text("attachment_unread", "en")]


async def test_what_is_no_picture_though_it_is_called_one_is_not_kept(tmp_path: Path) -> None:
    seeing(tmp_path)
    shop = Giving(lambda: b"<script>alert(1)</script>")
    async with running(tmp_path, ScriptedModel([]), shop=shop) as (bot, _):
        await bot.receive(sending())
        assert await sent(shop, 1) == [text("attachment_unread", "en")]
    assert not list((tmp_path / "data").glob("files/*/*"))


async def test_a_channel_without_files_answers_honestly(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedModel([])) as (bot, shop):
        await bot.receive(sending())
        assert await sent(shop, 1) == [text("attachment_unread", "en")]


async def test_files_that_are_sent_while_a_human_has_the_conversation_are_kept_for_them(tmp_path: Path) -> None:
    shop = Giving(lambda: PICTURE)
    async with running(tmp_path, ScriptedModel([]), shop=shop) as (bot, _):
        await bot.receive(message("m1", "/human"))
        await sent(shop, 1)
        await bot.receive(replace(sending("m2"), user=User("u-ben", "Ben")))
        async with asyncio.timeout(5):
            while not list((tmp_path / "data").glob("files/*/*")):
                await asyncio.sleep(0.01)
        await quiet()
        assert await bot.house.files.read(DIGEST) == PICTURE
    assert len(shop.sent) == 1
