"""A Slack workspace in memory: people, channels, files, and a ledger of all that the bot said in it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from supportbot.testing.slack import events
from supportbot.testing.slack.rules import Content, Refusal, Slow

_THREAD = re.compile(r"\d{10}\.\d{6}\Z")
Json = dict[str, Any]
Params = Mapping[str, Any]
Answer = Json | Refusal | Slow


@dataclass(slots=True)
class Channel:
    """A conversation. `member`: the bot is in it. `people` None: everyone else is too; an IM has its one `user`."""

    id: str
    kind: Literal["im", "public", "private"] = "public"
    name: str = ""
    user: str = ""
    member: bool = True
    archived: bool = False
    people: frozenset[str] | None = None

    def has(self, user: str) -> bool:
        """Whether the user is in it."""
        return user == self.user if self.kind == "im" else self.people is None or user in self.people


@dataclass(slots=True)
class StoredFile:
    """A file. A download of it is sent on to `redirect`, if that is given."""

    about: Json
    content: bytes = b""
    redirect: str = ""
    length: int = -1
    uploaded: bool = True


@dataclass(slots=True)
class Post:
    """One message that was accepted from the bot. `user` is the one reader of an ephemeral message.

    `edits` holds what it said before each edit, `pieces` what was streamed, piece by piece; `cut`: its text was too
    long for Slack and lost its end. `at` is monotonic, `wall` is the time of day, by which `oldest` asks.
    """

    channel: str
    ts: str
    thread_ts: str
    user: str
    text: str
    blocks: list[Json]
    markdown: str
    streaming: bool
    at: float
    wall: float = field(default_factory=time.time)
    pieces: list[str] = field(default_factory=list)
    chunks: list[Json] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)
    deleted: bool = False
    files: list[Json] = field(default_factory=list)
    metadata: Json = field(default_factory=dict)
    cut: bool = False

    @property
    def shown(self) -> str:
        """Its words: the markdown if it has any, else the text (which blocks, if there are any, stand in front of)."""
        blocks = [str(block.get("text")) for block in self.blocks if block.get("type") == "markdown"]
        return self.markdown or self.text or "\n\n".join(blocks)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the Web API, as it came, without its token."""

    method: str
    params: Params
    at: float


@dataclass(frozen=True, slots=True)
class Said:
    """What stood for a while in an assistant's thread: a status, a title, or suggested prompts."""

    channel: str
    thread_ts: str
    text: str
    prompts: tuple[Mapping[str, str], ...] = ()


class Workspace:
    """See above. Tests may add to `users` (id to name), `locales` (by user) and `channels` as they like."""

    team, app_id = events.TEAM, events.APP
    bot_user, bot_id = events.BOT_USER, events.BOT_ID

    def __init__(self, *, stream_seconds: float = 300) -> None:
        self.base = ""
        self.stream_seconds = stream_seconds
        self.users = {events.CUSTOMER: "Ada", "U0OTHER": "Ben"}
        self.locales: dict[str, str] = {}
        self.channels = {
            channel.id: channel
            for channel in (
                Channel(events.DM, "im", user=events.CUSTOMER),
                Channel(events.CHANNEL, "public", "support"),
                Channel("C0ELSEWHERE", "public", "elsewhere", member=False),
                Channel("G0SECRET", "private", "secret", member=False),
                Channel("C0OLD", "public", "old", archived=True),
            )
        }
        self.posts: list[Post] = []
        self.statuses: list[Said] = []
        self.prompts: list[Said] = []
        self.titles: list[Said] = []
        self.calls: list[Call] = []
        self.files: dict[str, StoredFile] = {}
        self.heard: dict[tuple[str, str], Json] = {}
        self._heard_at: dict[tuple[str, str], float] = {}
        self._own: dict[tuple[str, str], Post] = {}
        self._stamps = 0
        self._files = 0

    def stamp(self) -> str:
        """A timestamp after all that this workspace gave before."""
        self._stamps += 1
        return f"{1_700_000_000 + self._stamps // 100}.{self._stamps % 100:04d}00"

    def texts(self, channel: str | None = None) -> list[str]:
        """What the posts say that still stand, in order, in one channel or all."""
        return [post.shown for post in self.posts if not post.deleted and channel in (None, post.channel)]

    def reach(self, id: Any, *, users: bool = False) -> Channel | Refusal:
        """The channel that the bot may post in. With `users`, a user's id stands for the IM with that user."""
        if users and id in self.users:
            return self.im(id)
        found = self.channels.get(str(id))
        if found is None or (found.kind == "private" and not found.member):
            return Refusal("channel_not_found")
        if not found.member:
            return Refusal("not_in_channel")
        return Refusal("is_archived") if found.archived else found

    def im(self, user: str) -> Channel:
        """The IM with a user, opened if there was none."""
        for channel in self.channels.values():
            if channel.kind == "im" and channel.user == user:
                return channel
        opened = Channel("D" + user[1:], "im", user=user)
        self.channels[opened.id] = opened
        return opened

    def post(self, channel: str, said: Content, params: Params, *, user: str = "") -> Post:
        """A new post in the ledger."""
        found = Post(
            channel=channel,
            ts=self.stamp(),
            thread_ts=str(params.get("thread_ts") or ""),
            user=user,
            text=said.text,
            blocks=list(said.blocks),
            markdown=said.markdown,
            streaming=False,
            at=time.monotonic(),
            cut=said.cut,
        )
        self.posts.append(found)
        self._own[found.channel, found.ts] = found
        return found

    def threaded(self, channel: str, params: Params) -> Params:
        """A reply to a thread of which nothing stands any more goes into the channel (slack-go issue 1571)."""
        root = self._own.get((channel, str(params.get("thread_ts") or "")))
        if root is None or not root.deleted:
            return params
        replies = [post for post in self.posts if post.thread_ts == root.ts and not post.deleted and not post.user]
        return params if replies else {**params, "thread_ts": None}

    def find(self, channel: Any, ts: Any, *, foreign: str) -> Post | Refusal:
        """The bot's own message that can still be changed; `foreign` is the error for someone else's."""
        if str(channel) not in self.channels:
            return Refusal("channel_not_found")
        post = self._own.get((str(channel), str(ts)))
        if post is None or post.deleted or post.user:
            return Refusal(foreign if (channel, ts) in self.heard else "message_not_found")
        post.streaming = post.streaming and time.monotonic() < post.at + self.stream_seconds
        return post

    def hear(self, payload: Mapping[str, Any]) -> None:
        """Keeps a message that someone else wrote, if the payload is the event of one."""
        event = payload.get("event")
        if isinstance(event, Mapping) and event.get("type") in ("message", "app_mention") and "text" in event:
            self.heard[event["channel"], event["ts"]] = dict(event) | {"type": "message"}
            self._heard_at[event["channel"], event["ts"]] = time.time()

    def messages(self, channel: str, *, metadata: bool = False, since: float = 0.0) -> Iterator[Json]:
        """All messages of a channel since a time of day, whoever wrote them, oldest first."""
        own = [post for post in self.posts if post.channel == channel and not post.deleted and not post.user]
        found = [self.message(post, metadata=metadata) for post in own if post.wall >= since]
        heard = [(key, message) for key, message in self.heard.items() if key[0] == channel]
        found += [message for key, message in heard if self._heard_at.get(key, since) >= since]
        yield from sorted(found, key=lambda message: str(message["ts"]))

    def message(self, post: Post, *, metadata: bool = False) -> Json:
        """A post as Slack shows it."""
        found: Json = {
            "type": "message",
            "user": self.bot_user,
            "bot_id": self.bot_id,
            "app_id": self.app_id,
            "team": self.team,
            "text": post.shown,
            "ts": post.ts,
        }
        found |= {"thread_ts": post.thread_ts} if post.thread_ts else {}
        found |= {"blocks": post.blocks} if post.blocks else {}
        found |= {"files": post.files} if post.files else {}
        found |= {"edited": {"user": self.bot_id, "ts": post.ts}} if post.edits else {}
        return found | ({"metadata": post.metadata} if metadata and post.metadata else {})

    def add_file(
        self,
        content: bytes,
        name: str = "photo.png",
        mimetype: str = "image/png",
        *,
        redirect: str = "",
        **others: Any,
    ) -> Json:
        """The file object of a new file that can be downloaded here; `others` are further fields of it."""
        self._files += 1
        id = f"F0FILE{self._files:04d}"
        about = events.file(id, name, mimetype, size=len(content), url=self.base, **others)
        self.files[id] = StoredFile(about, content, redirect)
        return about


def bad_thread(params: Params) -> Refusal | None:
    """The refusal of a thread_ts that is no timestamp."""
    given = params.get("thread_ts")
    return None if given is None or _THREAD.match(str(given)) else Refusal("invalid_thread_ts")
