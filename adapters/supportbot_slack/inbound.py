"""What Slack tells an app, as messages of the house. Pure: no clock, no network, no store.

1. A message's id is team, channel and ts: the same for its message event, its mention, and every repeat of both.
2. In a direct message the chat is the customer; elsewhere it is the channel, and each thread is a conversation.
3. Whether something is for us may depend on who the conversation's customer is; that is left to `Incoming.rule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from supportbot.types import Address, Event, Message, User
from supportbot_slack.fields import (
    ID,
    STAMP,
    Json,
    Unreadable,
    files,
    forwarded,
    id_of,
    object_of,
    or_empty,
    raw,
    stamp_of,
)
from supportbot_slack.text import addressed, mentions, readable

Rule = Literal["always", "customer", "known", "unknown"]

STARTED = "conversation.started"
SAID = (None, "file_share", "thread_broadcast", "me_message")


@dataclass(frozen=True, slots=True)
class Own:
    """Who the bot is; "" where it is not known yet. `team` is "" for an organisation too, as it has many."""

    team: str = ""
    user: str = ""
    bot: str = ""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message and when it is for us: "always", from the conversation's own "customer", in a conversation that is
    "known", or in one that is still "unknown". `dm` is the id of the direct message's channel, where it is one."""

    message: Message
    rule: Rule = "always"
    dm: str = ""
    assistant: bool = False


def event(payload: Json, channel: str, own: Own, names: Mapping[str, str]) -> Incoming | None:
    """What an event brings, None if it is nothing for us. Raises Unreadable."""
    inner = payload.get("event")
    if not isinstance(inner, Mapping):
        raise Unreadable("the event is missing")
    own = installed(payload, own)
    reader = _Reader(payload, inner, channel, own, names)
    match inner.get("type"):
        case "message":
            return reader.message()
        case "app_mention":
            return reader.mention()
        case "app_home_opened":
            return reader.opened()
        case "assistant_thread_started":
            return reader.thread_started()
    return None


def lane(payload: Json) -> str:
    """What must stay in order: the chat that a payload belongs to, "" if it has none. Takes anything."""
    inner = payload.get("event")
    inside = inner if isinstance(inner, Mapping) else payload
    for place in (inside.get("channel"), inside.get("channel_id"), inside.get("user_id"), inside.get("user")):
        found = place.get("id") if isinstance(place, Mapping) else place
        if isinstance(found, str) and found:
            return found
    return ""


def installed(payload: Json, own: Own) -> Own:
    """Who the bot is; the event says itself for which installation it is."""
    listed = payload.get("authorizations")
    first = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(first, Mapping):
        return own
    user = first.get("user_id") if first.get("is_bot") is True else ""
    return Own(own.team, own.user or or_empty(user), own.bot)


def by_person(said: Json, own: Own) -> bool:
    """Whether a human wrote it."""
    user = said.get("user")
    return not said.get("bot_id") and user not in ("USLACKBOT", None) and user != (own.user or None)


@dataclass(frozen=True, slots=True)
class _Reader:
    payload: Json
    event: Json
    channel: str
    own: Own
    names: Mapping[str, str]

    def message(self) -> Incoming | None:
        subtype = self.event.get("subtype")
        if subtype in SAID:
            return self._said(self.event)
        if subtype == "message_changed":
            return self._changed()
        return self._deleted(self.event) if subtype == "message_deleted" else None

    def mention(self) -> Incoming | None:
        return self._said(self.event) if self.event.get("subtype") in SAID else None

    def opened(self) -> Incoming | None:
        if self.event.get("tab") != "messages":
            return None
        user, dm = id_of(self.event, "user"), id_of(self.event, "channel")
        return self._started(user, dm, "", f"{self._team()}.{dm}.opened", "unknown")

    def thread_started(self) -> Incoming | None:
        thread = object_of(self.event, "assistant_thread")
        user, dm, ts = id_of(thread, "user_id"), id_of(thread, "channel_id"), stamp_of(thread, "thread_ts")
        return self._started(user, dm, ts, f"{self._team()}.{dm}.{ts}.started", "always")

    def _started(self, user: str, dm: str, thread: str, id: str, rule: Rule) -> Incoming:
        address = Address(self.channel, f"{self._team()}/{user}", thread)
        message = Message(address, id, User(user), kind="event", event=Event(STARTED))
        return Incoming(message, rule, dm, assistant=bool(thread))

    def _said(self, said: Json) -> Incoming | None:
        if not self._by_person(said):
            return None
        user, channel, ts = id_of(said, "user"), id_of(said, "channel"), stamp_of(said, "ts")
        text, attached = self._text(said), files(said)
        direct = self._direct(channel)
        rule = "always" if direct else self._rule(said)
        if rule is None or not (text or attached or mentions(raw(said), self.own.user)):
            return None
        message = Message(
            address=self._address(said, user, channel, ts),
            id=f"{self._team()}.{channel}.{ts}",
            user=User(user),
            text=text if text or attached else "/help",  # nothing but our name was called
            attachments=attached,
            shared=not direct,
        )
        return Incoming(message, rule, channel if direct else "")

    def _rule(self, said: Json) -> Rule | None:
        """In a channel: a mention is for us, and so is what a thread's customer goes on to say there."""
        words = raw(said)
        called = addressed(words)
        if called and self.own.user not in called:
            return None
        if mentions(words, self.own.user) or (not self.own.user and said.get("type") == "app_mention"):
            return "always"
        return "customer" if said.get("thread_ts") not in (None, said.get("ts")) else None

    def _changed(self) -> Incoming | None:
        now, before = object_of(self.event, "message"), self.event.get("previous_message")
        then = before if isinstance(before, Mapping) else {}
        if now.get("subtype") == "tombstone":
            return self._deleted({**self.event, "deleted_ts": now.get("ts"), "previous_message": then})
        if now.get("subtype") not in SAID or not self._by_person(now) or raw(now) == raw(then):
            return None
        edited = now.get("edited")
        at = edited.get("ts") if isinstance(edited, Mapping) else self.event.get("event_ts")
        target, message = self._about(now, "message.edited", at)
        called = mentions(raw(now), self.own.user) or mentions(raw(then), self.own.user)
        text = self._text(now)
        if not text and not files(now):
            return None
        return self._of_conversation(message, text, target, known=called)

    def _deleted(self, event: Json) -> Incoming | None:
        before = event.get("previous_message")
        if not isinstance(before, Mapping) or not self._by_person(before) or before.get("subtype") not in SAID:
            return None
        gone = {**before, "ts": event.get("deleted_ts")}
        target, message = self._about(gone, "message.deleted", "")
        return self._of_conversation(message, "", target, known=mentions(raw(before), self.own.user))

    def _about(
        self, said: Json, kind: Literal["message.edited", "message.deleted"], at: object
    ) -> tuple[str, Message]:
        user, channel, ts = id_of(said, "user"), id_of(self.event, "channel"), stamp_of(said, "ts")
        target = f"{self._team()}.{channel}.{ts}"
        end = f"edited.{at}" if isinstance(at, str) and STAMP.match(at) else kind.partition(".")[2]
        message = Message(
            self._address(said, user, channel, ts),
            f"{target}.{end}",
            User(user),
            kind=kind,
            shared=not self._direct(channel),
        )
        return target, message

    def _of_conversation(self, message: Message, text: str, target: str, *, known: bool) -> Incoming:
        whole = Message(
            message.address,
            message.id,
            message.user,
            text,
            message.kind,
            target=target,
            shared=message.shared,
        )
        return Incoming(whole, "known" if known else "customer")

    def _address(self, said: Json, user: str, channel: str, ts: str) -> Address:
        thread = stamp_of(said, "thread_ts") if said.get("thread_ts") is not None else ""
        if self._direct(channel):
            return Address(self.channel, f"{self._team()}/{user}", thread)
        return Address(self.channel, f"{self._team()}/{channel}", thread or ts)

    def _direct(self, channel: str) -> bool:
        kind = self.event.get("channel_type")
        return kind == "im" if isinstance(kind, str) else channel.startswith("D")

    def _by_person(self, said: Json) -> bool:
        return by_person(said, self.own)

    def _team(self) -> str:
        return team(self.payload, self.own)

    def _text(self, said: Json) -> str:
        text = readable(raw(said), own=self.own.user, names=self.names)
        return text if text.strip() else readable(forwarded(said), names=self.names)


def team(payload: Json, own: Own) -> str:
    """The workspace that a payload is from. Raises Unreadable."""
    if own.team:
        return own.team
    listed = payload.get("authorizations")
    for place in (
        listed[0] if isinstance(listed, list) and listed else None,
        payload,
        payload.get("team"),
        payload.get("user"),
    ):
        for name in ("team_id", "id"):
            found = place.get(name) if isinstance(place, Mapping) else None
            if isinstance(found, str) and ID.match(found) and found[0] in "TE":
                return found
    raise Unreadable("the workspace is missing")
