"""The example shop's page, on which `supportbot demo` shows the chat as a company's own site has it.

It signs its one customer in by itself, with a key that lives as long as the demo does.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import jwt
from jinja2 import Environment, StrictUndefined
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

_JANA = {"sub": "1", "name": "Jana Berger"}
_SIGNED_FOR = 3600
_SHELVES = (
    ("lamps", "Lamps", "L"),
    ("kitchen", "Kitchen", "K"),
    ("textiles", "Textiles", "T"),
    ("furniture", "Furniture", "F"),
)
_PRODUCTS = "SELECT name, cents, stock FROM products WHERE sku LIKE ? || '-%' ORDER BY sku LIMIT 4"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_KINDS = {"css": "text/css", "js": "text/javascript"}


def routes(folder: Path, secret: str) -> Sequence[BaseRoute]:
    """The page of the shop whose bot lies in `folder`; `secret` signs its customer."""
    here = files(__package__)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.from_string(here.joinpath("page.html").read_text("utf-8")).render(shelves=_shelves(folder))

    async def shop(request: Request) -> Response:
        return Response(page, 200, {"Content-Security-Policy": _POLICY}, "text/html; charset=utf-8")

    async def sign_in(request: Request) -> Response:
        claims = {**_JANA, "exp": int(time.time()) + _SIGNED_FOR}
        return JSONResponse({"token": jwt.encode(claims, secret, "HS256")})

    def own(name: str) -> Route:
        content, kind = here.joinpath(name).read_bytes(), _KINDS[name.rpartition(".")[2]]

        async def serve(request: Request) -> Response:
            return Response(content, 200, media_type=f"{kind}; charset=utf-8")

        return Route(f"/{name}", serve)

    return (Route("/", shop), Route("/sign-in", sign_in, methods=["POST"]), own("shop.css"), own("shop.js"))


def _shelves(folder: Path) -> list[tuple[str, str, list[Mapping[str, Any]]]]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript((folder / "shop.sql").read_text("utf-8"))
        return [
            (id, title, [_product(*row) for row in database.execute(_PRODUCTS, (letter,))])
            for id, title, letter in _SHELVES
        ]


def _product(name: str, cents: int, stock: int) -> Mapping[str, Any]:
    return {"name": name, "price": f"{cents / 100:.2f} €", "stock": f"{stock} in stock" if stock else "Sold out"}
