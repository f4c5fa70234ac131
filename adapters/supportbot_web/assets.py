"""The widget's own files, and the page at the chat's address that has nothing but the chat."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_KINDS = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<title>Chat</title>
<script src="{base}/widget.js" data-open="page" async></script>
</head>
<body></body>
</html>
"""
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def assets(base: str) -> Sequence[Route]:
    """Routes for the scripts, which any page may load, and for the page."""
    folder = files("supportbot_web") / "static"
    found = {"widget.js": (folder / "widget.js").read_bytes()}
    shipped = [file for file in (folder / "app").iterdir() if file.name.rpartition(".")[2] in _KINDS]
    found |= {f"app/{file.name}": file.read_bytes() for file in shipped}

    async def page(request: Request) -> Response:
        headers = {"Content-Security-Policy": _PAGE_POLICY}
        return Response(_PAGE.format(base=base), 200, headers, "text/html; charset=utf-8")

    return (*(_file(f"{base}/{name}", content) for name, content in sorted(found.items())), Route(base, page))


def _file(path: str, content: bytes) -> Route:
    kind = _KINDS[path.rpartition(".")[2]]
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "public, max-age=300",
        "ETag": tag,
    }

    async def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, 200, headers, kind)

    return Route(path, serve)
