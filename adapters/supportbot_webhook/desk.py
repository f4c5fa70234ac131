"""The webhook as a desk: handoffs leave by the callback, and what agents do comes in at the channel's own door.

A handoff's place is the handoff itself: whoever takes the objects knows it by the name `handoff`, and so do we.
"""

from __future__ import annotations

import base64
from typing import Any

from supportbot import Attachment, Capabilities, Desk, Outgoing
from supportbot.webhooks import RETRY_DELAYS, attachment, outgoing_object
from supportbot_webhook.callback import Callback

FILE_LIMIT = 1_000_000
FILES_LIMIT = 5_000_000
"""Bytes of one file, and of all files of one message, that travel inside it; larger ones are only named."""


class WebhookDesk(Desk):
    """A desk behind a channel's callback. It dedupes by `webhook-id`, as whoever takes webhooks must."""

    capabilities = Capabilities(files=True, events=True, retry_delays=RETRY_DELAYS)

    def __init__(self, name: str, callback: Callback) -> None:
        super().__init__(name)
        self._callback = callback

    async def send(self, outgoing: Outgoing) -> str:
        payload = outgoing_object(outgoing)
        if outgoing.reply is not None:
            payload["attachments"] = await self._attachments(outgoing.reply.files)
        await self._callback.post(outgoing, payload)
        return str(outgoing.data["handoff"]) if outgoing.kind == "handoff.requested" else ""

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        return await self._callback.fetch(attachment, limit)

    async def _attachments(self, files: tuple[Attachment, ...]) -> list[dict[str, Any]]:
        left, carried = FILES_LIMIT, []
        for file in files:
            content = await self._callback.kept(file)
            fits = content is not None and len(content) <= min(FILE_LIMIT, left)
            if content is not None and fits:
                left -= len(content)
                inside: dict[str, Any] = {"size": len(content), "content": base64.b64encode(content).decode()}
            else:
                inside = {"truncated": True}
            carried.append(attachment(file) | inside)
        return carried
