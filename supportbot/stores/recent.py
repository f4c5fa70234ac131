"""The turns of the conversations that were active last, so that a turn need not read its past from the file again.

The database stays the truth: what is remembered counts only for the committed turn it was remembered at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from supportbot.stores.codec import clean
from supportbot.types import ChatMessage, Turn

_MOST_MESSAGES = 50_000

Past = tuple[int, tuple[Turn, ...]]
"""(the last committed turn, the turns handed to the next one)."""


class Recent:
    """At most `most` messages in all; the conversation that was used longest ago goes first."""

    def __init__(self, most: int = _MOST_MESSAGES) -> None:
        self._most = most
        self._held = 0
        self._pasts: OrderedDict[str, Past] = OrderedDict()

    def get(self, conversation: str) -> Past | None:
        return self._pasts.get(conversation)

    def put(self, conversation: str, turn: int, turns: tuple[Turn, ...]) -> None:
        self.drop(conversation)
        self._pasts[conversation] = (turn, turns)
        self._held += _messages(turns)
        while self._held > self._most:
            self.drop(next(iter(self._pasts)))

    def add(self, conversation: str, sequence: int, said: Sequence[ChatMessage], cut: int | None) -> None:
        """What a commit added; forgotten instead if the file holds it in other words or a turn is missing here."""
        known = self._pasts.get(conversation)
        if known is None or known[0] != sequence - 1 or not all(_as_stored(message) for message in said):
            self.drop(conversation)
            return
        turns = (*known[1], Turn(sequence, tuple(said))) if said else known[1]
        self.put(conversation, sequence, tuple(turn for turn in turns if turn.sequence > (cut or 0)))

    def drop(self, conversation: str) -> None:
        past = self._pasts.pop(conversation, None)
        if past is not None:
            self._held -= _messages(past[1])


def _messages(turns: tuple[Turn, ...]) -> int:
    return 1 + sum(len(turn.messages) for turn in turns)


def _as_stored(message: ChatMessage) -> bool:
    return not message.tool_calls and all(
        clean(text) == text for text in (message.content, message.name, message.tool_call_id)
    )
