"""The web chat in a whole house: a real bot, a real database, real processes that are killed in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from processes import Place, place

from supportbot.models.scripted import OnText, ScriptedModel
from supportbot.testing.openai_server import FakeOpenAI, Say
from supportbot.testing.site import Site, serving
from supportbot.types import ModelAnswer, ModelRequest

from .conftest import OTHER, SECRET, SHOP, Page, Stream, new_id, signed

WEB = {"type": "web", "origins": [SHOP, OTHER], "burst_wait": "0s", "rate": 6_000}
CONFIG: Mapping[str, Any] = {"channels": {"web": WEB}, "identity": {"secrets": [SECRET]}}
ORDER = """
flow: shirt
title: {en: Order a shirt}
description: Orders a shirt.
start: [{command: /shirt}]
model: false
steps:
  - ask: size
    choices: [{value: s, label: {en: Small}}, {value: l, label: {en: Large}}]
    question: {en: "Which size?"}
  - say: {en: "A shirt of size {{ size }} is on its way."}
"""


class Typing(ScriptedModel):
    """Writes as slowly as a model does."""

    async def complete(
        self, request: ModelRequest, *, seconds: float, on_text: OnText | None = None
    ) -> ModelAnswer:
        async def slowly(piece: str) -> None:
            assert on_text is not None
            await on_text(piece)
            await asyncio.sleep(0.1)

        return await super().complete(request, seconds=seconds, on_text=slowly if on_text is not None else None)


def page_of(site: Site, origin: str = SHOP) -> Page:
    return Page(site.http, f"{site.url}/chat", origin)


@asynccontextmanager
async def visiting(site: Site, user_token: str = "") -> AsyncIterator[tuple[Page, Stream]]:
    page = page_of(site)
    await page.start(user_token)
    async with page.events(0) as stream:
        await stream.ready()
        yield page, stream


# --- the way there and back ----------------------------------------------------------------------------------


async def test_a_question_is_answered_with_previews_and_one_entry(tmp_path: Path) -> None:
    model = Typing(["Your **parcel** is on its way and comes tomorrow."])
    async with serving(tmp_path, model=model, config=CONFIG) as site, visiting(site) as (page, stream):
        await page.say("Where is my parcel?")
        await stream.until(lambda stream: len(stream.of("entry")) == 2)
        question, answer = stream.of("entry")
        previews = stream.of("preview")
        assert (question["from"], answer["from"]) == ("customer", "bot")
        assert len(previews) >= 2 and {shown["handle"] for shown in previews} == {answer["preview"]}
        assert len(json.dumps(previews[0])) < len(json.dumps(previews[-1]))
        assert {"text": "parcel", "bold": True} in answer["blocks"][0]["runs"]
        assert [name for name, _ in stream.seen][-1] == "entry"
        assert (await page.entries())["entries"] == [question, answer]


async def test_several_pages_of_one_customer_see_one_order_and_a_reload_sees_the_same(tmp_path: Path) -> None:
    model = ScriptedModel(lambda request: "re: " + request.messages[-1].content)
    async with (
        serving(tmp_path, model=model, config=CONFIG) as site,
        visiting(site, signed("u-1")) as (one, first),
        visiting(site, signed("u-1")) as (two, second),
    ):
        for number in range(6):
            await (one, two)[number % 2].say(f"question {number}")
            await first.until(lambda stream, number=number: f"re: question {number}" in " ".join(stream.texts))  # type: ignore[misc]
        await second.until(lambda stream: len(stream.ids) == 12)
        assert first.of("entry") == second.of("entry") == (await two.entries())["entries"]
        assert first.ids == sorted(set(first.ids))


async def test_a_button_is_pressed_once_and_the_flow_goes_on(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "shirt.yaml").write_text(ORDER, "utf-8")
    async with serving(tmp_path, config=CONFIG) as site, visiting(site) as (page, stream):
        await page.say("/shirt")
        await stream.until(lambda stream: len(stream.of("entry")) == 2)
        asked = stream.of("entry")[-1]
        assert [button["label"] for button in asked["buttons"]][:2] == ["Small", "Large"]
        assert "press" not in json.dumps(asked["buttons"])
        id = new_id()
        presses = [page.press(asked["n"], 1, id=id), page.press(asked["n"], 1, id=id), page.press(asked["n"], 0)]
        statuses = [answer.status_code for answer in await asyncio.gather(*presses)]
        assert statuses in ([202, 202, 409], [409, 409, 202])
        await stream.until(lambda stream: len(stream.of("entry")) == 4)
        chosen, answer = stream.of("entry")[2:]
        assert chosen["chosen"]["entry"] == asked["n"]
        assert answer["text"] == f"A shirt of size {'sl'[chosen['chosen']['button']]} is on its way."


async def test_a_customer_is_known_in_the_house_and_the_anonymous_chat_comes_along(tmp_path: Path) -> None:
    async with serving(tmp_path, config=CONFIG) as site:
        page = page_of(site)
        await page.start()
        await page.say("hello")
        old = page.token
        proof = signed("customer-7", name="Ada")
        await page.start(proof)
        assert (await page.texts())[0] == "hello"
        await page.say("it is me", headers={"Supportbot-User": proof})
        assert (await Page(site.http, page.base, SHOP, old).ask("GET", "/entries")).status_code == 401
        rows = site.bot.store.path
        texts = await page.texts()
        assert texts.count("hello") == texts.count("it is me") == 1
        assert proof.encode() not in b"".join(path.read_bytes() for path in rows.parent.glob(rows.name + "*"))
        assert page.token.encode() not in b"".join(path.read_bytes() for path in rows.parent.glob(rows.name + "*"))


async def test_another_sessions_chat_button_and_file_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "shirt.yaml").write_text(ORDER, "utf-8")
    async with serving(tmp_path, config=CONFIG) as site, visiting(site) as (page, stream):
        await page.say("/shirt")
        await stream.until(lambda stream: len(stream.of("entry")) == 2)
        file = (await page.upload(b"mine")).json()["id"]
        thief = page_of(site)
        await thief.start()
        assert (await thief.press(stream.ids[-1], 0)).status_code == 404
        assert (await thief.ask("GET", f"/files/{file}")).status_code == 404
        assert (await thief.say("x", files=[file])).status_code == 404
        assert await thief.texts() == []
        assert (await Page(site.http, page.base, OTHER, page.token).ask("GET", "/entries")).status_code == 401
        assert (await page.ask("GET", f"/files/{file}")).content == b"mine"


async def test_behind_a_proxy_that_is_believed_each_caller_counts_for_itself(tmp_path: Path) -> None:
    config = {**CONFIG, "web": {"proxies": ["127.0.0.0/8"]}}
    async with serving(tmp_path, config=config) as site:
        page, statuses = page_of(site), {}
        for _ in range(31):
            for address in ("203.0.113.1", "203.0.113.2, 127.0.0.9"):
                headers = {"X-Forwarded-For": address}
                made = await page.ask("POST", "/sessions", json={}, headers=headers)
                statuses.setdefault(address, []).append(made.status_code)
        for found in statuses.values():
            assert found == [201] * 30 + [429]


async def test_a_caller_who_only_says_that_there_is_a_proxy_is_not_believed(tmp_path: Path) -> None:
    async with serving(tmp_path, config=CONFIG) as site:
        statuses = [
            (
                await page_of(site).ask(
                    "POST", "/sessions", json={}, headers={"X-Forwarded-For": f"203.0.113.{at}"}
                )
            ).status_code
            for at in range(32)
        ]
        assert statuses == [201] * 30 + [429] * 2


# --- killed in the middle ------------------------------------------------------------------------------------

DYING = '''
import os, signal
from dataclasses import replace
from pathlib import Path
from supportbot_web import WebAdapter

DIE = Path(__file__).parent / "die"

def once(stage):
    """Dies here, if it is wanted, the first time that it comes by."""
    if DIE.exists() and DIE.read_text() == stage:
        DIE.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

class Inbox:
    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def receive(self, message, *, entry=None):
        once("before receive")
        receipt = await self.inner.receive(message, entry=entry)
        once("after receive")
        return receipt

class Dying(WebAdapter):
    async def start(self, context):
        await super().start(replace(context, inbox=Inbox(context.inbox)))

    async def preview(self, outgoing, text):
        handle = await super().preview(outgoing, text)
        once("in a preview")
        return handle

    async def send(self, outgoing):
        once("before send")
        handle = await super().send(outgoing)
        once("after send")
        return handle
'''


@dataclass
class Reader:
    """A page that reads its stream for as long as the block runs, and comes again from where it was."""

    here: Place
    page: Page
    entries: list[dict[str, Any]] = field(default_factory=list)
    comings: int = 0

    async def run(self) -> None:
        while True:
            with contextlib.suppress(httpx2.HTTPError, AssertionError):
                self.page.base = f"{self.here.url}/chat"
                last = self.entries[-1]["n"] if self.entries else 0
                async with self.page.events(last) as stream:
                    self.comings += 1
                    taken = 0
                    while not stream.over:
                        with contextlib.suppress(AssertionError):
                            await stream.until(lambda s, taken=taken: s.over or len(s.of("entry")) > taken, 1.0)  # type: ignore[misc]  # fmt: skip
                        new = stream.of("entry")[taken:]
                        self.entries += new
                        taken += len(new)
            await asyncio.sleep(0.05)

    @property
    def texts(self) -> list[str]:
        return [entry["text"] for entry in self.entries]

    async def until(self, text: str) -> None:
        async with asyncio.timeout(25):
            while text not in self.texts:
                await asyncio.sleep(0.02)


async def insist(page: Page, here: Place, text: str) -> None:
    """Sends it again under the same id until it is taken, as the widget does."""
    id = new_id()
    async with asyncio.timeout(25):
        while True:
            page.base = f"{here.url}/chat"
            with contextlib.suppress(httpx2.HTTPError):
                if (await page.say(text, id=id)).status_code == 202:
                    return
            await asyncio.sleep(0.05)


async def revive(here: Place) -> None:
    """Starts the server again whenever it has died."""
    while True:
        if here.process is not None and here.process.poll() is not None:
            await here.start()
        await asyncio.sleep(0.02)


def said(body: Mapping[str, Any]) -> Say:
    last = [message for message in body["messages"] if message["role"] == "user"][-1]["content"]
    words = last if isinstance(last, str) else last[0]["text"]
    return Say(f"The answer to {words} is that all is well.", pace=0.04)


STAGES = ("before receive", "after receive", "in a preview", "before send", "after send")


@pytest.mark.parametrize("stage", STAGES)
async def test_a_server_that_is_killed_loses_and_doubles_nothing_on_the_page(tmp_path: Path, stage: str) -> None:
    (tmp_path / "dying.py").write_text(DYING, "utf-8")
    config = {"channels": {"web": {**WEB, "type": "dying:Dying"}}}
    async with place(tmp_path, FakeOpenAI(said), **config) as here:
        await here.start()
        page = Page(here.http, f"{here.url}/chat", SHOP)
        await page.start()
        reader = Reader(here, replace(page))
        tasks = [asyncio.create_task(reader.run()), asyncio.create_task(revive(here))]
        try:
            for number in range(4):
                if number == 2:
                    (tmp_path / "die").write_text(stage)
                await insist(page, here, f"question {number}")
                await reader.until(f"The answer to question {number} is that all is well.")
            history = (await page.entries())["entries"]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert here.starts == 2 and reader.comings >= 2
        assert reader.entries == history
        assert [entry["n"] for entry in history] == sorted({entry["n"] for entry in history})
        assert [entry["text"] for entry in history] == [
            text
            for number in range(4)
            for text in (f"question {number}", f"The answer to question {number} is that all is well.")
        ]
        assert page.token not in here.log and "Traceback" not in here.log


async def test_a_server_with_open_streams_stops_at_once_and_the_pages_come_again(tmp_path: Path) -> None:
    async with place(tmp_path, **CONFIG) as here:
        await here.start()
        pages = [Page(here.http, f"{here.url}/chat", SHOP) for _ in range(20)]
        for page in pages:
            await page.start()
        async with contextlib.AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(page.events()) for page in pages]
            for stream in streams:
                await stream.ready()
            began = time.monotonic()
            assert await here.end(signal.SIGTERM) == 0
            assert time.monotonic() - began < 2
            for stream in streams:
                await stream.until(lambda stream: stream.over)
        assert "Traceback" not in here.log and "exceeded" not in here.log
        await here.start()
        page = replace(pages[0], base=f"{here.url}/chat")
        async with page.events(0) as stream:
            await stream.ready()


async def test_descriptors_of_pages_that_left_are_given_back(tmp_path: Path) -> None:
    async with place(tmp_path, **CONFIG) as here:
        await here.start()
        assert here.process is not None
        server = psutil.Process(here.process.pid)
        page = Page(here.http, f"{here.url}/chat", SHOP)
        await page.start()
        before = server.num_fds()
        for _ in range(3):
            async with contextlib.AsyncExitStack() as stack:
                http = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=30))
                for _ in range(8):
                    stream = await stack.enter_async_context(replace(page, http=http).events())
                    await stream.ready()
                assert server.num_fds() >= before + 8
            async with asyncio.timeout(5):
                while server.num_fds() > before:
                    await asyncio.sleep(0.05)
