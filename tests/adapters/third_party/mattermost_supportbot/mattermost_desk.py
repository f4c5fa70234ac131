"""A desk for supportbot: agents in a Mattermost channel, with a thread for each handoff.

Whatever a customer wrote stands in code: there it calls nobody, links nowhere, and looks like nothing of ours.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

from supportbot import (
    Act,
    Attachment,
    Capabilities,
    ChannelRefused,
    Desk,
    Files,
    Message,
    NotFound,
    Outgoing,
    UsageError,
)

POST_LIMIT = 16_000  # of 16,383 that Mattermost takes
PIECE = 12_000
LINE = 1_000
SKEW = 300.0  # seconds by which the two clocks may differ
FRESH = 20.0  # seconds; Mattermost itself knows a post again for half a minute

COMMANDS: Mapping[str, Literal["claim", "release", "note", "transfer", "return", "resolve"]] = {
    "!claim": "claim",
    "!release": "release",
    "!note": "note",
    "!transfer": "transfer",
    "!return": "return",
    "!resolve": "resolve",
}
STATES = {
    "handoff.claimed": "Claimed by {agent}.",
    "handoff.resolved": "Resolved by {agent}.",
    "handoff.returned": "Given back to the bot by {agent}.",
    "assigned": "Offered to {assignee}.",
    "released": "Free for everybody again.",
    "transferred": "Gone to {to}.",
    "late": "The customer is waiting for an answer.",
    "refused": "Not done for {by}: {why}",
    "undelivered": "The customer did not get this: {error}",
    "gathered": "New facts: {slots}",
    "rated": "The customer gives {rating} of 5.",
}


class MattermostDesk(Desk):
    """One channel of agents, `place` in the options. `call` is the REST API, `download` gets a file from it."""

    capabilities = Capabilities(files=True, chat_interval=0.2, channel_rate=10.0)

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        call: Callable[..., Awaitable[Mapping[str, Any]]],
        download: Callable[..., Awaitable[bytes]],
    ) -> None:
        super().__init__(name)
        if unknown := sorted(str(key) for key in options if key != "place"):
            raise UsageError(f"{unknown[0]} is not known; a desk in Mattermost has only place.")
        if not re.fullmatch("[a-z0-9]{26}", str(options.get("place", ""))):
            raise UsageError("place must be the id of the agents' channel: 26 small letters and digits.")
        self.channel = str(options["place"])
        self.files: Files | None = None
        self._call = call
        self._download = download

    async def send(self, outgoing: Outgoing) -> str:
        """The first post of a handoff begins its thread, and the thread is its place."""
        known = await self._known(outgoing)
        place, files = outgoing.place, outgoing.reply.files if outgoing.reply else ()
        for number, text in enumerate(pack(sections(outgoing))):
            row = f"{outgoing.id}.{number}"  # the same in every try, so that no post is made twice
            if row not in known:
                ids, lost = await self._upload(files) if number == 0 else ([], "")
                post = {"channel_id": self.channel, "root_id": place, "message": text + lost, "file_ids": ids}
                made = await self._call("POST", "/posts", {**post, "pending_post_id": row, "props": {"row": row}})
                known[row] = str(made["id"])
            place = place or known[row]
        return place

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        if not attachment.ref:
            raise ChannelRefused("This is no file of Mattermost's.")
        return await self._download(attachment, limit=limit)

    def act(self, message: Message, thread: str) -> Act | None:
        """What an agent's post in a thread means; None for posts beside the threads, edits and deletions."""
        if not thread or message.kind != "message":
            return None
        first, _, rest = message.text.partition(" ")
        kind = COMMANDS.get(first)
        return Act(
            id=message.id,
            agent=message.user,
            kind=kind or "message",
            place=thread,
            text="" if kind == "transfer" else rest.strip() if kind else message.text,
            attachments=message.attachments,
            to=rest.strip() if kind == "transfer" else "",
        )

    async def _known(self, outgoing: Outgoing) -> dict[str, str]:
        """{row: post} of what may have been posted by an earlier try whose answer was lost."""
        if outgoing.attempt == 0 and time.time() - outgoing.created_at < FRESH:
            return {}
        since = int((outgoing.created_at - SKEW) * 1000)
        found = await self._call("GET", f"/channels/{self.channel}/posts?since={since}")
        posts = found.get("posts", {}).values()
        there = (post for post in posts if not post.get("delete_at"))
        return {post["props"]["row"]: post["id"] for post in there if "row" in (post.get("props") or {})}

    async def _upload(self, files: Sequence[Attachment]) -> tuple[list[str], str]:
        """The ids of the files that Mattermost has now, and a line on each other one."""
        ids, lost = list[str](), ""
        for file in files:
            try:
                if self.files is None:
                    raise NotFound("not started")
                path = f"/files?channel_id={self.channel}&filename={quote(file.name or 'file', safe='')}"
                infos = (await self._call("POST", path, await self.files.read(file.digest)))["file_infos"]
                ids.append(infos[0]["id"])
            except (NotFound, ChannelRefused):
                lost += f"\n(A file cannot be shown: {code(file.name)})"
        return ids, lost


# --- what stands there ---------------------------------------------------------------------------------------------


def sections(outgoing: Outgoing) -> Iterator[str]:
    """What a row says, in pieces that each fit into a post."""
    data = outgoing.data
    match outgoing.kind:
        case "handoff.requested":
            yield from brief(data)
        case "handoff.message":
            author = data["from"]
            text = outgoing.reply.text if outgoing.reply else ""
            yield from block(f"{author['role'].capitalize()} {code(author['name'])}", text)
        case "handoff.note":
            yield from block(f"Note by {code(data['by'])}", data["note"])
        case kind:
            template = STATES.get(
                data.get("change", "") if kind == "handoff.updated" else kind, "Something changed."
            )
            yield template.format_map({name: code(value) for name, value in data.items()})


def brief(data: Mapping[str, Any]) -> Iterator[str]:
    who = data["customer"]
    again = "opened again " if data.get("reopened") else ""
    yield f"#### Handoff {again}for {code(who.get('name') or who.get('id'))}"
    for name in ("reason", "detail", "why", "priority", "tags", "channel", "locale", "identity", "slots"):
        yield from line(name, data.get(name))
    yield from block("Tried", "\n".join(data.get("tried", ())))
    yield from block("Summary", data.get("summary", ""))
    said = (f"{part['name'] or part['role']}: {part['text']}" for part in data.get("transcript", ()))
    yield from block("Transcript", "\n".join(said))
    yield from block("Suggestion", data.get("suggestion", ""))
    yield "What you write here goes to the customer. Also: " + ", ".join(f"`{word}`" for word in COMMANDS)


def line(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from line(key, inner)
    elif value:
        yield f"{code(name)} {code(', '.join(value) if isinstance(value, list) else value)}"


def code(value: object) -> str:
    """The value on one line, as code."""
    text = " ".join(str(value).split())[:LINE] or "-"
    fence = "`" * (1 + longest(text))
    return f"{fence} {text} {fence}"


def block(title: str, text: str) -> Iterator[str]:
    """The text under its title, as code, in as many pieces as it needs."""
    fence = "`" * max(3, 1 + longest(text))
    for at in range(0, len(text), PIECE):
        yield f"**{title}**\n{fence}\n{text[at : at + PIECE]}\n{fence}"
    if not text:
        yield f"**{title}**"


def longest(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def pack(pieces: Iterator[str]) -> Iterator[str]:
    """The posts: as few as the limit allows."""
    post = next(pieces)
    for piece in pieces:
        if len(post) + len(piece) + 1 > POST_LIMIT:
            yield post
            post = piece
        else:
            post += "\n" + piece
    yield post
