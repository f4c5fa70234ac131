"""The webhook: check the secret, read, store, and only then say 200."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any, NoReturn

from starlette.types import Receive, Scope, Send

from supportbot import StoreError
from supportbot.doors import RETRY_AFTER, Door, Refused, answer, headers_of, read_body
from supportbot_telegram.inbound import Unready
from supportbot_telegram.intake import Intake

_SECRET = "x-telegram-bot-api-secret-token"  # noqa: S105 - a header's name


class WebhookDoor(Door):
    """The route; `intake` gives None while the channel is not running."""

    def __init__(self, secret: str, limit: int, intake: Callable[[], Intake | None]) -> None:
        super().__init__(self._take)
        self._secret = secret.encode()
        self._limit = limit
        self._intake = intake

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        if not hmac.compare_digest(headers.get(_SECRET, "").encode("latin-1"), self._secret):
            raise Refused(401, "The secret token is missing or wrong.")
        body = await read_body(headers.get("content-length", "0"), receive, self._limit)
        update = parse(body)
        intake = self._intake()
        if intake is None:
            raise _later("This channel is not running; try again later.")
        try:
            await intake.take(update)
        except Unready:
            raise _later("This channel is still starting; try again later.") from None
        except StoreError:
            raise _later("The update could not be stored; send it again later.") from None
        await answer(send, 200, {"ok": True})


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in the body; raises Refused."""
    try:
        update = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        update = None
    if not isinstance(update, dict):
        raise Refused(400, "The body must be one JSON object in UTF-8.")
    return update


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _later(sentence: str) -> Refused:
    return Refused(503, sentence, RETRY_AFTER)
