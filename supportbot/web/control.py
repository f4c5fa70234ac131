"""The door for commands on the same machine: a Unix socket beside the database, for its owner only.

A command that writes hands its message, or its change of an account, to the running server here, because one process owns the store. Whoever
listens must hold the store's lock: only then is a socket that lies there already known to be a dead server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
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
from supportbot.types.console import ROLES, Account, AccountChange
from supportbot.web.app import answer
from supportbot.web.server import serve_on

_PATH_LIMIT = 100
_MAX_BODY = 4_000_000
_MAX_CHANGE = 20_000
_GRACE = 5.0

ChangeAccount = Callable[[AccountChange], Awaitable[Account]]
"""Does what a shell asks of an account; raises NotFound and Conflict."""


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


def change_from_json(body: bytes) -> AccountChange:
    """A change of an account; raises ValueError, TypeError or KeyError on anything else."""
    fields: dict[str, Any] = json.loads(body)
    change = AccountChange(**fields)
    role, must_change = fields.pop("role", None), fields.pop("must_change", False)
    if not all(isinstance(value, str) for value in fields.values()) or not isinstance(must_change, bool):
        raise TypeError("a field has another type")
    hashed = change.password.startswith("$argon2id$")
    if change.kind not in ("create", "password", "disable", "enable") or role not in (None, *ROLES):
        raise ValueError("no such kind or role")
    if hashed != (change.kind in ("create", "password")):
        raise ValueError("no hash of a password where one is needed")
    return change


@contextlib.asynccontextmanager
async def listening(path: Path, inbox: Inbox, change: ChangeAccount | None = None) -> AsyncIterator[None]:
    """Listens on `path` (mode 0600) while the block runs, and removes the socket after it.

    `change` does what is asked of the console's accounts. Call it only while holding the store's lock. Raises UsageError when the socket cannot be made.
    """
    bound = _bind(path)
    stop, up = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(serve_on(_app(inbox, change), bound, started=up.set, stop=stop, grace=_GRACE))
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
    found = await _post(path, "receive", to_json(message))
    try:
        return Receipt(**found)
    except TypeError:
        raise StoreError(_NO_SENSE) from None


async def change_account(path: Path, change: AccountChange) -> Account:
    """The account, once the server that owns the database has changed it; raises as `send_to_server` does."""
    found = await _post(path, "account", json.dumps(asdict(change)).encode())
    try:
        return Account(**found)
    except TypeError:
        raise StoreError(_NO_SENSE) from None


async def _post(path: Path, what: str, body: bytes) -> Mapping[str, Any]:
    with _reachable(path) as short:
        transport = httpx2.AsyncHTTPTransport(uds=short)
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=30.0) as client:
            try:
                response = await client.post(f"http://supportbot/{what}", content=body)
            except httpx2.ConnectError:
                raise UsageError(
                    f"No running supportbot server owns this database ({path.name} takes no connection); "
                    "start one with `supportbot serve`."
                ) from None
            except httpx2.HTTPError as error:
                raise StoreError(f"The running server broke off ({type(error).__name__}); try again.") from None
    return _answer(response.status_code, response.content)


def _answer(status: int, body: bytes) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(body)
        if status == 200:
            return found
        kind, sentence = str(found["kind"]), str(found["error"])
    except (ValueError, TypeError, KeyError):
        raise StoreError(_NO_SENSE) from None
    raised = getattr(errors, kind, StoreError)
    raise raised(sentence) if raised in _PASSED_ON else StoreError(sentence)


_PASSED_ON = (errors.Conflict, errors.NotFound, errors.StoreFull, errors.StoreBusy, errors.StoreNewer)
_NO_SENSE = "The running server gave an answer that makes no sense: is it of the same version?"
_BAD = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def _app(inbox: Inbox, change: ChangeAccount | None) -> Starlette:
    async def receive(request: Request) -> Response:
        try:
            message = from_json(await request.body())
        except _BAD as error:
            return answer(400, {"kind": "StoreError", "error": f"That is no message ({type(error).__name__})."})
        try:
            receipt = await inbox.receive(message)
        except SupportbotError as error:
            return answer(409, {"kind": type(error).__name__, "error": str(error)})
        return answer(200, asdict(receipt))

    async def account(request: Request) -> Response:
        if change is None:
            return answer(
                409, {"kind": "StoreError", "error": "The process that has the database has no accounts."}
            )
        try:
            asked = change_from_json(await request.body())
        except _BAD as error:
            return answer(400, {"kind": "StoreError", "error": f"That is no change ({type(error).__name__})."})
        try:
            return answer(200, asdict(await change(asked)))
        except SupportbotError as error:
            return answer(409, {"kind": type(error).__name__, "error": str(error)})

    return Starlette(
        routes=[
            Route("/receive", receive, methods=["POST"], max_body_size=_MAX_BODY),
            Route("/account", account, methods=["POST"], max_body_size=_MAX_CHANGE),
        ]
    )


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
