"""A channel for supportbot: Mattermost. Posts come in by an outgoing webhook, answers go out by the REST API.

The way in keeps one order: cap the body, check who sends it, read it, store it, and only then answer 200.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import httpx2
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from supportbot import (
    Action,
    Adapter,
    Address,
    Attachment,
    Capabilities,
    ChannelBusy,
    ChannelContext,
    ChannelError,
    ChannelGone,
    ChannelRefused,
    Desk,
    FileTooLarge,
    Message,
    Outgoing,
    Rendering,
    Reply,
    StoreError,
    UsageError,
    User,
)
from supportbot.doors import RETRY_AFTER, Door, Refused, answer, headers_of, read_body
from supportbot.options import Options

TEXT_LIMIT = 16_383
SECONDS = 10.0
MOST_BYTES = 50_000_000  # of one answer: a file, or a channel's latest posts
REMEMBERED = 10_000

_ID = re.compile(r"[a-z0-9]{26}")
_DIRECT = re.compile(r"[a-z0-9]{26}__[a-z0-9]{26}")  # the name of the channel of a direct message
_EVERYONE = re.compile(r"(?<!\w)@(?=(?:all|channel|here)\b)", re.IGNORECASE)
_KINDS: Mapping[str, Any] = {
    "posted": "message",
    "post_edited": "message.edited",
    "post_deleted": "message.deleted",
}


def quiet(text: str) -> str:
    """The text with an invisible blank in @all and its like, so that no answer ever calls a whole team."""
    return _EVERYONE.sub("@\u200b", text)


class MattermostAdapter(Adapter):
    """One door for posts, one for pressed buttons, and the REST API for answers."""

    # The outbox splits, paces and retries by these; nothing of that is done below. They stand on the class because
    # `supportbot preview --channel mattermost` shows a reply without any account.
    capabilities = Capabilities(
        buttons=True,
        button_limit=20,  # Mattermost has no limit, but more than this is no choice
        label_limit=60,
        streaming=True,
        text_limit=TEXT_LIMIT,
        measure=lambda text: len(quiet(text)),  # what is sent is what counts
        typing=4.0,  # clients show it for five seconds
        chat_interval=0.2,
        channel_rate=10.0,  # what Mattermost allows by default where it limits at all
        send_timeout=SECONDS,
    )
    # Secrets can stay out of the config: {option: variable}.
    environment: Mapping[str, str] = {
        "bot_token": "MATTERMOST_BOT_TOKEN",
        "webhook_tokens": "MATTERMOST_WEBHOOK_TOKEN",
    }

    # --- options, start and stop -----------------------------------------------------------------------------

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        """Checks the options and opens nothing: `supportbot check` comes this far and no further."""
        super().__init__(name, options)
        known = ("url", "bot_token", "webhook_tokens", "public_url", "allow_private", "body_limit")
        read = Options(name, options, known, self.environment)
        self.url = read.url("url", "")
        if not self.url:
            raise UsageError(f"{read.place('url')} is missing: the server's address, such as https://chat.example")
        self._bot_token = read.text("bot_token")
        self._webhook_tokens = read.words("webhook_tokens")  # each outgoing webhook has its own
        if not self._webhook_tokens:
            raise UsageError(f"{read.place('webhook_tokens')} is missing, so nobody could send it anything.")
        self._public_url = read.url("public_url", "")
        self._private = read.flag("allow_private")  # a server in your own network
        self._limit = read.count("body_limit", 1_000_000)
        self._context: ChannelContext | None = None
        self._desks: dict[str, Any] = {}  # by the id of their channel
        self._client: httpx2.AsyncClient | None = None
        self._me = ""
        self._people: dict[str, Mapping[str, Any]] = {}

    def routes(self) -> Sequence[BaseRoute]:
        place = f"/mattermost/{self.name}"
        return (
            Route(place, Door(self._take_post), methods=["POST"]),
            Route(f"{place}/press", Door(self._take_press), methods=["POST"]),
        )

    def desk(self, name: str, options: Mapping[str, Any]) -> Desk:
        from mattermost_desk import MattermostDesk  # here, so that a bot without a desk needs one file only

        desk = MattermostDesk(name, options, self._call, self.fetch)
        if desk.channel in self._desks:
            raise UsageError(f"place is the channel of the desk {self._desks[desk.channel].name} already.")
        self._desks[desk.channel] = desk
        return desk

    async def start(self, context: ChannelContext) -> None:
        """Asks Mattermost nothing: a server that is down now must not keep the bot from starting."""
        self._client = context.http(self._private, most=MOST_BYTES)
        self._context = context
        for desk in self._desks.values():
            desk.files = context.files
        self._public_url = self._public_url or context.public_url
        if not self._public_url:  # nobody said where presses could go, so the house puts choices into words
            self.capabilities = replace(self.capabilities, buttons=False)

    async def stop(self) -> None:
        """May be called twice, and before `start`."""
        self._context = None
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    # --- the way in ------------------------------------------------------------------------------------------

    async def _take_post(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        fields = parse(
            headers.get("content-type", ""),
            await read_body(headers.get("content-length", "0"), receive, self._limit),
        )
        token = fields.pop("token", "")
        if not any(same(token, one) for one in self._webhook_tokens):
            raise Refused(401, "The token is missing or wrong.")
        try:
            message = read_post(fields, self.name)
        except Exception as error:  # whatever it is, people can look at it, and nothing is held up
            await self._set_aside(fields, error)
        else:
            if message is not None and await self._is_person(message.user.id):
                await self._take(message, fields)
        await answer(send, 200, {})  # an empty answer: a "text" in it would be posted

    async def _take_press(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = headers_of(scope).get("content-length", "0")
        fields = parse("application/json", await read_body(length, receive, self._limit))
        context = fields.get("context")
        context = context if isinstance(context, dict) else {}
        # Mattermost signs nothing here. What we gave the button is kept from its users, so it proves the press.
        place, press = str(context.get("chat", "")), str(context.get("press", ""))
        proofs = [proof(token, place, press) for token in self._webhook_tokens]
        if not any(same(context.get("proof"), one) for one in proofs):
            raise Refused(401, "This is not a button of ours.")
        try:
            message = read_press(fields, Address(self.name, place), Action(press=press))
        except Exception as error:  # as above
            await self._set_aside(fields, error)
            await answer(send, 200, {})
            return
        fresh = await self._store(message)
        await answer(send, 200, {"ephemeral_text": f"✓ {context.get('label', '')}"} if fresh else {})

    async def _take(self, message: Message, fields: Mapping[str, Any]) -> None:
        """In the channel of a desk an agent wrote, everywhere else a customer."""
        desk = self._desks.get(message.address.chat)
        if desk is None:
            await self._store(replace(message, locale=self._locale(message.user.id)))
        elif act := desk.act(message, thread_of(fields)):
            await self._kept(self._open_context().desks.act(desk.name, act))

    async def _store(self, message: Message) -> bool:
        """Whether it came for the first time. Only after this may Mattermost hear 200."""
        receipt = await self._kept(self._open_context().inbox.receive(message))
        return bool(receipt.fresh)

    async def _set_aside(self, fields: Mapping[str, Any], error: Exception) -> None:
        content = json.dumps(fields)  # without the token, which is gone from the fields
        id = "aside." + hashlib.sha256(content.encode()).hexdigest()
        reason = f"cannot be read: {type(error).__name__}: {str(error)[:200]}"
        await self._kept(self._open_context().inbox.set_aside(self.name, id, content, reason))

    async def _kept(self, storing: Awaitable[Any]) -> Any:
        try:
            return await storing
        except StoreError:
            raise Refused(503, "This could not be stored; send it again later.", RETRY_AFTER) from None

    def _open_context(self) -> ChannelContext:
        if self._context is None:
            raise Refused(503, "This channel is not running; send it again later.", RETRY_AFTER)
        return self._context

    async def _is_person(self, user: str) -> bool:
        """Neither we nor another bot. Who cannot be looked up now counts as one: a customer must not be lost."""
        self._open_context()
        try:
            if user == await self._own_id():
                return False
            if user not in self._people:
                if len(self._people) >= REMEMBERED:
                    self._people.clear()
                self._people[user] = await self._call("GET", f"/users/{user}")
        except ChannelError:
            return True
        return not self._people[user].get("is_bot")

    def _locale(self, user: str) -> str:
        return str(self._people.get(user, {}).get("locale") or "")

    async def _own_id(self) -> str:
        if not self._me:
            self._me = str((await self._call("GET", "/users/me")).get("id", ""))
        return self._me

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        """Reads no further than the limit, whatever the server says of the size."""
        content = bytearray()
        request = self._request("GET", f"/files/{attachment.ref}")
        try:
            response = await self._open_client().send(request, stream=True)
            try:
                check(response)
                async for piece in response.aiter_bytes():
                    content += piece
                    if len(content) > limit:
                        raise FileTooLarge(f"The file has more than {limit:,} bytes.")
            finally:
                await response.aclose()
        except httpx2.HTTPError as error:
            raise unreachable(error) from None
        return bytes(content)

    # --- the way out -----------------------------------------------------------------------------------------

    async def send(self, outgoing: Outgoing) -> str:
        reply = outgoing.reply
        if reply is None:  # only channels with `events=True` get other things than replies
            return ""
        if not reply.text.strip() and not reply.buttons:
            raise ChannelRefused("The reply is empty, and Mattermost takes no empty post.")
        post = self._post(outgoing, reply)
        if reply.private:  # for the customer's eyes only: in a channel others read along
            post["channel_id"] = await self._direct(outgoing.user.id)
        elif outgoing.preview:
            try:
                return await self._edit(outgoing.preview, post)
            except (ChannelGone, ChannelRefused):
                pass  # somebody has deleted what was shown; the answer must arrive all the same
        # `id` is the same in every try: a post that was taken before the line broke is not made twice
        return await self._create({**post, "pending_post_id": outgoing.id})

    async def preview(self, outgoing: Outgoing, text: str) -> str:
        """The first piece makes the post, each later one changes it, and `send` finishes it."""
        post = self._post(outgoing, Reply(text[: TEXT_LIMIT - 200]))
        return await (self._edit(outgoing.preview, post) if outgoing.preview else self._create(post))

    async def working(self, outgoing: Outgoing, note: str) -> None:
        await self._call("POST", "/users/me/typing", {"channel_id": outgoing.address.chat})

    @classmethod
    def render(cls, reply: Reply) -> Rendering:
        post = compose(reply, "", "…", lambda place, press: "…")
        buttons = " ".join(f"[{button.label}]" for button in reply.buttons)
        shown = "\n\n".join(part for part in (post["message"], buttons) if part)
        return Rendering(shown, ({"method": "POST /api/v4/posts", **post},))

    def _post(self, outgoing: Outgoing, reply: Reply) -> dict[str, Any]:
        token = self._webhook_tokens[0]
        url = f"{self._public_url}/mattermost/{self.name}/press"
        return compose(reply, outgoing.address.chat, url, lambda place, press: proof(token, place, press))

    async def _create(self, post: Mapping[str, Any]) -> str:
        return str((await self._call("POST", "/posts", post)).get("id", ""))

    async def _edit(self, id: str, post: Mapping[str, Any]) -> str:
        await self._call("PUT", f"/posts/{id}", {"id": id, "message": post["message"], "props": post["props"]})
        return id

    async def _direct(self, user: str) -> str:
        """The channel for direct messages with a user; it is made if there is none."""
        return str((await self._call("POST", "/channels/direct", [await self._own_id(), user])).get("id", ""))

    async def _call(self, method: str, path: str, body: Any = None) -> Mapping[str, Any]:
        try:
            response = await self._open_client().send(self._request(method, path, body))
            check(response)
            found = response.json()
        except httpx2.HTTPError as error:
            raise unreachable(error) from None
        except ValueError:
            raise ChannelBusy("Mattermost answered with something that is no JSON; check url.") from None
        return found if isinstance(found, dict) else {}

    def _request(self, method: str, path: str, body: Any = None) -> httpx2.Request:
        headers = {"authorization": f"Bearer {self._bot_token}"}
        url = f"{self.url}/api/v4{path}"
        content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self._open_client().build_request(method, url, headers=headers, timeout=SECONDS, **content)

    def _open_client(self) -> httpx2.AsyncClient:
        if self._client is None:
            raise ChannelBusy(f"Channel {self.name} is not running.")
        return self._client


# --- reading: no clock, no network, so that every payload can be tried in a test -----------------------------------


def parse(kind: str, body: bytes) -> dict[str, Any]:
    """A webhook sends a form or JSON, as it was set up."""
    try:
        text = body.decode("utf-8")
        if kind.startswith("application/json"):
            fields = json.loads(text)
        else:
            fields = dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100))
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise Refused(400, "The body must be one JSON object or a form, in UTF-8.")
    return fields


def read_post(fields: Mapping[str, Any], channel: str) -> Message | None:
    """The message, None if there is nothing to answer. Raises whatever it stumbles over."""
    if "event" not in fields:
        return _message(fields, _from_webhook(fields), channel, "message")
    kind = _KINDS.get(fields["event"])
    if kind is None:  # "user_added", and what Mattermost will think of next year
        return None
    data = fields["data"]
    return _message(data, json.loads(data["post"]), channel, kind)


def thread_of(fields: Mapping[str, Any]) -> str:
    """The post under which this one stands, "" if none; only the websocket tells."""
    return str(json.loads(fields["data"]["post"]).get("root_id") or "") if "event" in fields else ""


def _from_webhook(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an outgoing webhook says of a post, as the API writes posts."""
    text, trigger = fields["text"], fields.get("trigger_word") or ""
    files = [id for id in (fields.get("file_ids") or "").split(",") if id]
    return {
        "id": fields["post_id"],
        "channel_id": fields["channel_id"],
        "user_id": fields["user_id"],
        "message": text.removeprefix(trigger).strip() or text,
        "file_ids": files,
    }


def _message(around: Mapping[str, Any], post: Mapping[str, Any], channel: str, kind: Any) -> Message | None:
    props = post.get("props") or {}
    if (post.get("type") or "").startswith("system_") or "true" in (
        props.get("from_bot"),
        props.get("from_webhook"),
    ):
        return None
    id, edited = _id(post, "id"), int(post.get("edit_at") or 0)
    if kind == "message.edited" and not edited:
        return None  # pinned, not written
    # A message's own id is what a repeat is known by, however it comes. An edit is a message of its own.
    own = {"message": id, "message.edited": f"{id}.{edited}", "message.deleted": f"{id}.deleted"}[kind]
    text = "" if kind == "message.deleted" else post["message"].replace("\0", "")
    files = tuple(_attachments(post)) if kind == "message" else ()
    if kind == "message" and not text and not files:
        return None
    return Message(
        # The webhook does not tell threads apart, so a channel is one conversation.
        address=Address(channel, _id(post, "channel_id")),
        id=own,
        user=User(
            _id(post, "user_id"), str(around.get("user_name") or around.get("sender_name") or "").lstrip("@")
        ),
        text=text,
        kind=kind,
        attachments=files,
        target="" if kind == "message" else id,
        shared=_shared(around),
    )


def read_press(fields: Mapping[str, Any], address: Address, action: Action) -> Message:
    """A press. Its id makes one of all presses by one user on one message: only the first choice counts."""
    user = User(_id(fields, "user_id"), str(fields.get("user_name") or ""))
    shared = _shared(fields) or fields["channel_id"] != address.chat  # a private reply to what stood in a channel
    return Message(address, action.key(user.id), user, kind="action", action=action, shared=shared)


def _attachments(post: Mapping[str, Any]) -> Sequence[Attachment]:
    told = {file["id"]: file for file in (post.get("metadata") or {}).get("files") or ()}
    found = []
    for id in post.get("file_ids") or ():
        file = told.get(id, {})
        kind = str(file.get("mime_type") or "application/octet-stream")
        # `ref` is what `fetch` needs; no token in it, because it is kept in the database
        found.append(
            Attachment(str(file.get("name") or id), kind, int(file.get("size", -1)), ref=_id({"id": id}, "id"))
        )
    return found


def _shared(around: Mapping[str, Any]) -> bool:
    """Whether others read along; where Mattermost does not say it, they do."""
    return not _DIRECT.fullmatch(str(around.get("channel_name") or ""))


def _id(fields: Mapping[str, Any], key: str) -> str:
    found = fields[key]
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise ValueError(f"{key} is no id of Mattermost's")
    return found


# --- writing -------------------------------------------------------------------------------------------------------


def compose(reply: Reply, place: str, url: str, sign: Callable[[str, str], str]) -> dict[str, Any]:
    """The post that shows the reply: Mattermost reads Markdown as it is, buttons stand in an attachment."""
    actions = [
        {
            "id": f"choice{number}",  # letters and digits only: presses of other ids never arrive
            "type": "button",
            "name": button.label,
            "style": button.style or "default",
            "integration": {
                "url": url,
                # `press` is all that has to come back; the place, because a private reply is shown elsewhere
                "context": {
                    "chat": place,
                    "press": button.press,
                    "label": button.label,
                    "proof": sign(place, button.press),
                },
            },
        }
        for number, button in enumerate(reply.buttons)
    ]
    attachments = [{"actions": actions}] if actions else []
    return {"channel_id": place, "message": quiet(reply.text), "props": {"attachments": attachments}}


def proof(token: str, place: str, press: str) -> str:
    return hmac.new(token.encode(), f"{place}\n{press}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def same(given: object, wanted: str) -> bool:
    """Compares in a time that tells nothing."""
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


# --- failures: Busy is tried again, Refused and Gone are dead letters ----------------------------------------------


def check(response: httpx2.Response) -> None:
    """Raises the ChannelError that an answer means. No sentence quotes a header, a URL or a body."""
    status = response.status_code
    if 200 <= status < 300:
        return
    if status == 429:
        wish = response.headers.get("retry-after", "")
        raise ChannelBusy("Mattermost asks to wait.", retry_after=float(wish) if wish.isdecimal() else None)
    if status == 401:  # the operator can mend it, so what waits is not given up
        raise ChannelBusy("Mattermost does not accept the bot token: write the new one and restart.")
    if status in (403, 404):
        raise ChannelGone(f"Mattermost has no such place for the bot (any more): {status}.")
    if 400 <= status < 500:
        raise ChannelRefused(f"Mattermost refused this with {status}.")
    raise ChannelBusy(f"Mattermost answered {status}.")


def unreachable(error: httpx2.HTTPError) -> ChannelBusy:
    return ChannelBusy(f"Mattermost could not be reached or broke off ({type(error).__name__}).")
