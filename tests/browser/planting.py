"""Hostile texts put into a running bot by its own doors: as a customer, a model, an agent, and as the house itself.

1. All of it goes the way of real words: the chat's HTTP API, the console's forms, the flows' files.
2. One thing is written into the database by hand: a feed's entry whose links and buttons the house would not have made.
3. What is planted stands in `Bed.planted`, by the place where it has to be seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import sqlite3
import time
import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from supportbot.testing import FakeOpenAI
from tests.browser.hostile import of_markdown, shown
from tests.browser.stage import PASSWORD, Stage, stage

CHUNK = 24
"""Texts in one conversation: as many files as a chat takes at once."""
_AT_ONCE = 4
_FROM_ONE_ADDRESS = 25
"""Sessions: the chat gives an address thirty a minute."""
_NAME, _FILE_NAME, _OF_PATTERN = 80, 200, 450


_HANDED_OVER = (
    "SELECT 1 FROM handoffs JOIN conversations AS c ON c.id = handoffs.conversation WHERE c.customer = ?"
)
_ANSWERED = """SELECT max(done_at IS NOT NULL), total(outbox.id IS NOT NULL AND finished_at IS NULL AND NOT dead),
    count(outbox.id) FROM inbox LEFT JOIN outbox USING (conversation, turn) WHERE inbox.channel = 'web' AND message = ?"""


def controls(text: str) -> bool:
    return any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text)


def whole(text: str) -> str:
    """Without half characters, which have no place in a form or a file."""
    return text.encode("utf-8", "replace").decode()


def as_name(text: str) -> str:
    """The text as a file's name, of which nothing is taken for a folder."""
    return whole(text).replace("/", "\u2215").replace("\\", "\u2216")


def tags_of(texts: Sequence[str]) -> list[str]:
    return [text for text in texts if not controls(text)]


def flows(chunks: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The flows that say customers' words again, by file name: one that asks for as many as a chunk has, one for each
    chunk with its tags."""
    steps: list[Any] = []
    for at in range(CHUNK):
        said = f"{{{{ s{at} }}}}"
        link = {"label": said, "url": f"https://foreign.test/?{said}"}
        buttons = [{"label": said, "id": "help"}, link]
        steps += [{"ask": f"s{at}", "question": "Go on."}, {"say": {"text": said, "buttons": buttons}}]
    once = {"ask": "thing", "question": "What?"}
    found: dict[str, Any] = {
        "named": {
            "flow": "named",
            "description": "Hands over.",
            "start": [{"pattern": rf"^hostile (?P<thing>[\s\S]{{1,{_OF_PATTERN}}})$"}],
            "steps": [once, {"handoff": {"reason": "{{ thing }}", "say": "{{ thing }}"}}],
        }
    }
    for number, texts in enumerate(chunks):
        last = f"{{{{ s{len(texts) - 1} }}}}"
        over = {"handoff": {"reason": last, "tags": tags_of(texts), "priority": "high"}}
        found[f"gather_{number}"] = {
            "flow": f"gather_{number}",
            "description": "Asks.",
            "start": [{"command": f"/gather{number}"}],
            "steps": [*steps[: 2 * len(texts)], over],
        }
    return found


@dataclass
class Chat:
    """One customer's session."""

    http: httpx2.AsyncClient
    base: str
    token: str
    chat: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, path: str, value: Any) -> httpx2.Response:
        # as ASCII, for half a character has no other form
        answer = await self.http.post(self.base + path, headers=self.headers, content=json.dumps(value))
        assert answer.status_code < 300, f"{answer.status_code} {answer.text}"
        return answer


@dataclass
class Bed:
    """Where it is planted. `planted`: by place, what has to be seen there; `missed`: what could not be planted."""

    here: Stage
    planted: dict[str, list[str]] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    long: dict[int, tuple[str, str]] = field(default_factory=dict)
    """The long conversations' ids and chats, by number."""
    named: dict[str, str] = field(default_factory=dict)
    """The ids of the short ones, by the text."""

    def put(self, place: str, *seen: str) -> None:
        self.planted.setdefault(place, []).extend(seen)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.here.place.database, timeout=20)) as connection, connection:
            return connection.execute(query, values).fetchall()

    # --- customers -----------------------------------------------------------------------------------------------

    async def session(self, http: httpx2.AsyncClient, customer: str, name: str) -> Chat:
        base = f"{self.here.place.url}/chat"
        proof = self.here.signed(customer, whole(name))
        made = await http.post(f"{base}/sessions", json={"user_token": proof})
        assert made.status_code == 201, made.text
        return Chat(http, base, made.json()["token"])

    async def say(self, chat: Chat, text: str, files: Sequence[str] = ()) -> None:
        """Sends it and waits until it is answered, and the answer sent."""
        id = secrets.token_hex(12)
        await chat.post("/messages", {"id": id, "text": text, "files": list(files)})
        # the feed's key is the message's id, which begins with the chat's
        ((key, chat.chat),) = self.rows(
            "SELECT key, chat FROM feed WHERE channel = 'web' AND key LIKE ?", f"%.{id}"
        )
        until = time.monotonic() + 20
        while time.monotonic() < until:
            ((done, waiting, sent),) = self.rows(_ANSWERED, key)
            if done and not waiting and sent:
                return
            if done and not sent:
                break
            await asyncio.sleep(0.01)
        self.missed.append(text)
        if not text.startswith("/"):
            await self.say(chat, "/bot")  # a human was called: those words said so

    async def conversation(self, number: int, texts: Sequence[str], http: httpx2.AsyncClient) -> None:
        """Each text as the customer's words, the model's, a file's name, a flow's words and a button."""
        chat = await self.session(http, f"long-{number}", texts[0])
        for text in texts:
            asked = text if "\n" in text else f"{text} ?"  # what is no question is never an unanswered one
            await self.say(chat, asked)
            self.put("customer", shown(asked))
            self.put("model", of_markdown(asked))
        ids = []
        for text in texts:
            headers = {**chat.headers, "Content-Type": "text/plain"}
            address = f"{chat.base}/files?name={quote(as_name(text), errors='replace')}"
            made = await chat.http.post(address, content=b"words", headers=headers)
            assert made.status_code == 201, made.text
            ids.append(made.json()["id"])
            self.put("customer's file", shown(made.json()["name"]))
        for at in range(0, len(ids), 10):
            await self.say(chat, f"Files {at}.", ids[at : at + 10])
        await self.say(chat, f"/gather{number}")
        for text in texts:
            await self.say(chat, text)
            self.put("flow", of_markdown(text))
            self.put("slot", shown(text))
            self.put("button", shown(text))
            if "\n" not in text and " | " not in text:
                self.put("choice", shown(text))
        for _ in range(3):  # the bot has words of its own for "help": what the flow asked for is still open then
            if self.rows(_HANDED_OVER, chat.chat):
                break
            await self.say(chat, "More.")
        self.put("tag", *(shown(tag) for tag in tags_of(texts)))
        ((id,),) = self.rows("SELECT public FROM conversations WHERE channel = 'web' AND customer = ?", chat.chat)
        self.long[number] = (id, chat.chat)

    def by_hand(self, number: int, texts: Sequence[str]) -> None:
        """Buttons and files whose addresses are the texts. Only while the bot has nothing to write."""
        _, chat = self.long[number]
        for at in range(0, len(texts), 8):
            some = [whole(text) for text in texts[at : at + 8]]
            body = {
                "from": "bot",
                "text": f"By hand in {number}.",
                "buttons": [{"label": text, "url": text} for text in some]
                + [{"label": text, "press": "x"} for text in some],
                "menu": at == 0,
                "files": [{"name": text, "type": "image/png", "size": 1, "url": text} for text in some],
            }
            row = ("web", chat, secrets.token_hex(8), time.time(), json.dumps(body))
            self.put("button by hand", *map(shown, some))
            self.rows("INSERT INTO feed (channel, chat, key, at, body) VALUES (?, ?, ?, ?, ?)", *row)

    async def names(self, texts: Sequence[str]) -> None:
        """Each text as the name of a customer, who is handed over with the text as the reason."""
        for at in range(0, len(texts), _FROM_ONE_ADDRESS):
            address = f"127.0.{1 + at // _FROM_ONE_ADDRESS // 250}.{1 + at // _FROM_ONE_ADDRESS % 250}"
            async with from_address(address) as http:
                some = texts[at : at + _FROM_ONE_ADDRESS]
                await asyncio.gather(
                    *(self._named(http, f"named-{at + place}", text) for place, text in enumerate(some))
                )

    async def _named(self, http: httpx2.AsyncClient, customer: str, text: str) -> None:
        chat = await self.session(http, customer, text)
        await self.say(chat, f"hostile {text}")
        ((id, name),) = self.rows(
            "SELECT public, customer_name FROM conversations WHERE channel = 'web' AND customer = ?", chat.chat
        )
        self.named[text] = id
        self.put("customer's name", shown(name))


@contextlib.asynccontextmanager
async def from_address(address: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that comes from this address of loopback, for limits are by address."""
    transport = httpx2.AsyncHTTPTransport(local_address=address)
    async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=60) as http:
        yield http


class Clerk:
    """An agent at the console's forms, without a browser."""

    def __init__(self, here: Stage, http: httpx2.AsyncClient) -> None:
        self._base = f"{here.place.url}/console"
        self._http = http
        self._csrf = ""

    async def sign_in(self, login: str) -> None:
        answer = await self.post("/sign-in", login=login, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        page = await self._http.get(f"{self._base}/account")
        self._csrf = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]

    async def post(self, path: str, *, files: Any = None, **fields: str) -> httpx2.Response:
        headers = {"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": self._csrf}
        return await self._http.post(self._base + path, data=fields, files=files, headers=headers)

    async def act(self, conversation: str, name: str, text: str = "", files: Any = None, **fields: str) -> None:
        path = f"/c/{conversation}/{name}"
        answer = await self.post(path, text=text, files=files, act=secrets.token_urlsafe(18), **fields)
        assert answer.status_code == 303, f"{name}: {answer.status_code} {answer.text[-3000:]}"

    async def rename(self, name: str) -> None:
        answer = await self.post("/account", name=name)
        assert answer.status_code in (200, 303), answer.text


async def by_agents(bed: Bed, clerk: Clerk, chunks: Sequence[Sequence[str]]) -> None:
    """Each text as an agent's name, reply, file and note."""
    called = "Maya"
    for number, texts in enumerate(chunks):
        id, _ = bed.long[number]
        await clerk.act(id, "claim")
        for text in map(whole, texts):
            if not controls(text) and len(text) <= _NAME:
                await clerk.rename(text)
                bed.put("agent's name", shown(text))
                called = text
            name = "".join(sign for sign in as_name(text) if sign.isprintable())
            await clerk.act(id, "reply", text, files=[("files", (name, b"words", "text/plain"))])
            await clerk.act(id, "note", text)
            bed.put("agent", of_markdown(text))
            bed.put("agent's file", shown(name.replace('"', "%22")[:_FILE_NAME]))
            bed.put("note", shown(f"{called}: {text}"))


async def canned(bed: Bed, clerk: Clerk, texts: Sequence[str]) -> None:
    """Each text as a canned reply's title and words, and so in the audit log."""
    for text in map(whole, texts[:900]):
        answer = await clerk.post("/replies", title=text, text=text)
        if answer.status_code == 303:
            bed.put("canned title", shown(text))
            bed.put("canned", of_markdown(text))


def whole_config(texts: Sequence[str]) -> Mapping[str, Any]:
    """The widget's own words, made of all of them."""
    words = [whole(text).replace("${", "$${") for text in texts]
    every = " ".join(words)
    return {
        "rate": 100_000,
        "title": every[:2_000],
        "greeting": every,
        "launcher": every[:300],
        "prompts": words[:200],
        "text_limit": 8_000,
    }


@contextlib.asynccontextmanager
async def sown(folder: Path, texts: Sequence[str], model: FakeOpenAI) -> AsyncIterator[Bed]:
    """A bot in which all of them are planted; Maya is its admin."""
    chunks = [texts[at : at + CHUNK] for at in range(0, len(texts), CHUNK)]
    (folder / "flows").mkdir()
    for name, flow in flows(chunks).items():
        (folder / "flows" / f"{name}.yaml").write_text(json.dumps(flow), "utf-8")
    async with stage(folder, model, web=whole_config(texts)) as here:
        here.account("maya", "Maya", "admin")
        bed = Bed(here)
        for first in range(0, len(chunks), _AT_ONCE):
            some = range(first, min(first + _AT_ONCE, len(chunks)))
            async with from_address(f"127.1.0.{1 + first // _FROM_ONE_ADDRESS}") as http:
                await asyncio.gather(*(bed.conversation(at, chunks[at], http) for at in some))
        await bed.names([text for text in texts if len(text) <= _OF_PATTERN])
        async with from_address("127.0.0.1") as http:
            clerk = Clerk(here, http)
            await clerk.sign_in("maya")
            await by_agents(bed, clerk, chunks)
            await canned(bed, clerk, texts)
        for number, some_texts in enumerate(chunks):
            bed.by_hand(number, some_texts)
        yield bed
