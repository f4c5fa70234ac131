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
from typing import Any
from urllib.parse import quote

import httpx2

from tests.browser.hostile import of_markdown, shown
from tests.browser.stage import PASSWORD, Stage

CHUNK = 24
"""Texts in one conversation: as many files as a chat takes at once."""
_FROM_ONE_ADDRESS = 25
"""Sessions: the chat gives an address thirty a minute."""
_NAME, _TITLE, _OF_PATTERN = 80, 100, 450


def controls(text: str) -> bool:
    return any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text)


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
        tags = [text for text in texts if not controls(text)]
        over = {"handoff": {"reason": f"{{{{ s{len(texts) - 1} }}}}", "tags": tags, "priority": "high"}}
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

    async def post(self, path: str, **options: Any) -> httpx2.Response:
        answer = await self.http.post(self.base + path, headers=self.headers, **options)
        assert answer.status_code < 300, f"{answer.status_code} {answer.text}"
        return answer


@dataclass
class Bed:
    """Where it is planted. `planted`: by place, what has to be seen there; `missed`: what could not be planted."""

    here: Stage
    planted: dict[str, list[str]] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    conversations: list[str] = field(default_factory=list)
    """The ids of the long ones."""
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
        made = await http.post(f"{base}/sessions", json={"user_token": self.here.signed(customer, name)})
        assert made.status_code == 201, made.text
        return Chat(http, base, made.json()["token"])

    async def say(self, chat: Chat, text: str, files: Sequence[str] = ()) -> None:
        """Sends it and waits for whatever comes back."""
        id = secrets.token_hex(12)
        await chat.post("/messages", json={"id": id, "text": text, "files": list(files)})
        # the feed's key is the message's id, which begins with the chat's
        own = self.rows("SELECT id, chat FROM feed WHERE channel = 'web' AND key LIKE ?", f"%.{id}")
        ((place, chat.chat),) = own
        until = time.monotonic() + 20
        while time.monotonic() < until:
            came = self.rows("SELECT body FROM feed WHERE channel = 'web' AND chat = ? AND id > ?", chat.chat, place)
            if came:
                break
            await asyncio.sleep(0.01)
        else:
            self.missed.append(text)

    async def conversation(self, number: int, texts: Sequence[str], http: httpx2.AsyncClient) -> None:
        """Each text as the customer's words, the model's, a file's name, a flow's words and a button."""
        chat = await self.session(http, f"long-{number}", texts[0])
        for text in texts:
            await self.say(chat, text)
            self.put("customer", shown(text))
            self.put("model", of_markdown(text))
        ids = []
        for text in texts:
            sent = {"content": b"words", "params": {"name": text}}
            headers = {**chat.headers, "Content-Type": "text/plain"}
            made = await chat.http.post(f"{chat.base}/files?name={quote(text, errors='replace')}", content=b"words", headers=headers)
            assert made.status_code == 201, made.text
            ids.append(made.json()["id"])
            self.put("customer file", shown(made.json()["name"]))
        for at in range(0, len(ids), 10):
            await self.say(chat, f"Files {at}.", ids[at : at + 10])
        await self.say(chat, f"/gather{number}")
        for text in texts:
            await self.say(chat, text)
            self.put("flow", of_markdown(text))
            self.put("button", shown(text))
        ((id,),) = self.rows("SELECT public FROM conversations WHERE channel = 'web' AND customer = ?", chat.chat)
        self.conversations.append(id)
        self._by_hand(chat.chat, texts)

    def _by_hand(self, chat: str, texts: Sequence[str]) -> None:
        """Buttons and files whose addresses are the texts."""
        for at in range(0, len(texts), 8):
            some = texts[at : at + 8]
            body = {
                "from": "bot",
                "text": "By hand.",
                "buttons": [{"label": text, "url": text} for text in some] + [{"label": text, "press": "x"} for text in some],
                "menu": at == 0,
                "files": [{"name": text, "type": "image/png", "size": 1, "url": text} for text in some],
            }
            row = ("web", chat, secrets.token_hex(8), time.time(), json.dumps(body))
            self.rows("INSERT INTO feed (channel, chat, key, at, body) VALUES (?, ?, ?, ?, ?)", *row)

    async def names(self, texts: Sequence[str]) -> None:
        """Each text as the name of a customer, who is handed over with the text as the reason."""
        for at in range(0, len(texts), _FROM_ONE_ADDRESS):
            address = f"127.0.{1 + at // _FROM_ONE_ADDRESS // 250}.{1 + at // _FROM_ONE_ADDRESS % 250}"
            async with from_address(address) as http:
                some = texts[at : at + _FROM_ONE_ADDRESS]
                await asyncio.gather(*(self._named(http, f"named-{at + place}", text) for place, text in enumerate(some)))

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
        data = {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()}
        return await self._http.post(self._base + path, data=data, files=files, headers=headers)

    async def act(self, conversation: str, name: str, text: str = "", files: Any = None, **fields: str) -> None:
        path = f"/c/{conversation}/{name}"
        answer = await self.post(path, text=text, files=files, act=secrets.token_urlsafe(18), **fields)
        assert answer.status_code == 303, f"{name}: {answer.status_code} {answer.text[-3000:]}"

    async def rename(self, name: str) -> None:
        answer = await self.post("/account", name=name)
        assert answer.status_code in (200, 303), answer.text


async def by_agents(bed: Bed, clerk: Clerk, chunks: Sequence[Sequence[str]]) -> None:
    """Each text as an agent's name, reply, file and note."""
    for id, texts in zip(bed.conversations, chunks, strict=True):
        await clerk.act(id, "claim")
        for text in texts:
            if not controls(text) and len(text) <= _NAME:
                await clerk.rename(text)
                bed.put("agent's name", shown(text))
            await clerk.act(id, "reply", text, files=[("files", (text, b"words", "text/plain"))])
            await clerk.act(id, "note", text)
            bed.put("agent", of_markdown(text))
            bed.put("note", shown(text))


async def canned(bed: Bed, clerk: Clerk, texts: Sequence[str]) -> None:
    """Each text as a canned reply's title and words, and so in the audit log."""
    for text in texts[:900]:
        answer = await clerk.post("/replies", title=text, text=text)
        if answer.status_code == 303:
            bed.put("canned title", shown(text))
            bed.put("canned", of_markdown(text))


def whole_config(texts: Sequence[str]) -> Mapping[str, Any]:
    """The widget's own words, made of all of them."""
    words = [text.encode("utf-8", "replace").decode().replace("${", "$${") for text in texts]
    every = " ".join(words)
    return {
        "rate": 100_000,
        "title": every[:2_000],
        "greeting": every,
        "launcher": every[:300],
        "prompts": words[:200],
        "text_limit": 8_000,
    }
