"""The agent console: pages on the same port for the people behind the bot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from supportbot.console.room import Room

PATH = "/console"


def problem(request: Request, status: int, sentence: str) -> Response:
    """An error as a page for people."""
    from supportbot.console import views

    return views.problem(request, status, sentence)


def routes(room: Room) -> Sequence[BaseRoute]:
    """Every page of the console."""
    from supportbot.console import (
        accounts,
        acts,
        audit,
        canned,
        customer,
        dashboard,
        finding,
        live,
        oidc,
        queue,
        signing_in,
        static,
        talk,
    )
    from supportbot.console.access import Access

    access = Access(room)
    parts = (
        signing_in,
        accounts,
        audit,
        oidc,
        queue,
        talk,
        acts,
        live,
        finding,
        customer,
        canned,
        dashboard,
    )
    return [*static.routes(), *(route for part in parts for route in part.routes(room, access))]
