"""What of the past the model sees. Rules:

1. Nothing is cut until past and incoming exceed `max_tokens`; then whole turns go, oldest first, until at most
   `keep_tokens` are left. Between two cuts every past begins with the one before it: the provider's cache stays warm.
2. What a turn looks like in the past depends on the turn and the limits alone, never on its neighbours.
3. A call asked for by the model is followed by exactly one result each, whatever is stored.
4. Work is in proportion to the turns handed in, and text is counted only where something has to be shortened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from supportbot import tokens
from supportbot.recap import extract_summary, summary_request
from supportbot.types import ChatMessage, ToolCall, Turn

__all__ = ["Count", "Limits", "Window", "extract_summary", "fit", "size", "sound", "summary_request", "window"]

Count = Callable[[str], int]

UNKNOWN = "The outcome of this call is unknown: it may or may not have taken effect. Do not repeat it; say so, or hand over."
_UNKNOWN_TOKENS = 40
_SUMMARY_TOKENS = 600
_LEAST = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens of history: over `max_tokens` it is cut to `keep_tokens`. `summary` says what becomes of the rest."""

    max_tokens: int = 6_000
    keep_tokens: int = 3_000
    summary: Literal["extract", "model", "off"] = "extract"

    @property
    def summary_tokens(self) -> int:
        """The room for the rolling summary."""
        return 0 if self.summary == "off" else min(_SUMMARY_TOKENS, max(self.keep_tokens // 4, 1))

    def __post_init__(self) -> None:
        if not 1 <= self.keep_tokens <= self.max_tokens:
            raise ValueError("history: keep_tokens must be between 1 and max_tokens")


@dataclass(frozen=True, slots=True)
class Window:
    """`past` is what the model sees. `cut` is the last turn that falls out now, None if none does; `dropped` has them."""

    past: tuple[ChatMessage, ...]
    cut: int | None = None
    dropped: tuple[Turn, ...] = ()


def size(messages: Sequence[ChatMessage]) -> int:
    """The tokens of the messages as sent, by their stored counts."""
    return sum(message.tokens + tokens.OVERHEAD for message in messages)


def window(
    turns: Sequence[Turn], *, summary: str, limits: Limits, incoming: int, count: Count = tokens.count
) -> Window:
    """The past for a turn whose own messages have `incoming` tokens; `turns` are those after the last cut, in order.

    The past fits `max_tokens` together with the summary and what comes in, as long as these alone do.
    """
    shown = [_shown(turn, limits.keep_tokens, count) for turn in turns]
    sizes = [size(messages) for messages in shown]
    others = incoming + tokens.OVERHEAD + (count(summary) + tokens.OVERHEAD if summary else 0)
    if sum(sizes) + others <= limits.max_tokens:
        return Window(_joined(shown))
    # the summary that this cut is going to make may be longer than the one before
    reserve = max(others, incoming + 2 * tokens.OVERHEAD + limits.summary_tokens)
    first = _first_kept(sizes, min(limits.keep_tokens, limits.max_tokens - reserve))
    if not first:
        return Window(_joined(shown))
    return Window(_joined(shown[first:]), turns[first - 1].sequence, tuple(turns[:first]))


def _first_kept(sizes: Sequence[int], room: int) -> int:
    left = sum(sizes)
    for first, own in enumerate(sizes):
        if left <= room:
            return first
        left -= own
    return len(sizes)


def _joined(turns: Sequence[tuple[ChatMessage, ...]]) -> tuple[ChatMessage, ...]:
    return tuple(message for turn in turns for message in turn)


def _counted(message: ChatMessage, count: Count) -> ChatMessage:
    """The message with its tokens, which most have stored."""
    if message.tokens or not (message.content or message.tool_calls):
        return message
    size = count(message.content) + _calls(message, count) + len(message.images) * tokens.IMAGE
    return replace(message, tokens=size)


def _calls(message: ChatMessage, count: Count) -> int:
    return sum(count(call.name + call.arguments) for call in message.tool_calls)


# --- soundness -----------------------------------------------------------------------------------------------


def sound(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The messages with each call followed by its result; a lost result is told as unknown, a stray one is dropped."""
    results: dict[str, deque[tuple[int, ChatMessage]]] = {}
    for at, message in enumerate(messages):
        if message.role == "tool":
            results.setdefault(message.tool_call_id, deque()).append((at, message))
    found: list[ChatMessage] = []
    for at, message in enumerate(messages):
        if message.role == "tool":
            continue
        found.append(message)
        if message.role == "assistant":
            found += [_result(call, at, results) for call in message.tool_calls]
    return tuple(found)


def _result(call: ToolCall, at: int, results: dict[str, deque[tuple[int, ChatMessage]]]) -> ChatMessage:
    waiting = results.get(call.id, deque())
    while waiting:
        position, message = waiting.popleft()
        if position > at:
            return message
    return ChatMessage("tool", UNKNOWN, _UNKNOWN_TOKENS, tool_call_id=call.id)


# --- what is too large ---------------------------------------------------------------------------------------


def fit(message: ChatMessage, limit: int, count: Count) -> ChatMessage:
    """The message with at most `limit` tokens of content: its beginning and end, and how much is left out between.

    The arguments of calls are JSON and are never cut.
    """
    message = _counted(message, count)
    if message.tokens <= limit:
        return message
    fixed = _calls(message, count) + len(message.images) * tokens.IMAGE
    total = max(message.tokens - fixed, 0)
    content, used = _shortened(message.content, total, max(limit - fixed, 0), count)
    return replace(message, content=content, tokens=used + fixed)


def _shortened(text: str, total: int, limit: int, count: Count) -> tuple[str, int]:
    """(text, its tokens) within the limit. `total` is the tokens of the whole."""
    room = min(len(text), limit * 6, len(text) * limit // max(total, 1) + 1)
    while room > 0:
        head, tail = text[: room - room // 3], text[len(text) - room // 3 :]
        left_out = max(total - count(head) - count(tail), 1)
        shown = text if room == len(text) else f"{head} [… {left_out} tokens left out …] {tail}"
        used = count(shown)
        if used <= limit:
            return shown, used
        # aim at what is over, and a little more, so that a few rounds are enough
        room = min(room * 9 // 10, room * limit // max(used, 1))
    mark = f"[… {total} tokens left out …]"
    return (mark, count(mark)) if count(mark) <= limit else ("", 0)


def _shown(turn: Turn, limit: int, count: Count) -> tuple[ChatMessage, ...]:
    """The turn as the past shows it: sound, and never larger than `limit`; pictures and tool results give way first."""
    if all(message.tokens and message.role in ("user", "assistant") for message in turn.messages):
        plain = not any(message.tool_calls for message in turn.messages)
        if plain and size(turn.messages) <= limit:
            return turn.messages
    messages = tuple(_counted(message, count) for message in sound(turn.messages))
    if size(messages) <= limit:
        return messages
    messages = tuple(_without_images(message) for message in messages)
    if size(messages) <= limit:
        return messages
    for roles in (("tool",), ("tool", "user", "system"), ("tool", "user", "system", "assistant")):
        fitted = _fitted(messages, roles, limit, count)
        if fitted is not None:
            return fitted
    return _ends(messages, limit, count)


def _without_images(message: ChatMessage) -> ChatMessage:
    """Their names stay in the text."""
    if not message.images:
        return message
    return replace(message, images=(), tokens=max(message.tokens - len(message.images) * tokens.IMAGE, 1))


def _fitted(
    messages: Sequence[ChatMessage], roles: tuple[str, ...], limit: int, count: Count
) -> tuple[ChatMessage, ...] | None:
    """The messages of these roles share what the others leave; None if that is too little to be of use."""
    sizes = [message.tokens for message in messages if message.role in roles]
    room = limit - (size(messages) - sum(sizes))
    share = _share(sizes, max(room, 0))
    if share < min(_LEAST, max(sizes, default=0)):
        return None
    fitted = tuple(fit(message, share, count) if message.role in roles else message for message in messages)
    return fitted if size(fitted) <= limit else None


def _share(sizes: Sequence[int], room: int) -> int:
    """The largest limit for each at which all together fit into the room."""
    left, share = room, 0
    for done, own in enumerate(sorted(sizes)):
        share = left // (len(sizes) - done)
        if own > share:
            return share
        left -= own
    return max(sizes, default=share)


def _ends(messages: Sequence[ChatMessage], limit: int, count: Count) -> tuple[ChatMessage, ...]:
    """Of a turn with too many calls only what was asked first and said last, without the calls between."""
    said = [message for message in messages if message.role in ("user", "assistant") and message.content]
    kept = [replace(message, tool_calls=()) for message in dict.fromkeys([*said[:1], *said[-1:]])]
    share = max(limit // max(len(kept), 1) - tokens.OVERHEAD, 0)
    fitted = (fit(replace(message, tokens=count(message.content)), share, count) for message in kept)
    return tuple(_within(fitted, limit))


def _within(messages: Iterator[ChatMessage], limit: int) -> Iterator[ChatMessage]:
    for message in messages:
        limit -= message.tokens + tokens.OVERHEAD
        if message.content and limit >= 0:
            yield message
