"""A model that names what it was asked: for each mark (q17) in the customer's newest messages it says the mark again.

So it can be counted on the other side which message was answered, where, how often and in which order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import Any, Self

from aiohttp import web

MARK = re.compile(r"\bq\d+\b")
_PIECES = 4


class Echo:
    """An OpenAI-compatible server on loopback. `delay` in seconds before an answer, spread over its pieces."""

    def __init__(self, delay: float = 0.05) -> None:
        self._delay = delay
        self.url = ""
        self.asked = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=8_000_000)
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        body = await request.json()
        text = f"This answers {', '.join(marks(body['messages']))}."
        if body.get("stream"):
            return await self._stream(request, text)
        await asyncio.sleep(self._delay)
        message = {"role": "assistant", "content": text, "refusal": None}
        return web.json_response(
            _chunk("chat.completion", message=message, finish_reason="stop") | {"usage": _USAGE}
        )

    async def _stream(self, request: web.Request, text: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        size = len(text) // _PIECES + 1
        with contextlib.suppress(ConnectionResetError):  # whoever asked was killed
            await self._pieces(response, text, size)
        return response

    async def _pieces(self, response: web.StreamResponse, text: str, size: int) -> None:
        for at in range(0, len(text), size):
            await asyncio.sleep(self._delay / _PIECES)
            await _event(response, _chunk("chat.completion.chunk", delta={"content": text[at : at + size]}))
        await _event(response, _chunk("chat.completion.chunk", delta={}, finish_reason="stop"))
        await _event(response, {**_chunk("chat.completion.chunk"), "choices": [], "usage": _USAGE})
        await response.write(b"data: [DONE]\n\n")


def marks(messages: list[dict[str, Any]]) -> list[str]:
    """The marks in the messages that the customer wrote last."""
    newest: list[str] = []
    for message in reversed(messages):
        if message["role"] != "user":
            break
        newest = MARK.findall(str(message["content"])) + newest
    return newest


_USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


def _chunk(kind: str, finish_reason: str | None = None, **part: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish_reason, "logprobs": None, **part}
    return {"id": "chatcmpl-echo", "object": kind, "created": 1760000000, "model": "echo", "choices": [choice]}


async def _event(response: web.StreamResponse, payload: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(payload).encode() + b"\n\n")
