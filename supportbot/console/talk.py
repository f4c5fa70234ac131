"""The page of one conversation: what was said, what the handoff carries, and why the bot said what it said.

1. Whoever may work here may read every conversation; a file or a trace is found only in its own conversation.
2. A file is never shown as a page: it is downloaded, but for four kinds of pictures, which no script can be in.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from supportbot.console import shown, why
from supportbot.console.queue import agent_names
from supportbot.console.views import render
from supportbot.engine.brief import tried
from supportbot.errors import NotFound
from supportbot.mediatypes import media_type
from supportbot.stores.lines import SqliteLines
from supportbot.types import HANDOFF_REASONS, Earlier, Handoff
from supportbot.types.lines import Talk, Told

if TYPE_CHECKING:
    from supportbot.console.access import Access
    from supportbot.console.room import Room
    from supportbot.types.console import Visit

TURNS = 40
_CAUGHT_UP = 400
_MOST_TRIED = 20
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_ALONE = "default-src 'none'; sandbox; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Side:
    """What the page says beside the transcript."""

    why: str
    tried: tuple[str, ...]
    earlier: tuple[Earlier, ...]
    suggestion: str
    summary: str


def routes(room: Room, access: Access) -> list[BaseRoute]:
    lines = SqliteLines(room.store.read)

    async def page(request: Request, visit: Visit) -> Response:
        return await show(room, lines, request, visit)

    async def older(request: Request, visit: Visit) -> Response:
        before = _number(request, "before")
        talk = await _found(lines.talk(_id(request), before=before, limit=TURNS))
        return render(request, "talk_older.html", visit, talk=talk, turns=shown.turns(talk))

    async def newer(request: Request, visit: Visit) -> Response:
        """What came after the last turn that the page shows, and the rest of it as it is now."""
        after = _number(request, "after")
        talk = await _found(lines.talk(_id(request), after=after, limit=_CAUGHT_UP))
        values = await state(room, lines, visit, talk)
        anew = await _anew(lines, request, after)
        return render(request, "talk_newer.html", visit, turns=shown.turns(talk), anew=anew, **values)

    async def transfer(request: Request, visit: Visit) -> Response:
        """The menu of desks and agents as it is now."""
        values = await state(room, lines, visit, await _found(lines.talk(_id(request), limit=1)))
        return render(request, "talk_transfer.html", visit, **values)

    async def reasons(request: Request, visit: Visit) -> Response:
        return await _reasons(lines, request, visit)

    async def file(request: Request, visit: Visit) -> Response:
        return await _file(room, lines, request)

    base = "/console/c/{id}"
    return [
        Route(base, access.page(page)),
        Route(base + "/older", access.page(older)),
        Route(base + "/newer", access.page(newer, itself=True)),
        Route(base + "/transfer", access.page(transfer), methods=["GET"]),
        Route(base + "/why/{turn}", access.page(reasons)),
        Route(base + "/files/{digest}", access.page(file)),
    ]


def _id(request: Request) -> str:
    id: str = request.path_params["id"]
    return id


def _number(request: Request, name: str) -> int:
    return _whole(request.query_params.get(name, ""))


def _whole(given: str) -> int:
    """The number, 0 (which no turn has) for anything that is none."""
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0


async def _found(wanted: Any) -> Any:
    try:
        return await wanted
    except NotFound as error:
        raise HTTPException(404) from error


async def _anew(lines: SqliteLines, request: Request, after: int) -> list[shown.ShownTurn]:
    """Turns that the page shows already and that have changed: their words were not delivered, or now they are."""
    before = {_whole(given) for given in request.query_params.getlist("troubled")[:TURNS]}
    talk = await _found(lines.talk(_id(request), limit=TURNS))
    found = (turn for turn in shown.turns(talk) if turn.sequence <= after)
    return [turn for turn in found if turn.troubled != (turn.sequence in before)]


async def show(
    room: Room,
    lines: SqliteLines,
    request: Request,
    visit: Visit,
    *,
    status: int = 200,
    problem: str = "",
    draft: str = "",
) -> Response:
    """The whole page; after an act that failed with the problem and the words that were not sent."""
    talk = await _found(lines.talk(_id(request), limit=TURNS))
    values = await state(room, lines, visit, talk)
    return render(
        request,
        "talk.html",
        visit,
        status,
        turns=shown.turns(talk),
        problem=problem,
        draft=draft,
        **values,
    )


async def state(room: Room, lines: SqliteLines, visit: Visit, talk: Talk) -> dict[str, Any]:
    """All values of the page but the turns."""
    conversation = talk.conversation
    told = await _found(lines.told(conversation.id, conversation.customer.id))
    newest = told.handoffs[0] if told.handoffs else None
    current = newest if newest is not None and newest.open else None
    return {
        "talk": talk,
        "id": conversation.id,
        "conversation": conversation,
        "last": conversation.turn,
        "pending": shown.pending(talk.pending),
        "told": told,
        "handoff": newest,
        "current": current,
        "side": _side(told),
        "mine": current is not None and has(current, visit),
        "elsewhere": current is not None and current.status == "claimed" and not has(current, visit),
        "again": again(room, newest),
        "desks": [name for name in room.config.desks if current is None or name != current.desk],
        "agents": agents(room, current),
        "names": agent_names(room),
        "reasons": HANDOFF_REASONS,
        "act": lambda: secrets.token_urlsafe(18),
        "now": room.clock(),
        "known_channel": (adapter := room.adapters.get(conversation.address.channel)) is not None,
        "takes_files": adapter is not None and adapter.capabilities.files,
        "limit": room.config.attachments,
    }


def has(handoff: Handoff, visit: Visit) -> bool:
    """Whether the visitor is who has claimed it."""
    own = visit.account.login if handoff.agent_id else visit.account.name or visit.account.login
    return handoff.status == "claimed" and (handoff.agent_id or handoff.agent) == own


def again(room: Room, newest: Handoff | None) -> str:
    """The id of the handoff that is opened again if somebody steps in now, "" if a new one begins."""
    if newest is None or newest.open or newest.ended_at is None:
        return ""
    return newest.id if room.clock() - newest.ended_at <= room.config.handoff.reopen else ""


def agents(room: Room, handoff: Handoff | None) -> Sequence[tuple[str, str]]:
    """(id, name) of the agents of the desk where it stands."""
    desk = room.config.desks.get(handoff.desk) if handoff is not None else None
    return [(agent.id, name) for name, agent in desk.agents.items()] if desk is not None else []


def _side(told: Told) -> Side:
    newest = told.handoffs[0] if told.handoffs else None
    earlier = told.back.earlier
    done = tuple(tried(told.back.steps))[-_MOST_TRIED:]
    if newest is None:
        return Side("", done, earlier, "", "")
    return Side(newest.why, done, earlier, newest.suggestion if newest.open else "", newest.summary)


async def _reasons(lines: SqliteLines, request: Request, visit: Visit) -> Response:
    id, turn = _id(request), _whole(request.path_params["turn"])
    trace = await _found(lines.trace(id, turn))
    template = "why_part.html" if "hx-request" in request.headers else "why.html"
    steps, spent = why.steps(trace["steps"]), why.spent(trace["usage"])
    return render(request, template, visit, id=id, trace=trace, steps=steps, spent=spent)


async def _file(room: Room, lines: SqliteLines, request: Request) -> Response:
    digest: str = request.path_params["digest"]
    attachment = await _found(lines.file(_id(request), digest))
    content = await _found(room.files.read(digest))
    kind = media_type(content, attachment.media_type)
    inline = kind in _PICTURES and "download" not in request.query_params
    if attachment.name == "picture" and kind in _PICTURES:
        attachment = replace(attachment, name=f"picture.{kind.removeprefix('image/')}")
    headers = {
        "Content-Disposition": _disposition("inline" if inline else "attachment", attachment.name),
        "Content-Security-Policy": _ALONE,
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600" if inline else "no-store",
    }
    return Response(content, 200, headers, kind if inline else "application/octet-stream")


def _disposition(how: str, name: str) -> str:
    """The header with the name in both of its spellings; nothing of a name can end it early."""
    short = name.replace("/", "_").replace("\\", "_").strip() or "file"
    plain = "".join(one if one.isascii() and one.isprintable() and one not in '"%;' else "_" for one in short)
    return f"{how}; filename=\"{plain[:100]}\"; filename*=UTF-8''{quote(short[:100], safe='')}"
