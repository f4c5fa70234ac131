"""The door for commands on the same machine: a Unix socket beside the database, for its owner only.

A command that writes hands its message to the running server here, because one process owns the store. Whoever
listens must hold the store's lock: only then is a socket that lies there already known to be a dead server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from supportbot import errors
from supportbot.errors import StoreError, SupportbotError, UsageError
from supportbot.protocols import Inbox
from supportbot.types import Action, Address, Attachment, Event, Message, Receipt, User
from supportbot.web.app import answer
from supportbot.web.server import serve_on

_PATH_LIMIT = 100
_MAX_BODY = 4_000_000
_GRACE = 5.0


def to_json(message: Message) -> bytes:
    """A message as it travels over the socket."""
    return json.dumps(asdict(message)).encode()


def from_json(body: bytes) -> Message:
    """The message back; raises ValueError, TypeError or KeyError on anything else."""
    fields: dict[str, Any] = json.loads(body)
    fields["address"] = Address(**fields["address"])
    fields["user"] = User(**fields["user"])
    fields["action"] = Action(**fields["action"]) if fields.get("action") else None
    fields["event"] = Event(**fields["event"]) if fields.get("event") else None
    fields["attachments"] = tuple(Attachment(**one) for one in fields.get("attachments", ()))
    return Message(**fields)


@contextlib.asynccontextmanager
async def listening(path: Path, inbox: Inbox) -> AsyncIterator[None]:
    """Listens on `path` (mode 0600) while the block runs, and removes the socket after it.

    Call it only while holding the store's lock. Raises UsageError when the socket cannot be made.
    """
    bound = _bind(path)
    stop, up = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(serve_on(_app(inbox), bound, started=up.set, stop=stop, grace=_GRACE))
    try:
        started = asyncio.create_task(up.wait())
        await asyncio.wait((started, running), return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        yield
    finally:
        stop.set()
        await running
        _remove(path)


async def send_to_server(path: Path, message: Message) -> Receipt:
    """The receipt of the server that owns the database; what its store raised is raised here again.

    Raises UsageError when no server listens.
    """
    with _reachable(path) as short:
        transport = httpx2.AsyncHTTPTransport(uds=short)
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=30.0) as client:
            try:
                response = await client.post("http://supportbot/receive", content=to_json(message))
            except httpx2.ConnectError:
                raise UsageError(
                    f"No running supportbot server owns this database ({path.name} takes no connection); "
                    "start one with `supportbot serve`."
                ) from None
            except httpx2.HTTPError as error:
                raise StoreError(f"The running server broke off ({type(error).__name__}); try again.") from None
    return _receipt(response.status_code, response.content)


def _receipt(status: int, body: bytes) -> Receipt:
    try:
        found: Mapping[str, Any] = json.loads(body)
        if status == 200:
            return Receipt(**found)
        kind, sentence = str(found["kind"]), str(found["error"])
    except (ValueError, TypeError, KeyError):
        raise StoreError(f"The running server gave an answer that makes no sense ({status}).") from None
    raised = getattr(errors, kind, StoreError)
    raise raised(sentence) if raised in _PASSED_ON else StoreError(sentence)


_PASSED_ON = (errors.Conflict, errors.StoreFull, errors.StoreBusy, errors.StoreNewer)


def _app(inbox: Inbox) -> Starlette:
    async def receive(request: Request) -> Response:
        try:
            message = from_json(await request.body())
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            return answer(400, {"kind": "StoreError", "error": f"That is no message ({type(error).__name__})."})
        try:
            receipt = await inbox.receive(message)
        except SupportbotError as error:
            return answer(409, {"kind": type(error).__name__, "error": str(error)})
        return answer(200, asdict(receipt))

    return Starlette(routes=[Route("/receive", receive, methods=["POST"], max_body_size=_MAX_BODY)])


def _bind(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        _remove(path)
        with _reachable(path) as short:
            bound.bind(short)
        bound.listen(16)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise UsageError(
            f"The control socket {path.name} cannot be made beside the database: {error.strerror}."
        ) from None
    finally:
        os.umask(before)
    return bound


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """A name for the socket that fits into the system's 108 bytes, however deep its folder lies (Linux)."""
    if len(os.fsencode(path)) <= _PATH_LIMIT or not sys.platform.startswith("linux"):
        yield str(path)
        return
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield str(path)
        return
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
