"""`/console/replies`: the replies that agents have ready. Everybody reads them; leads and admins write them.

1. A reply is Markdown. `{customer}` and `{agent}` stand for names and are filled in when it is chosen; it is no
   template, so nothing else in it means anything.
2. Every change stands in the audit log, in the same transaction.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from supportbot.console.views import render
from supportbot.errors import Conflict, NotFound
from supportbot.types.console import Canned

if TYPE_CHECKING:
    from supportbot.console.access import Access
    from supportbot.console.room import Room
    from supportbot.types.console import Visit

PAGE = "/console/replies"
LONGEST_TITLE, LONGEST_TEXT, MOST = 100, 8_000, 1_000
PLACEHOLDERS = ("{customer}", "{agent}")
_PLACEHOLDER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_.]*\}")
_LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z", re.ASCII)
_LARGEST_ID = 2**62
_EMPTY = Canned(0, "", "", "", "", 0.0)


def routes(room: Room, access: Access) -> list[BaseRoute]:
    pages = _Replies(room, access)
    one = PAGE + "/{id:int}"
    return [
        Route(PAGE, access.page(pages.all), methods=["GET"]),
        Route(PAGE, access.act(pages.create, "lead"), methods=["POST"]),
        Route(one, access.page(pages.edit, "lead"), methods=["GET"]),
        Route(one, access.act(pages.change, "lead"), methods=["POST"]),
        Route(one + "/delete", access.act(pages.delete, "lead"), methods=["POST"]),
    ]


def problem(title: str, text: str, locale: str) -> tuple[str, str]:
    """(the field, why it cannot be so), ("", "") if all is well."""
    if not title or len(title) > LONGEST_TITLE:
        return "title", f"A title has 1 to {LONGEST_TITLE} characters."
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in title):
        return "title", "The title has characters in it that cannot be shown."
    if not text or len(text) > LONGEST_TEXT:
        return "text", f"A reply has 1 to {LONGEST_TEXT:,} characters."
    unknown = [name for name in _PLACEHOLDER.findall(text) if name not in PLACEHOLDERS]
    if unknown:
        return "text", f"Nothing is known for {unknown[0]}: there are {' and '.join(PLACEHOLDERS)}."
    if locale and not _LOCALE.match(locale):
        return "locale", "A language is a code such as en, de or pt-BR, or is left empty."
    return "", ""


class _Replies:
    def __init__(self, room: Room, access: Access) -> None:
        self._room, self._access, self._store = room, access, room.store.console

    async def all(self, request: Request, visit: Visit) -> Response:
        return await self._list(request, visit)

    async def create(self, request: Request, visit: Visit) -> Response:
        reply = await self._sent(request, visit, 0)
        field, why = problem(reply.title, reply.text, reply.locale)
        if not why and len(await self._store.canned(limit=MOST)) >= MOST:
            field, why = "title", f"There are {MOST:,} replies already: delete one first."
        if not why:
            field, why = await self._save(request, visit, reply, "reply.create")
        if why:
            return await self._list(request, visit, 400, reply, field, why)
        return RedirectResponse(PAGE, 303)

    async def edit(self, request: Request, visit: Visit) -> Response:
        return self._one(request, visit, await self._asked(request))

    async def change(self, request: Request, visit: Visit) -> Response:
        reply = await self._sent(request, visit, (await self._asked(request)).id)
        field, why = problem(reply.title, reply.text, reply.locale)
        if not why:
            field, why = await self._save(request, visit, reply, "reply.change")
        if why:
            return self._one(request, visit, reply, 400, field, why)
        return RedirectResponse(PAGE, 303)

    async def delete(self, request: Request, visit: Visit) -> Response:
        reply = await self._asked(request)
        row = self._access.row(request, visit.account.login, "reply.delete", f"reply:{reply.id}", reply.title)
        await self._store.delete_canned(reply.id, audit=row)
        return RedirectResponse(PAGE, 303)

    async def _save(self, request: Request, visit: Visit, reply: Canned, action: str) -> tuple[str, str]:
        """Stores it; as `problem` answers."""
        row = self._access.row(request, visit.account.login, action, f"reply:{reply.id or ''}", reply.title)
        try:
            await self._store.save_canned(reply, audit=row)
        except Conflict as error:
            return "title", str(error)
        except NotFound as error:
            raise HTTPException(404) from error
        return "", ""

    async def _sent(self, request: Request, visit: Visit, id: int) -> Canned:
        """The reply as the form has it; one character more than there may be is kept, so that it is refused."""
        form = await request.form()
        title, text, locale = (str(form.get(name, "")).strip() for name in ("title", "text", "locale"))
        text = text.replace("\r\n", "\n")
        kept = title[: LONGEST_TITLE + 1], text[: LONGEST_TEXT + 1], locale[:20]
        return Canned(id, *kept, visit.account.login, self._room.clock())

    async def _asked(self, request: Request) -> Canned:
        id: int = request.path_params["id"]
        if id <= _LARGEST_ID:
            for reply in await self._store.canned(limit=MOST):
                if reply.id == id:
                    return reply
        raise HTTPException(404)

    async def _list(
        self,
        request: Request,
        visit: Visit,
        status: int = 200,
        draft: Canned = _EMPTY,
        field: str = "",
        why: str = "",
    ) -> Response:
        wanted = request.query_params.get("q", "")[:LONGEST_TITLE]
        replies = [
            reply
            for reply in await self._store.canned(limit=MOST)
            if all(word in f"{reply.title} {reply.text}".casefold() for word in wanted.casefold().split())
        ]
        may = visit.account.may("lead")
        more = {"replies": replies, "q": wanted, "may": may, "reply": draft}
        return render(request, "replies.html", visit, status, **more, **_limits(field, why))

    def _one(
        self, request: Request, visit: Visit, reply: Canned, status: int = 200, field: str = "", why: str = ""
    ) -> Response:
        return render(request, "reply.html", visit, status, reply=reply, **_limits(field, why))


def _limits(field: str, why: str) -> dict[str, object]:
    return {"field": field, "why": why, "longest_title": LONGEST_TITLE, "longest_text": LONGEST_TEXT}
