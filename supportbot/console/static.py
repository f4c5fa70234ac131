"""The console's own scripts, styles and icon, under names that change with their content."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".LICENSE": "text/plain"}
_POLICY = "default-src 'none'; style-src 'self'; sandbox"


def routes() -> list[BaseRoute]:
    """Open to everybody: nothing in here is secret, and the sign-in page needs it."""
    return [Route("/console/static/{name}", _serve)]


def versioned(name: str) -> str:
    """The address of a static file with its content's hash. KeyError if there is no such file."""
    return f"/console/static/{name}?v={_files()[name][1]}"


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Each file's content and the start of its hash; read once."""
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            found[path.name] = (content, hashlib.sha256(content).hexdigest()[:12])
    return found


async def _serve(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _files():
        raise HTTPException(404)
    content, digest = _files()[name]
    asked = request.query_params.get("v") == digest
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if asked else "public, max-age=300",
        "Content-Security-Policy": _POLICY,
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": f'"{digest}"',
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, 200, headers, _TYPES[Path(name).suffix])
