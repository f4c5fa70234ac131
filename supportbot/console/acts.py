"""What an agent does with a conversation, as messages to it: the house puts them in order and does each once.

1. Each form has a random id, which becomes the message's: a form that is sent twice does one thing.
2. Whether it can be done is looked at first, so that the agent reads one sentence; of two claims the turn decides.
3. Words that could not be sent are given back.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from supportbot.console import talk
from supportbot.console.room import MOST_FILES
from supportbot.console.views import HEADERS, render, size
from supportbot.errors import ChannelRefused, Conflict, NotFound, StoreBusy, StoreFull
from supportbot.mediatypes import allowed, media_type
from supportbot.stores.lines import SqliteLines
from supportbot.types import Attachment, Conversation, Event, Handoff, Message, MessageKind, User
from supportbot.types.lines import Taken

if TYPE_CHECKING:
    from supportbot.console.access import Access, Handler
    from supportbot.console.room import Room
    from supportbot.types.console import Visit

WAIT = 1.0
"""Seconds that the page waits for the turn that carries the act out."""
LONGEST = 20_000
_SIGN_SECONDS = 3.0
_ADDRESS = re.compile(r",?[ ]?\{customer\}")
_LATER = "It is stored, and done as soon as the bot has finished its answer."
_CANNED = 30
_ACT = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
_LONGEST_NAME = 200

Name = Literal["claim", "release", "reply", "note", "transfer", "return", "resolve"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that can be done. `needs`: "words" for the customer, an "open" handoff; `done` says that it was."""

    message: MessageKind
    done: str
    words: bool = False
    open: bool = True
    owned: bool = True
    """Only who has claimed it may, if somebody has."""
    lead: bool = False
    """A lead may although somebody else has it."""


_KINDS: dict[Name, Kind] = {
    "claim": Kind("handoff.claimed", "You have this conversation now.", open=False),
    "release": Kind("handoff.released", "It is free for others again.", lead=True),
    "reply": Kind("human.message", "Sent.", words=True, open=False),
    "note": Kind("human.note", "Noted.", words=True, owned=False),
    "transfer": Kind("handoff.transferred", "Transferred.", lead=True),
    "return": Kind("handoff.returned", "The bot has this conversation again."),
    "resolve": Kind("handoff.resolved", "Resolved."),
}

_FRESH: dict[Name, str] = {"reply": "reply", "return": "reply", "resolve": "reply", "note": "note"}
"""Whose words were sent: that form begins anew."""


class Refused(Exception):
    """Why an act is not tried, in one sentence; `status` is the answer's."""

    def __init__(self, sentence: str, status: int = 409) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


def routes(room: Room, access: Access) -> list[BaseRoute]:
    lines = SqliteLines(room.store.read)

    def doing(name: Name) -> Handler:
        async def handler(request: Request, visit: Visit) -> Response:
            return await _act(room, access, lines, request, visit, name)

        return handler

    async def preview(request: Request, visit: Visit) -> Response:
        words = str((await request.form()).get("text", ""))[:LONGEST]
        return render(request, "talk_preview.html", visit, words=words)

    async def canned(request: Request, visit: Visit) -> Response:
        return await _canned(room, lines, request, visit)

    async def typing(request: Request, visit: Visit) -> Response:
        return await _typing(room, lines, request, visit)

    base = "/console/c/{id}"
    return [
        *(Route(f"{base}/{name}", access.act(doing(name)), methods=["POST"]) for name in _KINDS),
        Route(f"{base}/typing", access.act(typing), methods=["POST"]),
        Route(f"{base}/preview", access.act(preview), methods=["POST"]),
        Route(f"{base}/canned", access.page(canned)),
    ]


async def _typing(room: Room, lines: SqliteLines, request: Request, visit: Visit) -> Response:
    """The customer sees that their agent is writing, where the channel shows such a thing."""
    try:
        stretch = await lines.talk(request.path_params["id"], limit=1)
        told = await lines.told(stretch.conversation.id, stretch.conversation.customer.id)
    except NotFound as error:
        raise HTTPException(404) from error
    address = stretch.conversation.address
    adapter = room.adapters.get(address.channel)
    if adapter is not None and told.handoffs and talk.has(told.handoffs[0], visit):
        try:
            async with asyncio.timeout(_SIGN_SECONDS):
                await adapter.writing(address, visit.account.name or visit.account.login)
        except Exception as error:  # noqa: BLE001 - named boundary: a sign of life is never worth an error
            room.log("typing.failed", channel=address.channel, error=type(error).__name__)
    return Response(status_code=204)


async def _act(
    room: Room, access: Access, lines: SqliteLines, request: Request, visit: Visit, name: Name
) -> Response:
    form = await request.form()
    try:
        stretch = await lines.talk(request.path_params["id"], limit=1)
        told = await lines.told(stretch.conversation.id, stretch.conversation.customer.id)
    except NotFound as error:
        raise HTTPException(404) from error
    conversation = stretch.conversation
    newest = told.handoffs[0] if told.handoffs else None
    try:
        known = await lines.taken(conversation.id, conversation.address.channel, _id(form))
        message = await _message(room, conversation, newest, form, visit, name, known=known.known)
        taken = await _carry_out(room, lines, conversation.id, message)
        if taken.refused:
            raise Refused(f"It was not done: {taken.refused}.")
    except Refused as refused:
        return await _answer_refused(room, lines, request, visit, refused, form)
    about = message.event.data.get("handoff", "") if message.event is not None else ""
    to = str(form.get("to", ""))[:100]
    detail = " ".join(part for part in (f"handoff {about}" if about else "", f"to {to}" if to else "") if part)
    await access.record(visit, request, f"conversation.{name}", f"conversation:{conversation.id}", detail)
    done = _KINDS[name].done if taken.turn is not None else _LATER
    return await _answer_done(room, lines, request, visit, done, name)


async def _message(
    room: Room,
    conversation: Conversation,
    newest: Handoff | None,
    form: FormData,
    visit: Visit,
    name: Name,
    *,
    known: bool,
) -> Message:
    """The act as a message. Refused if it cannot be done; not if it is `known`, so that a repeat is answered alike."""
    kind = _KINDS[name]
    words = _words(form, needed=kind.words and not _uploads(form))
    current = newest if newest is not None and newest.open else None
    if not known:
        _look_first(current, form, visit, kind)
    data = {"handoff": current.id if current is not None else talk.again(room, newest)}
    if name == "transfer":
        data["to"] = _target(room, current, str(form.get("to", "")), known=known)
    if _uploads(form) and not room.adapters[conversation.address.channel].capabilities.files:
        raise Refused(f"The channel {conversation.address.channel} takes no files.", 422)
    files = await _keep(room, _uploads(form)) if name in ("reply", "return", "resolve") else ()
    account = visit.account
    return Message(
        conversation.address,
        _id(form),
        User(account.login, account.name or account.login),
        words,
        kind.message,
        event=Event(name, {key: value for key, value in data.items() if value}),
        attachments=files,
        digest=_digest(name, words, data.get("to", ""), *(file.digest for file in files)),
    )


def _id(form: FormData) -> str:
    """The message's id, out of the form's own."""
    id = str(form.get("act", ""))
    if not _ACT.match(id):
        raise Refused("The form is incomplete: load the page again.", 422)
    return f"console.{id}"


def _words(form: FormData, *, needed: bool) -> str:
    words = str(form.get("text", "")).replace("\r\n", "\n").strip()
    if needed and not words:
        raise Refused("There is nothing to say: the text is empty.", 422)
    if len(words) > LONGEST:
        raise Refused(f"The text is too long: it has at most {LONGEST:,} characters.", 422)
    return words


def _look_first(current: Handoff | None, form: FormData, visit: Visit, kind: Kind) -> None:
    seen = str(form.get("handoff", ""))
    if current is None:
        if kind.open or seen:
            raise Refused("This handoff has ended meanwhile: the conversation is the bot's again.")
        return
    if seen and seen != current.id:
        raise Refused("Another handoff of this conversation is open now: look at it again.")
    taken = current.status == "claimed" and not talk.has(current, visit)
    if taken and kind.owned and not (kind.lead and visit.account.may("lead")):
        raise Refused(f"{current.agent} has this conversation: nothing was done.")


def _target(room: Room, current: Handoff | None, to: str, *, known: bool) -> str:
    if not known and to not in {*room.config.desks, *(id for id, _ in talk.agents(room, current))}:
        raise Refused("Choose a desk or an agent to transfer it to.", 422)
    return to


def _uploads(form: FormData) -> list[UploadFile]:
    return [file for file in form.getlist("files") if isinstance(file, UploadFile) and file.filename]


async def _keep(room: Room, uploads: Sequence[UploadFile]) -> tuple[Attachment, ...]:
    """The files, kept. Refused if one is too large or of a kind that is not taken."""
    limits, kept = room.config.attachments, []
    if len(uploads) > MOST_FILES:
        raise Refused(f"These are too many files: a message takes {MOST_FILES}.", 422)
    for upload in uploads:
        name = (upload.filename or "file").replace("\\", "/").rpartition("/")[2][:_LONGEST_NAME]
        content = await upload.read(limits.max_size + 1)
        kind = media_type(content, upload.content_type or "application/octet-stream")
        if len(content) > limits.max_size:
            raise Refused(f"{name} is too large: a file has at most {size(limits.max_size)}.", 422)
        if not allowed(kind, limits.types):
            raise Refused(f"{name} cannot be sent: files of the kind {kind} are not taken here.", 422)
        kept.append((name, kind, content))
    try:
        return tuple(
            [Attachment(name, kind, len(one), digest=await room.files.keep(one)) for name, kind, one in kept]
        )
    except StoreFull as error:
        raise Refused("The disk is full: the file could not be kept.", 503) from error


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


async def _carry_out(room: Room, lines: SqliteLines, id: str, message: Message) -> Taken:
    """Hands it in and waits a little for its turn. Refused if it cannot be taken."""
    async with room.changes.watch([f"c:{id}"]) as watch:
        try:
            await room.receive(message)
        except Conflict as error:
            raise Refused(
                "This form was sent before, with other words: they are kept, send them again."
            ) from error
        except ChannelRefused as error:
            raise Refused(
                f"The channel {message.address.channel} is not in the config any more: nothing can be sent there."
            ) from error
        except (StoreBusy, StoreFull) as error:
            raise Refused("The store cannot take it just now: try again in a moment.", 503) from error
        channel = message.address.channel
        taken = await lines.taken(id, channel, message.id)
        try:
            async with asyncio.timeout(WAIT):
                while taken.turn is None:
                    await anext(watch)
                    taken = await lines.taken(id, channel, message.id)
        except (TimeoutError, StopAsyncIteration):
            pass  # it is stored; the page shows it when its turn comes
    return taken


async def _answer_done(
    room: Room, lines: SqliteLines, request: Request, visit: Visit, done: str, name: Name
) -> Response:
    id = request.path_params["id"]
    if "hx-request" not in request.headers:
        return RedirectResponse(f"/console/c/{id}", 303, HEADERS)
    stretch = await lines.talk(id, limit=1)
    values = await talk.state(room, lines, visit, stretch)
    answer = render(request, "talk_done.html", visit, done=done, fresh=_FRESH.get(name, ""), **values)
    # the page then fetches the new turns, in the same way as for everybody else's
    answer.headers["HX-Trigger-After-Swap"] = f"live:c:{id}"
    return answer


async def _answer_refused(
    room: Room, lines: SqliteLines, request: Request, visit: Visit, refused: Refused, form: FormData
) -> Response:
    if "hx-request" in request.headers:
        status = refused.status if refused.status in (409, 422) else 409
        return render(request, "talk_refused.html", visit, status, problem=refused.sentence)
    draft = str(form.get("text", ""))[:LONGEST]
    return await talk.show(
        room, lines, request, visit, status=refused.status, problem=refused.sentence, draft=draft
    )


async def _canned(room: Room, lines: SqliteLines, request: Request, visit: Visit) -> Response:
    """The replies kept ready whose title or text has the words, with the names put in."""
    try:
        conversation = (await lines.talk(request.path_params["id"], limit=1)).conversation
    except NotFound as error:
        raise HTTPException(404) from error
    wanted = request.query_params.get("q", "")[:100].casefold().split()
    customer = conversation.customer.name
    agent = visit.account.name or visit.account.login
    found = []
    for reply in await room.store.console.canned():
        hay = f"{reply.title} {reply.text}".casefold()
        if all(word in hay for word in wanted):
            text = _filled(reply.text, customer, agent)
            found.append((not _speaks(reply.locale, conversation.locale), reply.title, reply, text))
    found.sort(key=lambda one: one[:2])
    return render(
        request, "talk_canned.html", visit, replies=[one[2:] for one in found[:_CANNED]], total=len(found)
    )


def _filled(text: str, customer: str, agent: str) -> str:
    """The reply with the names put in; a customer without one is not addressed by any."""
    named = text if customer else _ADDRESS.sub("", text)
    return named.replace("{customer}", customer).replace("{agent}", agent)


def _speaks(locale: str, wanted: str) -> bool:
    """Whether a reply in this language suits the customer."""
    return not locale or locale.partition("-")[0].lower() == wanted.partition("-")[0].lower()
