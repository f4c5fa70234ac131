"""What stands in a chat's feed, and how a page gets it.

1. A feed keeps words as they were written; the page gets Markdown read into blocks, and makes its elements from them by
   itself: no HTML is ever sent.
2. What a button is pressed by, and where a file lies, stays here: a page names an entry and a button's number, or a
   file's id, and both are looked up in its own chat.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from supportbot import Attachment, Button, Entry, Outgoing, Reply, Shelf
from supportbot.markup import Block, Run, blocks

_SIGNS: Mapping[str, str] = {
    "handoff.requested": "waiting",
    "handoff.claimed": "claimed",
    "handoff.resolved": "resolved",
    "handoff.returned": "returned",
}
_RUN_FLAGS = ("bold", "italic", "strike", "code")


def of_customer(id: str, text: str, files: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The body of what a customer wrote; `id` is the page's own."""
    return {"from": "customer", "id": id, "text": text, **({"files": files} if files else {})}


def of_press(id: str, label: str, entry: int, button: int) -> dict[str, Any]:
    return {"from": "customer", "id": id, "text": label, "chosen": {"entry": entry, "button": button}}


async def of_outgoing(outgoing: Outgoing, shelf: Shelf) -> dict[str, Any] | None:
    """The body of what the house sends; None if a page shows nothing of it."""
    if outgoing.reply is not None and outgoing.kind == "message.reply":
        return await _of_reply(outgoing, outgoing.reply, shelf)
    kind = _SIGNS.get(outgoing.kind, "")
    if outgoing.kind == "handoff.updated" and outgoing.data.get("change") in ("released", "transferred"):
        kind = "waiting"
    if not kind:
        return None
    return {"from": "system", "kind": kind, "name": str(outgoing.data.get("agent") or "")}


async def _of_reply(outgoing: Outgoing, reply: Reply, shelf: Shelf) -> dict[str, Any]:
    files = [
        await keep_file(shelf, outgoing.address.chat, file, f"{outgoing.id} {number}")
        for number, file in enumerate(reply.files)
    ]
    body: dict[str, Any] = {
        "from": "agent" if reply.author else "bot",
        "name": reply.author,
        "text": reply.text,
        "buttons": [_button(button) for button in reply.buttons],
        "menu": reply.menu,
        "files": files,
        "preview": outgoing.preview,
    }
    return {key: value for key, value in body.items() if value}


def _button(button: Button) -> dict[str, str]:
    shown = {"label": button.label, "url": button.url, "style": button.style, "press": button.press}
    return {key: value for key, value in shown.items() if value}


async def keep_file(shelf: Shelf, chat: str, file: Attachment, seed: str) -> dict[str, Any]:
    """Makes the file readable in the chat under an id that nobody can guess; the same `seed` gives the same one."""
    shown = {"name": file.name, "type": file.media_type, "size": file.size}
    if not file.digest:
        return {**shown, "url": file.url} if file.url.startswith(("https://", "http://")) else shown
    id = "f_" + hashlib.sha256(f"{chat} {seed} {file.digest}".encode()).hexdigest()[:40]
    await shelf.put(f"file:{id}", {"chat": chat, "digest": file.digest, **shown})
    return {"id": id, **shown}


async def file_of(shelf: Shelf, chat: str, id: str) -> Attachment | None:
    """The file, if it was shown or sent in this chat."""
    found = await shelf.get(f"file:{id}")
    if found is None or found["chat"] != chat:
        return None
    return Attachment(found["name"], found["type"], found["size"], ref=found["digest"], digest=found["digest"])


def shown(entry: Entry) -> dict[str, Any]:
    """The entry as a page gets it."""
    body = dict(entry.body)
    body.setdefault("kind", "message")
    if body["from"] in ("bot", "agent"):
        body["blocks"] = _kept_blocks(str(body.get("text", "")))
    if "buttons" in body:
        body["buttons"] = [{key: one[key] for key in one if key != "press"} for one in body["buttons"]]
    return {"n": entry.position, "key": body.pop("id", entry.key), "at": entry.at, **body}


def as_blocks(text: str) -> tuple[Mapping[str, Any], ...]:
    """Markdown as the page's elements."""
    return tuple(_block(block) for block in blocks(text))


_kept_blocks = lru_cache(maxsize=256)(as_blocks)


def _block(block: Block) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": block.kind}
    if block.runs:
        made["runs"] = _runs(block.runs)
    if block.rows:
        made["rows"] = [[_runs(cell) for cell in row] for row in block.rows]
        made["aligns"] = list(block.aligns)
    for key in ("quote", "depth", "tight", "level", "marker", "text", "language"):
        if value := getattr(block, key):
            made[key] = value
    return made


def _runs(runs: tuple[Run, ...]) -> list[dict[str, Any]]:
    made = []
    for run in runs:
        one: dict[str, Any] = {"text": run.text, **{flag: True for flag in _RUN_FLAGS if getattr(run, flag)}}
        if run.link:
            one["link"] = run.link
        made.append(one)
    return made
