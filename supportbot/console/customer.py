"""`/console/c/{id}/customer`: what is known of the person on the other side of a conversation.

1. The address names a conversation, by its random id: no user id, number or e-mail address stands in an address, a
   browser's history or a log.
2. Whose conversations stand there is decided in `supportbot.stores.customers`, and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from supportbot.console.views import render
from supportbot.console.words import money, plain
from supportbot.errors import NotFound, UsageError
from supportbot.stores.finding import SqliteFinding

if TYPE_CHECKING:
    from supportbot.console.access import Access
    from supportbot.console.room import Room
    from supportbot.types.console import Visit

_LONGEST_VALUE = 500


def routes(room: Room, access: Access) -> list[BaseRoute]:
    finding = SqliteFinding(room.store.read)

    async def customer(request: Request, visit: Visit) -> Response:
        id: str = request.path_params["id"]
        after = request.query_params.get("after", "")[:60]
        try:
            found = await finding.customer(id, after=after)
        except (NotFound, UsageError) as error:
            raise HTTPException(404) from error
        return render(
            request,
            "customer.html",
            visit,
            customer=found,
            slots=[
                (name, _cut(plain(value))) for name, value in found.slots.items() if name not in room.sensitive
            ],
            money=money(found.spent.cost),
            rating=sum(found.ratings) / len(found.ratings) if found.ratings else None,
            first=not after,
            next=f"?{urlencode({'after': found.next})}" if found.next else "",
        )

    return [Route("/console/c/{id}/customer", access.page(customer), methods=["GET"])]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"
