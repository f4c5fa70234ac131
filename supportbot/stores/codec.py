"""Values to columns and back, exactly; what a database cannot hold (lone surrogates) becomes U+FFFD.

JSON is compact and stands only where a value is nested; NUL characters pass through both JSON and columns.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from supportbot.errors import StoreError
from supportbot.types import (
    PRIORITIES,
    Action,
    Address,
    Attachment,
    Button,
    ChatMessage,
    Conversation,
    Event,
    FlowState,
    Frame,
    Handoff,
    Identity,
    Inbound,
    JournalEntry,
    Message,
    Outgoing,
    Reply,
    ToolCall,
    Trace,
    Turn,
    Usage,
    User,
)

Row = tuple[Any, ...]

ROLES: tuple[Any, ...] = ("system", "user", "assistant", "tool")
_ROLE_NUMBER = {role: number for number, role in enumerate(ROLES)}
LANE_SEPARATOR = "\x1f"
_IDENTITY_FIELDS = tuple(field.name for field in fields(Identity))
_HANDOFF_FIELDS = tuple(field.name for field in fields(Handoff))[:12]
_HANDOFF_MORE = (
    "tags",
    "cause",
    "agent_id",
    "desks",
    "slots",
    "internal",
    "answered_at",
    "waits_since",
    "reopened",
    "late",
    "rating",
    "suggestion",
)


def clean(text: str) -> str:
    """The text as any database takes it: surrogate pairs joined, lone surrogates replaced."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)


def dump(value: Any) -> str:
    """Compact JSON; StoreError for what is no JSON or nested without end."""
    try:
        return clean(_ENCODER.encode(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"Cannot store a value that is no plain JSON ({error}).") from error


def _load(text: str | None, default: Any) -> Any:
    return default if text is None else json.loads(text)


# --- what comes in -------------------------------------------------------------------------------------------


def inbound_columns(message: Message) -> Row:
    """(channel, message, kind, digest, user, user_name, text, extra) of the inbox."""
    return (
        clean(message.address.channel),
        clean(message.id),
        message.kind,
        clean(message.digest),
        clean(message.user.id),
        clean(message.user.name),
        clean(message.text),
        _message_extra(message),
    )


def _message_extra(message: Message) -> str | None:
    """What few messages have: action, event, attachments, locale; None if this one has nothing of it."""
    extra: dict[str, Any] = {}
    if message.action is not None:
        extra["action"] = _short([message.action.id, message.action.value, message.action.press], 2)
    if message.event is not None:
        extra["event"] = [message.event.name, message.event.data]
    if message.attachments:
        extra["files"] = [_file(attachment) for attachment in message.attachments]
    if message.locale:
        extra["locale"] = message.locale
    if message.target:
        extra["target"] = message.target
    if message.shared:
        extra["shared"] = True
    if message.identity is not None:
        extra["identity"] = identity_plain(message.identity)
    if message.via:
        extra["via"] = message.via
    if message.shown:
        extra["shown"] = True
    return dump(extra) if extra else None


def inbound(row: Row, address: Address) -> Inbound:
    position, id, kind, digest, user, user_name, text, packed, received_at = row
    extra: dict[str, Any] = _load(packed, {})
    message = Message(
        address=address,
        id=id,
        user=User(user, user_name),
        text=text,
        kind=kind,
        action=Action(*extra["action"]) if "action" in extra else None,
        event=Event(*extra["event"]) if "event" in extra else None,
        attachments=tuple(Attachment(*a) for a in extra.get("files", ())),
        locale=extra.get("locale", ""),
        digest=digest,
        target=extra.get("target", ""),
        shared=extra.get("shared", False),
        identity=Identity(**extra["identity"]) if "identity" in extra else None,
        via=extra.get("via", ""),
        shown=extra.get("shown", False),
    )
    return Inbound(position, message, received_at)


def identity_plain(identity: Identity) -> dict[str, Any]:
    """What differs from the default; `Identity(**plain)` reads it."""
    plain = {name: getattr(identity, name) for name in _IDENTITY_FIELDS}
    return {name: value for name, value in plain.items() if value}


# --- history -------------------------------------------------------------------------------------------------


def chat_columns(message: ChatMessage) -> Row:
    """(role, content, tokens, name, tool_calls, tool_call_id, images, source, only, files)."""
    calls = [[c.id, c.name, c.arguments] for c in message.tool_calls]
    return (
        _ROLE_NUMBER[message.role],
        clean(message.content),
        message.tokens,
        clean(message.name) or None,
        dump(calls) if calls else None,
        clean(message.tool_call_id) or None,
        dump(message.images) if message.images else None,
        clean(message.source) or None,
        clean(message.only) or None,
        dump([_file(file) for file in message.files]) if message.files else None,
    )


def turns(rows: Iterable[Row]) -> tuple[Turn, ...]:
    """Rows (turn, role, content, …) in order, grouped by turn."""
    grouped: dict[int, list[ChatMessage]] = {}
    for sequence, role, content, tokens, name, packed, call_id, images, source, only, files in rows:
        calls = tuple(ToolCall(*call) for call in json.loads(packed)) if packed else ()
        shown = tuple(json.loads(images)) if images else ()
        kept = tuple(Attachment(*file) for file in json.loads(files)) if files else ()
        message = ChatMessage(
            ROLES[role], content, tokens, name or "", calls, call_id or "", shown, source or "", only or "", kept
        )
        grouped.setdefault(sequence, []).append(message)
    return tuple(Turn(sequence, tuple(messages)) for sequence, messages in grouped.items())


def conversation(row: Row) -> Conversation:
    id, channel, chat, thread, customer, name, created_at, updated_at, turn, cut, summary, locale, *_ = row
    return Conversation(
        id=id,
        address=Address(channel, chat, thread),
        customer=User(customer, name),
        created_at=created_at,
        updated_at=updated_at,
        turn=turn,
        cut=cut,
        summary=summary,
        locale=locale,
    )


# --- flows ---------------------------------------------------------------------------------------------------


def state_body(state: FlowState) -> str | None:
    """JSON of a state, None for the empty one, which is not stored."""
    if state == FlowState():
        return None
    frames = [[f.flow, f.digest, f.at, f.asking, f.tries] for f in state.frames]
    return dump(
        [
            frames,
            state.slots,
            [_button(button) for button in state.offered],
            state.typed,
            state.personal,
            *((state.missed, state.unsourced) if state.missed or state.unsourced else ()),
        ]
    )


def state(body: str) -> FlowState:
    frames, slots, offered, *more = json.loads(body)
    typed, personal, missed, unsourced = (*(more or (len(offered), False)), 0, 0)[:4]
    return FlowState(
        tuple(Frame(flow, digest, tuple(at), asking, tries) for flow, digest, at, asking, tries in frames),
        slots,
        tuple(Button(*button) for button in offered),
        typed,
        personal,
        missed,
        unsourced,
    )


def journal_entry(row: Row) -> JournalEntry:
    position, kind, digest, result = row
    return JournalEntry(position, kind, digest, _load(result, None))


# --- what goes out -------------------------------------------------------------------------------------------


def reply_columns(reply: Reply, data: Mapping[str, Any] | None = None) -> tuple[str, str | None]:
    """(text, extra) of the outbox; `data` stands beside the reply."""
    extra: dict[str, Any] = {"data": data} if data else {}
    if reply.buttons:
        extra["buttons"] = [_button(button) for button in reply.buttons]
    if reply.files:
        extra["files"] = [_file(attachment) for attachment in reply.files]
    if reply.menu:
        extra["menu"] = True
    if reply.private:
        extra["private"] = True
    if reply.author:
        extra["author"] = reply.author
    return clean(reply.text), dump(extra) if extra else None


def _reply(text: str, extra: Any) -> Reply:
    if isinstance(extra, list):  # as the first edition wrote it: only the buttons
        extra = {"buttons": extra}
    return Reply(
        text,
        tuple(Button(*button) for button in extra.get("buttons", ())),
        tuple(Attachment(*file) for file in extra.get("files", ())),
        menu=extra.get("menu", False),
        private=extra.get("private", False),
        author=extra.get("author", ""),
    )


def _button(button: Button) -> list[str]:
    values = [button.id, button.label, button.value, button.press, button.url, button.style, button.asks]
    return _short(values, 3)


def _file(file: Attachment) -> list[Any]:
    return _short([file.name, file.media_type, file.size, file.url, file.ref, file.digest], 4)


def _short(values: list[Any], least: int) -> list[Any]:
    """Without the empty ones at the end, down to `least`."""
    while len(values) > least and not values[-1]:
        values.pop()
    return values


def lane(channel: str, conversation: str) -> str:
    return channel + LANE_SEPARATOR + conversation


def outgoing(row: Row) -> Outgoing:
    """From the columns of `queries.OUTGOING`; the last one, the error, is not part of the value."""
    id, owner, channel, chat, thread, kind, user, user_name, answered, part, parts, created_at, *rest = row
    text, packed, attempt, preview, place, _ = rest
    is_reply = text is not None
    extra: Any = _load(packed, {})
    return Outgoing(
        id=id,
        conversation=owner,
        address=Address(channel, chat, thread),
        lane=lane(channel, owner),
        kind=kind,
        user=User(user, user_name),
        in_reply_to=tuple(json.loads(answered)),
        part=part,
        parts=parts,
        created_at=created_at,
        reply=_reply(text, extra) if is_reply else None,
        data=(extra.get("data", {}) if isinstance(extra, dict) else {}) if is_reply else extra,
        attempt=attempt,
        preview=preview,
        place=place or "",
    )


# --- handoff, usage, trace -----------------------------------------------------------------------------------


def handoff_columns(handoff: Handoff, key: int) -> Row:
    return (
        clean(handoff.id),
        key,
        clean(handoff.reason),
        clean(handoff.detail),
        clean(handoff.summary),
        handoff.requested_at,
        handoff.deadline,
        handoff.ceiling,
        handoff.status,
        clean(handoff.agent),
        handoff.claimed_at,
        handoff.ended_at,
        handoff.noticed,
        dump(handoff.notes),
        clean(handoff.user.id),
        clean(handoff.user.name),
        clean(handoff.desk),
        clean(handoff.assignee),
        PRIORITIES.index(handoff.priority),
        _more(handoff),
    )


def _more(handoff: Handoff) -> str | None:
    """JSON of the fields without a column of their own that differ from the default."""
    plain = {name: getattr(handoff, name) for name in _HANDOFF_MORE}
    plain = {name: value for name, value in plain.items() if value}
    return dump(plain) if plain else None


def handoff(row: Row) -> Handoff:
    times_and_words, (noticed, notes, user, name, desk, assignee, priority, more) = row[:12], row[12:]
    values: dict[str, Any] = dict(zip(_HANDOFF_FIELDS, times_and_words, strict=True)) | _load(more, {})
    values |= {key: tuple(values[key]) for key in ("tags", "desks", "internal") if key in values}
    return Handoff(
        **values,
        noticed=bool(noticed),
        notes=tuple(json.loads(notes)),
        user=User(user, name),
        desk=desk,
        assignee=assignee,
        priority=PRIORITIES[priority],
    )


def usage_columns(usage: Usage) -> Row:
    """(at, model, purpose, prompt, cached, completion, cost, outcome, seconds)."""
    return (
        usage.at,
        clean(usage.model),
        clean(usage.purpose),
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.completion_tokens,
        usage.cost,
        clean(usage.outcome),
        usage.seconds,
    )


def trace_body(trace: Trace) -> bytes | None:
    """Packed JSON, None for a trace that says nothing."""
    if not trace.steps and not trace.config:
        return None
    plain = dump([trace.config, trace.steps]).encode()
    packed = zlib.compress(plain) if len(plain) > 100 else plain
    return min(plain, packed, key=len)


def trace(body: bytes) -> Trace:
    plain = body if body[:1] == b"[" else zlib.decompress(body)
    config, steps = json.loads(plain)
    return Trace(tuple(steps), config)
