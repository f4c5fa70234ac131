"""Somebody's helpdesk behind a webhook: it takes signed objects once each, files them by handoff, and serves files."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Mapping
from typing import Any

from supportbot.testing.receiver import Receiver

_FIXED = {"type", "id", "conversation", "user", "handoff", "desk"}
_ALSO: Mapping[str, set[str]] = {
    "handoff.requested": {"why", "tried", "slots", "transcript", "summary", "suggestion"},
    "handoff.message": {"from", "text", "attachments"},
    "handoff.note": {"by", "note"},
    "handoff.updated": {"change"},
    "handoff.claimed": {"agent"},
    "handoff.resolved": {"agent"},
    "handoff.returned": {"agent"},
}


class Helpdesk(Receiver):
    """`tickets` has the objects of each handoff; `files` what `GET /files/NAME` gives, `missing` the status of others,
    `asked` how often one was asked for."""

    def __init__(self, *secrets: str) -> None:
        super().__init__(*secrets)
        self.files: dict[str, bytes] = {}
        self.missing: dict[str, int] = {}
        self.asked = 0

    def keep(self, name: str, content: bytes) -> str:
        """The url of a file that an agent has attached."""
        self.files[f"/files/{name}"] = content
        return f"http://127.0.0.1:{self.port}/files/{name}"

    @property
    def tickets(self) -> Mapping[str, list[dict[str, Any]]]:
        """{handoff: objects}, a second copy of an object left out, as `webhook-id` tells it."""
        seen: set[str] = set()
        found: dict[str, list[dict[str, Any]]] = {}
        for delivery in self.accepted:
            payload = delivery.payload
            lacking = (_FIXED | _ALSO[payload["type"]]) - set(payload)
            assert not lacking, f"{payload['type']} lacks {lacking}"
            assert delivery.id == payload["id"]
            if delivery.id not in seen:
                found.setdefault(payload["handoff"], []).append(payload)
            seen.add(delivery.id)
        return found

    def files_of(self, handoff: str) -> list[tuple[str, bytes]]:
        """(name, content) of the files that came inside a handoff's messages."""
        files = [file for payload in self.tickets[handoff] for file in payload.get("attachments", ())]
        return [(file["name"], base64.b64decode(file["content"])) for file in files if "content" in file]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A GET is for a file; everything else is a delivery."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, OSError):
            writer.close()
            return
        if head.startswith(b"GET "):
            writer.write(self._file(head.split(b" ")[1].decode()))
            await writer.drain()
            writer.close()
            return
        whole = asyncio.StreamReader()
        whole.feed_data(head)
        pump = asyncio.create_task(_pump(reader, whole))
        try:
            await super()._serve(whole, writer)
        finally:
            pump.cancel()

    def _file(self, path: str) -> bytes:
        self.asked += 1
        content = self.files.get(path)
        status = self.missing.get(path, 404) if content is None else 200
        head = f"HTTP/1.1 {status} Answer\r\nlocation: /elsewhere\r\ncontent-length: {len(content or b'')}\r\n"
        return head.encode() + b"connection: close\r\n\r\n" + (content or b"")


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamReader) -> None:
    try:
        while piece := await source.read(65_536):
            target.feed_data(piece)
    except OSError:
        pass
    target.feed_eof()


def leaves(value: Any, name: str = "") -> Iterator[str]:
    """Every value in an object with its name, as an agent would read it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{name} {key}".strip())
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, name)
    else:
        yield f"{name}: {value}"
