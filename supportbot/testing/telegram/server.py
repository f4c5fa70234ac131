"""A stand-in for the Telegram Bot API on loopback: real HTTP, strict as the original, and faulty on demand.

    async with FakeTelegram() as fake:
        bot = telegram.Bot(fake.token, base_url=fake.url + "/bot", base_file_url=fake.url + "/file/bot")
        fake.add(updates.text("Where is my order?"))     # waits for a long poll, or goes to the webhook
        ...
        assert fake.texts() == ["On its way."]

`updates` is `supportbot.testing.telegram.updates`. Chats that wrote are known; others are registered with `chat`.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from aiohttp import web

from supportbot.testing.telegram.book import Book
from supportbot.testing.telegram.faults import (
    BAD_GATEWAY,
    HANG,
    HANG_AFTER_ACCEPTING,
    RESET,
    RESET_AFTER_ACCEPTING,
    Fault,
    FaultKind,
    Faults,
)
from supportbot.testing.telegram.ledger import Action, Call, CallbackAnswer, Chat, Draft, Edit, File, Sent, Topic
from supportbot.testing.telegram.messages import Messages
from supportbot.testing.telegram.methods import Methods
from supportbot.testing.telegram.params import Params, read_params
from supportbot.testing.telegram.parts import bot as bot_part
from supportbot.testing.telegram.parts import member, user
from supportbot.testing.telegram.queue import SECRET_HEADER, Delivery, UpdateQueue
from supportbot.testing.telegram.rules import Pace, Refused, too_many_requests

__all__ = [
    "BAD_GATEWAY",
    "HANG",
    "HANG_AFTER_ACCEPTING",
    "RESET",
    "RESET_AFTER_ACCEPTING",
    "SECRET_HEADER",
    "Action",
    "Call",
    "CallbackAnswer",
    "Chat",
    "Delivery",
    "Draft",
    "Edit",
    "FakeTelegram",
    "Fault",
    "FaultKind",
    "File",
    "Sent",
    "Topic",
]
_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


class FakeTelegram:
    """The server. `sent` is every accepted message in order; a copy stands there twice.

    `burst`: by how many seconds a message to a person may come too early; with `limits=False` no rate is enforced.
    `repeat_after`: when the webhook gets an update again that it did not take. `latency`: how long each answer takes.
    `callback_seconds`: how long a callback query can be answered. `file_redirect`: where downloads are redirected to.
    """

    def __init__(
        self,
        *,
        limits: bool = True,
        burst: float = 0.3,
        repeat_after: float = 0.05,
        answer_within: float = 10.0,
        latency: float = 0.0,
        callback_seconds: float = 900.0,
        file_redirect: str = "",
    ) -> None:
        bot = bot_part()
        rights = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
        self.token = f"{bot['id']}:AAfake-token-of-a-bot-that-does-not-exist"
        self.id: int = bot["id"]
        self.username: str = bot["username"]
        self.url = ""
        self.calls: list[Call] = []
        self.file_redirect = file_redirect
        self._latency = latency
        self._book = Book({**bot, **rights}, callback_seconds)
        self._messages = Messages(self._book, Pace(burst) if limits else None)
        self._queue = UpdateQueue(repeat_after, answer_within)
        self._methods = Methods(self._book, self._messages, self._queue)
        self._faults = Faults()
        self._closing = asyncio.Event()

    @property
    def sent(self) -> list[Sent]:
        return self._messages.sent

    @property
    def drafts(self) -> list[Draft]:
        return self._messages.drafts

    @property
    def actions(self) -> list[Action]:
        return self._methods.actions

    @property
    def answers(self) -> list[CallbackAnswer]:
        return self._methods.answers

    @property
    def deliveries(self) -> list[Delivery]:
        """Every attempt to bring an update to the webhook."""
        return self._queue.deliveries

    @property
    def faults(self) -> list[tuple[float, str, Fault]]:
        """The faults that happened: (time, method, fault)."""
        return self._faults.ledger

    @property
    def rate_limited(self) -> int:
        """How many messages came too fast and were refused."""
        return self._messages.rate_limited

    @property
    def pending(self) -> list[int]:
        """The ids of the updates that the bot has not taken."""
        return list(self._queue.pending)

    def texts(self, chat_id: int | None = None) -> list[str]:
        """The texts and captions that stand in the chat, or in all, as they are now; deleted ones are gone."""
        return [one.text for one in self.sent if not one.deleted and chat_id in (None, one.chat_id)]

    async def wait_for(
        self, count: int, seconds: float = 5.0, where: Callable[[Sent], bool] = lambda _: True
    ) -> list[Sent]:
        """The first `count` messages, of those that `where` is true of; TimeoutError says how many there were."""
        try:
            async with asyncio.timeout(seconds):
                while len(found := [one for one in self.sent if where(one)]) < count:
                    await self._messages.bell.wait()
        except TimeoutError:
            raise TimeoutError(f"{len(found)} of {count} messages came in {seconds:g} s") from None
        return found[:count]

    def always(self, method: str, fault: Fault | None) -> None:
        """Every call of the method fails like this from now on; "*" is any method, None ends it."""
        self._faults.always(method, fault)

    def next(self, method: str, *faults: Fault | None) -> None:
        """The next calls of the method fail like this, one after the other; None lets one pass."""
        self._faults.next(method, *faults)

    def chaos(self, share: float, seed: int, kinds: Sequence[Fault] = (), methods: Sequence[str] = ()) -> None:
        """A share of the calls, of these methods or of all, fails; the same ones for the same seed."""
        self._faults.chaos(share, seed, kinds, methods)

    def add(self, update: Mapping[str, Any]) -> int:
        """Queues an update and learns from it, as Telegram does; gives its `update_id`."""
        self._book.learn(update)
        return self._queue.add(update)

    def drop(self, update_id: int) -> None:
        """Gives up on an update that the bot does not take."""
        self._queue.forget(update_id)

    async def delivered(self, update_id: int, seconds: float = 5.0) -> bool:
        """Whether the bot takes the update in time: confirms it with an offset, or answers 2xx."""
        return await self._queue.wait_done(update_id, seconds)

    def webhook_headers(self) -> dict[str, str]:
        """The headers of a genuine delivery to the webhook that is set."""
        assert self._queue.webhook is not None, "set a webhook first"
        return self._queue.webhook.headers()

    def chat(
        self,
        id: int,
        type: str = "private",
        title: str = "",
        *,
        is_forum: bool = False,
        username: str = "",
        topics: Sequence[int] = (),
        wrote: bool = True,
        statuses: Mapping[int, str] | None = None,
    ) -> Chat:
        """Registers a chat: its topics, whether the person ever wrote, and members with their statuses."""
        chat = Chat(id, type, title, is_forum, username, topics=set(topics))
        chat.state = "open" if wrote else "never wrote"
        for user_id, status in (statuses or {}).items():
            person = self._book.bot if user_id == self.id else user(user_id, f"User {user_id}")
            chat.members[user_id] = member(person, status)
        self._book.chats[id] = chat
        return chat

    def forum(self, id: int, title: str = "Agents", *, status: str = "administrator") -> Chat:
        """Registers a forum group in which the bot has this status; an administrator may manage topics."""
        chat = self.chat(id, "supergroup", title, is_forum=True, statuses={self.id: status})
        chat.last_id = 1  # the topic "General", into which a message goes without a topic
        return chat

    def content(self, digest: str) -> bytes:
        """The bytes of a file that was sent, by `Sent.file_digest`."""
        return next(file.content for file in self._book.files.values() if file.digest == digest)

    def block(self, chat_id: int) -> None:
        """From now on the person has blocked the bot, or the group has removed it."""
        chat = self._book.chat(str(chat_id))
        chat.state = "blocked" if chat.private else "kicked"

    def unblock(self, chat_id: int) -> None:
        self._book.chat(str(chat_id)).state = "open"

    def migrate(self, old: int, new: int) -> None:
        """The basic group `old` is the supergroup `new` from now on."""
        chat = self._book.chat(str(old))
        chat.migrated_to = new
        self._book.chats.setdefault(new, Chat(new, "supergroup", chat.title))

    def file(
        self,
        file_id: str,
        content: bytes = b"",
        mime: str = "application/octet-stream",
        name: str = "file.bin",
        size: int | None = None,
    ) -> File:
        """Registers a file for `getFile`; `size` may claim more than there is."""
        file = File(file_id, content, mime, name, len(content) if size is None else size)
        self._book.files[file_id] = file
        return file

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/bot{token}/{method}", self._serve)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        app.router.add_route("*", "/{rest:.*}", self._nowhere)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._closing.set()
        await self._queue.stop()
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return _failed(401, "Unauthorized")
        name = self._methods.spelling(request.match_info["method"])
        if name is None:
            return _failed(404, "Not Found: method not found")
        try:
            params = await read_params(request)
            self.calls.append(Call(name, params.values))
            await asyncio.sleep(self._latency)
            fault = self._faults.take(name)
            if fault is not None and not fault.accepts:
                return await self._fail(request, fault)
            result = await self._run(name, params)
        except Refused as refused:
            return _failed(refused.code, refused.description, refused.parameters)
        if fault is not None:
            return await self._fail(request, fault)
        return web.json_response({"ok": True, "result": result})

    async def _run(self, name: str, params: Params) -> Any:
        """The method's result; a long poll ends with the server."""
        outcome = self._methods.table[name](params)
        if not inspect.isawaitable(outcome):
            return outcome
        working = asyncio.ensure_future(outcome)
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((working, closing), return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else []
        finally:
            working.cancel()
            closing.cancel()

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "error":
            return _failed(fault.error_code, fault.description, fault.parameters)
        if fault.kind == "rate limit":
            refused = too_many_requests(fault.retry_after)
            return _failed(refused.code, refused.description, refused.parameters)
        if fault.kind == "bad gateway":
            return web.Response(status=502, text=_BAD_GATEWAY, content_type="text/html")
        if fault.kind.startswith("hang"):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), fault.seconds)
        _reset(request)
        return web.Response()

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return _failed(401, "Unauthorized")
        fault = self._faults.take("file")
        if fault is not None:
            return await self._fail(request, fault)
        path = request.match_info["path"]
        file = next((one for one in self._book.files.values() if one.path == path), None)
        if file is None:
            return _failed(404, "Not Found")
        if self.file_redirect:
            return web.Response(status=302, headers={"location": self.file_redirect})
        return web.Response(body=file.content, content_type="application/octet-stream")

    async def _nowhere(self, request: web.Request) -> web.StreamResponse:
        return _failed(404, "Not Found")


def _failed(code: int, description: str, parameters: Mapping[str, int] | None = None) -> web.Response:
    """The API's answer to a call that did not work."""
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    if parameters:
        body["parameters"] = dict(parameters)
    headers = {"retry-after": str(body["parameters"]["retry_after"])} if code == 429 and parameters else {}
    return web.Response(status=code, text=json.dumps(body), content_type="application/json", headers=headers)


def _reset(request: web.Request) -> None:
    """Ends the connection with a TCP reset."""
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
