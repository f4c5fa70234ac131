"""`/console/audit`: who did what, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from supportbot.console.access import Access
from supportbot.console.views import render
from supportbot.types.console import Visit

if TYPE_CHECKING:
    from supportbot.console.room import Room

PAGE = "/console/audit"
ROWS = 50
_FILTERS = ("account", "action", "object")
_LARGEST_ID = 2**62


def routes(room: Room, access: Access) -> list[BaseRoute]:
    async def show(request: Request, visit: Visit) -> Response:
        asked = {name: request.query_params.get(name, "")[:300].strip() for name in _FILTERS}
        before = request.query_params.get("before", "")
        last = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else _LARGEST_ID
        rows = await room.store.console.audit(
            account=asked["account"],
            action=asked["action"],
            object=asked["object"],
            before=last,
            limit=ROWS + 1,
        )
        kept = {name: value for name, value in asked.items() if value}
        newest = f"{PAGE}?{urlencode(kept)}" if before else ""
        older = f"{PAGE}?{urlencode({**kept, 'before': rows[ROWS - 1].id})}" if len(rows) > ROWS else ""
        return render(request, "audit.html", visit, rows=rows[:ROWS], filters=asked, older=older, newest=newest)

    return [Route(PAGE, access.page(show, "admin"), methods=["GET"])]
