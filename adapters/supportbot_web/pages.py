"""What a page asks for: its look, its session, what was said, and what it says itself."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from supportbot import Action, Address, Attachment, ChannelRefused, Message, User
from supportbot.doors import Refused
from supportbot.mediatypes import UNKNOWN, allowed, media_type
from supportbot_web import entries
from supportbot_web.door import (
    ANSWERED,
    SELF,
    Door,
    content,
    fields,
    position_of,
    stored,
    text,
    visitor,
    whole,
    within,
)
from supportbot_web.sessions import Session
from supportbot_web.settings import chosen
from supportbot_web.stream import last_of, seen_of
from supportbot_web.words import words

if TYPE_CHECKING:
    from supportbot_web import WebAdapter

_ID = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
_LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
_SOON = (b"retry-after", b"5")
_PIECE = 100
_MOST_FILES = 10
_MOST_PROMPTS = 6
_USER_TOKEN = 8_000
_WORD = 1_000
_NAME = 200
_PLAIN = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "audio/*",
    "video/*",
    "application/pdf",
    "text/plain",
)
"""Kinds of files that a page gets under their own name: none of them runs as a script where it is opened."""


class Pages:
    """The handlers of one web chat's routes."""

    def __init__(self, adapter: WebAdapter, door: Door) -> None:
        self._adapter = adapter
        self._door = door
        self._reading = asyncio.Lock()
        self._said = False

    async def config(self, request: Request) -> Response:
        """How the widget looks, and its words."""
        adapter, settings = self._adapter, self._adapter.settings
        asked = request.query_params.get("locale", "")
        locale, direction, own = words(asked if _LOCALE.match(asked) else adapter.context.locale)
        uploads = {"max": settings.max_upload, "types": list(settings.upload_types)} if settings.uploads else None
        name = adapter.context.bot_name
        return JSONResponse(
            {
                "bot": name,
                "title": chosen(settings.title, locale) or name,
                "greeting": chosen(settings.greeting, locale),
                "locale": locale,
                "dir": direction,
                "look": {
                    "accent": settings.accent,
                    "position": settings.position,
                    "theme": settings.theme,
                    "launcher": chosen(settings.launcher, locale),
                },
                "prompts": [{"label": label} for label in self._prompts(locale)],
                "uploads": uploads,
                "longest": settings.text_limit,
                "words": dict(own),
            }
        )

    def _prompts(self, locale: str) -> list[str]:
        flows = dict(self._adapter.context.menu.prompts)
        wanted = self._adapter.settings.prompts
        if wanted is None:
            return [chosen(titles, locale) for titles in flows.values()][:_MOST_PROMPTS]
        return [chosen(flows.get(text.get("", ""), text), locale) for text in wanted]

    # --- sessions ---

    async def start(self, request: Request) -> Response:
        """A new session, of a customer whose site has signed who they are or of somebody anonymous."""
        adapter = self._adapter
        within(adapter.starts.take(visitor(request)), self._together(request))
        found = await fields(request)
        proof = text(found, "user_token", _USER_TOKEN)
        identity = adapter.context.identify(proof) if proof else None
        if proof and identity is None:
            raise Refused(401, "The user token does not hold; the site must sign a new one.")
        before = await self._door.session(request)
        token, session = await adapter.sessions.open(self._door.origin(request) or SELF, identity, before)
        if before is not None and identity is not None:
            adapter.hub.over(before.chat, before.key)
        made = {"token": token, "expires_at": session.until, "identified": session.identified}
        return JSONResponse({**made, "name": session.name}, 201)

    def _together(self, request: Request) -> Callable[[], None]:
        """Says once that many callers may be taken for one."""

        def told() -> None:
            if "x-forwarded-for" in request.headers and not self._said:
                self._said = True
                notice = (
                    "what comes from here is limited together; if it is a proxy of yours, put it into web.proxies"
                )
                self._adapter.context.log("web.proxy_unknown", address=visitor(request), notice=notice)

        return told

    async def end(self, request: Request, session: Session) -> Response:
        await self._adapter.sessions.end(session)
        self._adapter.hub.over(session.chat, session.key)
        return Response(status_code=204)

    # --- what was said ---

    async def history(self, request: Request, session: Session) -> Response:
        within(self._adapter.asks.take(session.chat))
        before = position_of(request.query_params.get("before"), "before")
        limit = min(position_of(request.query_params.get("limit"), "limit") or 50, _PIECE)
        shelf = self._adapter.shelf
        found = await shelf.entries(session.chat, before=before, limit=limit + 1)
        last = found[-1].position if found and before is None else await last_of(shelf, session.chat)
        told = [entries.shown(entry) for entry in found[-limit:]]
        seen = await seen_of(shelf, session.chat)
        return JSONResponse({"entries": told, "more": len(found) > limit, "seen": seen, "last": last})

    # --- what the page says ---

    async def say(self, request: Request, session: Session) -> Response:
        """A message, or the press of a button."""
        adapter = self._adapter
        within(adapter.says.take(session.chat))
        if not session.identified:  # whoever takes a new session for each message
            within(adapter.floods.take(visitor(request)), self._together(request))
        found = await fields(request, adapter.settings.text_limit)
        id = text(found, "id", _WORD)
        if not _ID.match(id):
            raise Refused(400, "id must be 16 to 64 letters, digits, _ or -.")
        locale = text(found, "locale", _WORD)
        more: dict[str, Any] = {
            "address": Address(adapter.name, session.chat),
            "user": User(session.chat, session.name),
            "locale": locale if _LOCALE.match(locale) else "",
            "proof": self._proof(request, session),
        }
        if "press" in found:
            message, entry = await self._pressed(session, id, found["press"], more)
        else:
            message, entry = await self._written(session, id, found, more)
        await self._stored(message, entry)
        adapter.hub.wake(session.chat)
        return JSONResponse({"id": id}, 202)

    async def _stored(self, message: Message, entry: Mapping[str, Any]) -> None:
        """Stores it once. Raises Refused where another message, or another page's press, came before it."""
        receipt = await stored(self._adapter.context.inbox.receive(message, entry=entry))
        if not receipt.fresh and message.kind == "action":
            first = await self._adapter.shelf.append(message.address.chat, message.id, entry)
            if first.body.get("id") != entry["id"]:
                raise Refused(409, ANSWERED)

    async def _written(
        self, session: Session, id: str, found: Mapping[str, Any], more: Mapping[str, Any]
    ) -> tuple[Message, dict[str, Any]]:
        said = text(found, "text", self._adapter.settings.text_limit)
        files = await self._files(session, found.get("files", []))
        if not said.strip() and not files:
            raise Refused(400, "There is nothing to say: neither text nor files.")
        digest = _digest(said, [file.ref for file, _ in files])
        message = Message(
            id=f"{session.chat}.{id}",
            text=said,
            attachments=tuple(file for file, _ in files),
            digest=digest,
            **more,
        )
        return message, entries.of_customer(id, said, [shown for _, shown in files])

    async def _pressed(
        self, session: Session, id: str, press: object, more: Mapping[str, Any]
    ) -> tuple[Message, dict[str, Any]]:
        if not isinstance(press, dict):
            raise Refused(400, "press must be an object.")
        number, at = whole(press.get("entry"), "press.entry"), whole(press.get("button"), "press.button")
        entry = await self._adapter.shelf.entry(session.chat, number)
        buttons = entry.body.get("buttons", ()) if entry is not None else ()
        if at >= len(buttons) or not buttons[at].get("press"):
            raise Refused(404, "There is no such button.")
        button = buttons[at]
        action = Action(press=button["press"])
        message = Message(
            id=action.key(session.chat), kind="action", action=action, digest=_digest(button["press"]), **more
        )
        return message, entries.of_press(id, button["label"], number, at)

    def _proof(self, request: Request, session: Session) -> str:
        """The signed identity that came with it, if it is that of the session's customer."""
        proof = request.headers.get("supportbot-user", "")
        if not proof or not session.identified:
            return ""
        identity = self._adapter.context.identify(proof)
        if identity is not None and identity.customer != session.customer:
            raise Refused(401, "The user token is somebody else's; start a new session.")
        return proof if identity is not None else ""

    async def seen(self, request: Request, session: Session) -> Response:
        position = whole((await fields(request)).get("position"), "position")
        within(self._adapter.asks.take(session.chat))
        shelf = self._adapter.shelf
        position = min(position, await last_of(shelf, session.chat))
        async with self._reading:  # two devices: the one that has read less is not to be the last
            if position > await seen_of(shelf, session.chat):
                await shelf.put(f"seen:{session.chat}", {"position": position})
                self._adapter.hub.hand(session.chat, "seen", {"position": position})
        return Response(status_code=204)

    async def typing(self, request: Request, session: Session) -> Response:
        await content(request, 1_000)
        within(self._adapter.types.take(session.chat))
        await self._adapter.customer_types(session.chat)
        return Response(status_code=204)

    # --- files ---

    async def upload(self, request: Request, session: Session) -> Response:
        settings = self._adapter.settings
        if not settings.uploads:
            raise Refused(403, "This chat takes no files.")
        within(self._adapter.gives.take(session.chat))
        called = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not allowed(called, settings.upload_types):
            raise Refused(415, self._kinds())
        with self._adapter.bodies.one(visitor(request)) as free:
            if not free:
                raise Refused(503, "Other files are being taken just now; try again in a moment.", _SOON)
            body = await content(request, settings.max_upload)
            if not body:
                raise Refused(400, "The file is empty.")
            kind = media_type(body, called)
            if not allowed(kind, settings.upload_types):
                raise Refused(415, self._kinds())
            digest = await self._adapter.context.files.keep(body)
        name = _file_name(request.query_params.get("name", ""))
        file = Attachment(name, kind, len(body), digest=digest)
        made = await entries.keep_file(self._adapter.shelf, session.chat, file, secrets.token_hex(16))
        return JSONResponse(made, 201)

    def _kinds(self) -> str:
        return f"Files of this kind are not taken; {', '.join(self._adapter.settings.upload_types)} are."

    async def _files(self, session: Session, ids: object) -> list[tuple[Attachment, dict[str, Any]]]:
        """The files with how they are shown, by the ids that their uploads gave."""
        if not isinstance(ids, list) or len(ids) > _MOST_FILES:
            raise Refused(400, f"files must be a list of at most {_MOST_FILES} ids.")
        found = []
        for id in dict.fromkeys(str(id)[:_WORD] for id in ids):
            file = await entries.file_of(self._adapter.shelf, session.chat, id)
            if file is None:
                raise Refused(404, "One of the files is not there (any more); attach it again.")
            shown = {"id": id, "name": file.name, "type": file.media_type, "size": file.size}
            found.append((Attachment(file.name, file.media_type, file.size, ref=file.ref), shown))
        return found

    async def download(self, request: Request, session: Session) -> Response:
        within(self._adapter.asks.take(session.chat))
        file = await entries.file_of(self._adapter.shelf, session.chat, request.path_params["id"])
        if file is None:
            raise Refused(404, "There is no such file.")
        try:
            body = await self._adapter.fetch(file, limit=file.size)
        except ChannelRefused as error:
            raise Refused(404, str(error)) from None
        headers = {"Content-Disposition": "attachment", "Content-Security-Policy": "default-src 'none'; sandbox"}
        kind = file.media_type if allowed(file.media_type, _PLAIN) else UNKNOWN
        return Response(body, 200, headers, kind)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _file_name(name: str) -> str:
    """Without folders and characters that would steer a page or a terminal."""
    bare = re.split(r"[/\\]", name)[-1]
    return "".join(char for char in bare if char.isprintable())[:_NAME].strip() or "file"
