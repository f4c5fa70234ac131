"""One turn's journal: which effects it has carried out, so that a crash repeats none of those that change something.

1. Results are kept in memory and written only before a tool is called: a turn without tools never writes here, and
   after a crash simply starts anew.
2. A tool with effects is marked started before its call and finished after it, in the ledger by the same transactions.
   Started without an end is asked for at its source, if the tool can do that; else it is an unknown outcome, which is
   reported and never called again.
3. A replay follows the entries while the effects are the same; where they differ, the rest is void, unless an action
   lies in it: then nobody can say what was done, and a human must look.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import TypeAdapter

from supportbot.protocols import Store
from supportbot.types import (
    AskModel,
    CallTool,
    CallTools,
    Charge,
    ChargeOutcome,
    Effect,
    Fetch,
    Fetched,
    JournalEntry,
    Lease,
    LookBack,
    LookedBack,
    ModelAnswer,
    ModelFailed,
    Place,
    Refused,
    Result,
    Search,
    SearchResult,
    TakePlace,
    ToolResult,
    ToolResults,
)

_ADAPTERS: Mapping[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in (
        *(ModelAnswer, ModelFailed, ToolResult, ToolResults, SearchResult, Fetched),
        *(AskModel, CallTool, CallTools, Search, Fetch),
        *(TakePlace, Place, LookBack, LookedBack),
    )
}
STARTED = ToolResult("", error="started")
"""What `recall` gives for an action that was started and not finished."""
UNKNOWN = ToolResult(
    "The outcome of this action is unknown: it was started before an interruption. Do not repeat it.",
    error="unknown_outcome",
)


class Diverged(Exception):
    """The replay does something else than the journal says, and an action lies in the rest of it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Opening:
    """What a turn began with, kept so that its replay begins the same way."""

    now: float
    handoff_id: str
    positions: tuple[int, ...]
    secret: str = ""


_OPENING = TypeAdapter(Opening)


_PREVIEW = -1
"""The entry of the shown message stands before all others: it is no effect."""


def shown_before(entries: tuple[JournalEntry, ...]) -> str:
    """The handle of the message that an interrupted attempt had begun to show, "" if there was none."""
    entry = next((entry for entry in entries if entry.kind == "preview"), None)
    return str(entry.result["handle"]) if entry is not None and entry.result is not None else ""


def left_open(entries: tuple[JournalEntry, ...]) -> str:
    """A sentence about an action that an interrupted attempt started or did; "" if there was none."""
    actions = [entry for entry in entries if entry.kind == "tool" and _acted(entry)]
    if not actions:
        return ""
    unfinished = sum(entry.result is None for entry in actions)
    return (
        f"Before an interruption {len(actions)} action(s) were started for this message, {unfinished} of them with an "
        "unknown outcome. Check what was done before doing it again."
    )


def _acted(entry: JournalEntry) -> bool:
    return entry.result is None or bool(entry.result.get("acted"))


class Journal:
    """Held open for one attempt at one turn."""

    def __init__(self, store: Store, lease: Lease, entries: tuple[JournalEntry, ...]) -> None:
        self._store = store
        self._lease = lease
        self._past = {entry.position: entry for entry in entries}
        self._unwritten: list[tuple[int, Effect, Result]] = []
        self._position = 0
        self._opening: Opening | None = None
        self.acted = False
        """An action took place in this attempt or before it: the turn may no longer start anew."""

    @staticmethod
    def opening_of(entries: tuple[JournalEntry, ...]) -> Opening | None:
        """What an interrupted turn began with, None if it left no journal."""
        first = next((entry for entry in entries if entry.position == 0), None)
        if first is None or first.result is None:
            return None
        return _OPENING.validate_python(dict(first.result))

    @property
    def position(self) -> int:
        """The running effect's place in the turn, from 1."""
        return self._position

    def open(self, opening: Opening) -> None:
        self._opening = opening

    def recall(self, effect: Effect) -> Result | None:
        """The stored result of the next effect, None if it is to be carried out now. Raises Diverged.

        STARTED stands for an action that was begun: whoever carries out effects finds out what it came to, or reports it.
        """
        self._position += 1
        entry = self._past.get(self._position)
        if entry is None:
            return None
        if entry.digest != digest(effect):
            self._void()
            return None
        if entry.kind == "tool" and entry.result is None:
            self.acted = True
            return STARTED
        if entry.result is None:
            return None
        if entry.result.get("acted"):
            self.acted = True
        return _decode(entry.result)

    async def shown(self, handle: str) -> None:
        """Writes what the channel calls the message in which the answer is being shown."""
        await self._store.journal(self._lease, JournalEntry(_PREVIEW, "preview", "", {"handle": handle}))

    def note(self, effect: Effect, result: Result) -> None:
        self._unwritten.append((self._position, effect, result))

    async def before(self, effect: CallTool | CallTools, charge: Charge | None = None) -> Refused | None:
        """Writes all that led to this call; with a charge, also that it starts. Nothing starts if that is refused."""
        entries: list[JournalEntry] = []
        if self._opening is not None:
            entries.append(JournalEntry(0, "start", "", _OPENING.dump_python(self._opening, mode="json")))
            self._opening = None
        for position, earlier, result in self._unwritten:
            entries.append(JournalEntry(position, _kind(earlier), digest(earlier), _encode(result)))
        self._unwritten.clear()
        # asked for at once they share a commit, and the store keeps their order
        writing = [self._store.journal(self._lease, entry) for entry in entries]
        if charge is None:
            await asyncio.gather(*writing)
            return None
        started = JournalEntry(self._position, "tool", digest(effect), None)
        *_, refused = await asyncio.gather(*writing, self._store.journal(self._lease, started, charge))
        self.acted = self.acted or refused is None
        return refused

    async def after(
        self,
        effect: CallTool | CallTools,
        result: ToolResult | ToolResults,
        settled: tuple[str, ChargeOutcome, float] | None = None,
    ) -> None:
        stored = _encode(result)
        if settled is not None:
            stored["acted"] = True
        entry = JournalEntry(self._position, "tool", digest(effect), stored)
        await self._store.journal(self._lease, entry, settled)

    def _void(self) -> None:
        rest = [entry for position, entry in self._past.items() if position >= self._position]
        self._past = {position: entry for position, entry in self._past.items() if position < self._position}
        for entry in rest:
            if entry.kind == "tool" and _acted(entry):
                raise Diverged(
                    "An action was carried out before an interruption, and the turn could not be resumed."
                )


def digest(effect: Effect) -> str:
    """Tells one effect from another; equal over processes. What a model was offered does not change what it answered."""
    if isinstance(effect, AskModel):
        effect = replace(effect, request=replace(effect.request, tools=()))
    return hashlib.blake2b(_ADAPTERS[type(effect).__name__].dump_json(effect), digest_size=16).hexdigest()


def _kind(effect: Effect) -> Literal["model", "tool", "search", "file", "place", "past"]:
    match effect:
        case AskModel():
            return "model"
        case CallTool() | CallTools():
            return "tool"
        case Fetch():
            return "file"
        case Search():
            return "search"
        case TakePlace():
            return "place"
        case LookBack():
            return "past"


def _encode(result: Result) -> dict[str, Any]:
    kind = type(result).__name__
    return {"type": kind, "value": _ADAPTERS[kind].dump_python(result, mode="json")}


def _decode(stored: Mapping[str, Any]) -> Result:
    result: Result = _ADAPTERS[stored["type"]].validate_python(stored["value"])
    return result
