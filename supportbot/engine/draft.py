"""The turn in the making: collects what was decided, and gives the Outcome at the end."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from supportbot import tokens
from supportbot.consent import is_seen
from supportbot.engine.arriving import OUTSIDE, folded, pressed
from supportbot.engine.script import Moment, Script
from supportbot.types import (
    UNPROVEN,
    Action,
    Attachment,
    Button,
    ChatMessage,
    FlowState,
    HandOff,
    Handoff,
    Identity,
    Inbound,
    Message,
    Outcome,
    OutgoingKind,
    Post,
    Reply,
    Result,
    Standing,
    Timer,
    ToolCall,
    ToolResult,
    Trace,
    Turn,
    TurnInput,
    Usage,
    User,
    WaitingCall,
)


@dataclass(frozen=True, slots=True)
class Opening:
    """A handoff that this turn has opened and not settled yet: why, and what the customer is told (`notice` is a text's
    key, `say` a rule's own words by locale). `quiet`: nothing, a human is there or tells them."""

    command: HandOff
    notice: str = "handoff_told"
    say: Mapping[str, str] = field(default_factory=dict)
    reopened: bool = False
    quiet: bool = False


EDITED = "[changed an earlier message to:]"
_MOST_OFFERED = 60
_LASTING = "handoff."
_PRIVATE = "p"
"""Ends the press of a button that only its customer was shown: what follows is for them alone too."""


def _said(batch: tuple[Inbound, ...], start: TurnInput) -> tuple[Inbound, ...]:
    """What the rows come to: presses with their buttons, edits in their places, and nothing that changes nothing."""
    rows = []
    for row in batch:
        state = start.states.get(row.message.user.id, FlowState())
        rows.append(replace(row, message=pressed(row.message, state)))
    return tuple(row for row in folded(rows) if not _known(row.message, start.turns))


def _owned(start: TurnInput, first: Message) -> User:
    """Whom a human's or a timer's turn is about: who was handed over, else the conversation's customer."""
    handoff, ended = start.handoff, start.ended
    if handoff is None and ended is not None and first.event is not None:
        handoff = ended if first.event.data.get("handoff") == ended.id else None
    return handoff.user if handoff is not None and handoff.user.id else start.conversation.customer


def _known(change: Message, turns: tuple[Turn, ...]) -> bool:
    """Whether an edit changes nothing of what history has: platforms report edits that a bot cannot see."""
    if change.kind != "message.edited" or change.attachments:
        return False
    latest = [one.content for turn in turns for one in turn.messages if one.source == change.target]
    return bool(latest) and latest[-1].removeprefix(f"{EDITED} ") == change.text


def _readable(turn: Turn, author: User) -> Turn:
    """The turn without what only somebody else may read."""
    if not any(message.only for message in turn.messages):
        return turn
    return replace(turn, messages=tuple(one for one in turn.messages if one.only in ("", author.id)))


def _lasting(buttons: tuple[Button, ...]) -> tuple[Button, ...]:
    """Those that can be pressed also when something else was said since: the ways out of a line, and the stars."""
    return tuple(button for button in buttons if button.id.startswith(_LASTING))[-20:]


def _call_id(message: Message) -> str:
    """The waiting call that a row of the house's own is about."""
    about = message.event.data.get("call") if message.event is not None else None
    return about if message.kind in ("timer", "call") and isinstance(about, str) else ""


def _is_private(action: Action | None) -> bool:
    return action is not None and action.press.endswith(_PRIVATE)


@dataclass(slots=True)
class Signs:
    """How the turn went, for the rules by which a human is called.

    `rests`: the answer rests on an article, a tool or a flow; `flowed`: a flow has gone on. `confidence` is the best
    article's score in this turn's search, None if there was none. `unanswered`: the customer's question is still open.
    """

    misunderstood: bool = False
    unanswered: bool = False
    flowed: bool = False
    rests: bool = False
    confidence: float | None = None


class Draft:
    """Mutable on purpose, and alive for one turn only; `outcome()` freezes it."""

    def __init__(self, start: TurnInput, batch: tuple[Inbound, ...], script: Script, moment: Moment) -> None:
        self.start = start
        self.consumed = tuple(inbound.position for inbound in batch)
        self.script = script
        self.moment = moment
        first = batch[0].message
        self.calls: dict[str, WaitingCall] = {call.id: call for call in start.calls}
        """The conversation's waiting calls, by id, as they stand now."""
        self.behind: list[Reply] = []
        """What is said behind the flow's own words."""
        waited = self.calls.get(_call_id(first))
        self.author: User = first.user if first.kind in OUTSIDE else _owned(start, first)
        if waited is not None:
            self.author = User(waited.author, waited.author_name)
        self.learned = next((row.message.locale for row in reversed(batch) if row.message.locale), "")
        self.locale = self.learned or start.conversation.locale or script.locale
        self.state: FlowState = start.states.get(self.author.id, FlowState())
        self.came = self.state
        """Where the author stood when the turn began."""
        self.batch = _said(batch, start)
        self.turns = start.turns
        self.shared = any(row.message.shared for row in batch) or (waited is not None and waited.shared)
        self.personal = self._keep_apart(first)
        """Something that only the customer may read has been looked up, or was pressed."""
        self.standing = start.standings.get(self.author.id, Standing())
        self.tool_calls = 0
        self.misread: Counter[str] = Counter()
        """How often the model gave a tool arguments that do not fit."""
        self.read = False
        """A model has read the turn, so it is the model's to speak of what it was not shown."""
        self.unread: tuple[tuple[Attachment, str], ...] = ()
        self.offered: tuple[Button, ...] = ()
        self.typed = 0
        self.withdrawn: list[str] = []
        self.handoff = start.handoff
        self.opening: Opening | None = None
        self.posts: list[Post] = []
        self.signs = Signs()
        self.turn: list[ChatMessage] = []
        self.past: tuple[ChatMessage, ...] = ()
        self.recap = start.conversation.summary
        self.replies: list[Reply] = []
        self.summary: str | None = None
        self.cut: int | None = None
        self._standing = self.standing
        self.known: dict[str, str] = {}
        """The author's identity as flows see it: one and the same mapping for the whole turn."""
        self._fresh = 0
        self._changed_calls: dict[str, WaitingCall] = {}
        self._states: dict[str, FlowState] = {}
        self._reset = False
        self._events: list[tuple[OutgoingKind, Mapping[str, Any]]] = []
        self._timers: list[Timer] = []
        self._stop_timers: list[str] = []
        self._usage: list[Usage] = []
        self._trace: list[Mapping[str, Any]] = []
        for row in self.batch:
            if row.message.identity is not None and row.message.user.id == self.author.id:
                self.standing = replace(self.standing, identity=row.message.identity)
        self.prove(self.standing)

    def _keep_apart(self, first: Message) -> bool:
        """Leaves out of the past what only others may read; whether the turn itself is for its author alone."""
        secret = False
        if self.shared or first.kind not in OUTSIDE:
            self.turns = tuple(_readable(turn, self.author) for turn in self.turns)
            secret = any(message.only for turn in self.turns for message in turn.messages)
            # nothing is kept back but in a shared place, so a human's turn is in one if anything is
            self.shared = self.shared or secret
        pressed = any(_is_private(row.message.action) for row in self.batch)
        return pressed or (self.shared and (self.state.personal or secret))

    # what is said
    def text(self, key: str, **values: object) -> str:
        return self.script.text(key, self.locale, **values)

    def learn(self, locale: str) -> None:
        """The customer's own words show their language."""
        if locale:
            self.learned = self.locale = locale

    def hear(self, message: Message, content: str, images: tuple[str, ...] = ()) -> None:
        """Puts the customer's words into the turn; other people in a shared place keep their names."""
        user = message.user
        only = user.id if self.shared and _is_private(message.action) else ""
        name = "" if user.id == self.start.conversation.customer.id else user.name or user.id
        size = self.script.count(content) + len(images) * tokens.IMAGE
        self.turn.append(
            ChatMessage(
                "user",
                content,
                size,
                name=name,
                images=images,
                source=message.target or message.id,
                only=only,
                files=message.attachments,
            )
        )

    def say(self, reply: Reply, *, name: str = "") -> None:
        """One message to the customer, and into history; without any words there is nothing to send."""
        if not is_seen(reply.text) and not reply.buttons and not reply.files:
            self.trace("empty reply", reason="its text came out empty")
            return
        reply = self.addressed(replace(reply, author=name) if name else reply)
        self.replies.append(reply)
        self.offered += reply.choices
        self.typed = len(reply.choices)
        content = reply.text
        if reply.buttons:
            content += "\n[choices: " + " | ".join(button.label for button in reply.buttons) + "]"
        size = self.script.count(content)
        self.turn.append(ChatMessage("assistant", content, size, name=name, files=reply.files))

    def addressed(self, reply: Reply) -> Reply:
        """The reply with what its buttons are pressed by, and for the customer alone if it must be."""
        place = f"{self._press}.{len(self.replies)}"
        private = reply.private or (self.shared and self.personal)
        mark = _PRIVATE if private else ""
        buttons = tuple(
            replace(button, press=f"{place}.{number}{mark}") for number, button in enumerate(reply.buttons)
        )
        return replace(reply, buttons=buttons, private=private)

    @property
    def _press(self) -> str:
        """One word for all buttons of this turn, the same in every replay of it."""
        return hashlib.blake2b(self.moment.handoff_id.encode(), digest_size=8).hexdigest()

    def note(self, content: str) -> None:
        """Something the model should know later, said to nobody."""
        self.turn.append(ChatMessage("system", content, self.script.count(content)))

    def unsay(self, calls: tuple[ToolCall, ...]) -> None:
        """What the model said beside these calls was not sent, so it was not said."""
        self.turn = [replace(one, content="") if one.tool_calls == calls else one for one in self.turn]

    def called(self, text: str, calls: tuple[ToolCall, ...]) -> None:
        size = self.script.count(text) + sum(self.script.count(call.name + call.arguments) for call in calls)
        self.turn.append(ChatMessage("assistant", text, size, tool_calls=calls))

    def returned(self, call_id: str, content: str) -> None:
        self.turn.append(ChatMessage("tool", content, self.script.count(content), tool_call_id=call_id))

    def looked_up(self, tool: str, result: Result) -> None:
        """From here on the turn may know something of its author that others must not read."""
        found = not isinstance(result, ToolResult) or result.error or result.value not in (None, "", [], {})
        if found and not self.script.is_public(tool):
            self.personal = True

    def forget_pictures(self) -> None:
        """The model does not take them: it goes on with the words, and the history keeps those only."""
        self.past = tuple(replace(message, images=()) for message in self.past)
        self.turn = [replace(message, images=()) for message in self.turn]

    # who the author is, and what waits
    @property
    def identity(self) -> Identity:
        """Who the author has proven to be."""
        known = self.standing.identity
        return known if known.holds(self.moment.now) else UNPROVEN

    def prove(self, standing: Standing) -> None:
        """This is who the author is from now on. Somebody else than before must not find what was said to that one."""
        before = self._standing.identity.customer
        if before and standing.identity.customer not in ("", before):
            self._forget(before)
        self.standing = standing
        self.known.update(customer=self.identity.customer, name=self.identity.name)

    def _forget(self, customer: str) -> None:
        self.trace("forgotten", reason="somebody else has proven who they are", before=customer)
        self.turns, self.past, self.recap, self.summary = (), (), "", ""
        self.cut = self.start.conversation.turn
        for call in list(self.calls.values()):
            if call.author == self.author.id and call.status == "waiting" and call.waits_for != "tool":
                self.change_call(replace(call, status="dropped"))
                self.stop(f"call.{call.id}")

    def change_call(self, call: WaitingCall) -> WaitingCall:
        self.calls[call.id] = self._changed_calls[call.id] = call
        return call

    def fresh(self, prefix: str) -> str:
        """A random id that is the same in every replay of the turn."""
        self._fresh += 1
        seed = f"{self.moment.secret or self.moment.handoff_id} {self._fresh}"
        return f"{prefix}_{hashlib.blake2b(seed.encode(), digest_size=16).hexdigest()}"

    # what is remembered
    def trace(self, step: str, **facts: object) -> None:
        self._trace.append({"step": step, **facts})

    @property
    def steps(self) -> tuple[Mapping[str, Any], ...]:
        """What was traced so far."""
        return tuple(self._trace)

    def traces(self, steps: tuple[Mapping[str, Any], ...]) -> None:
        self._trace.extend(steps)

    def spend(self, usage: tuple[Usage, ...]) -> None:
        self._usage.extend(usage)

    def event(self, kind: OutgoingKind, data: Mapping[str, Any]) -> None:
        self._events.append((kind, data))

    def wake(self, timer: Timer) -> None:
        self._timers.append(timer)

    def stop(self, *names: str) -> None:
        self._timers = [timer for timer in self._timers if timer.name not in names]
        self._stop_timers.extend(names)

    def move(self, state: FlowState) -> None:
        """The author's new place in the flows."""
        self.state = state
        self._states[self.author.id] = state

    def leave_flows(self) -> None:
        """Everyone's flows end: a human has the conversation now. The author's ways out and stars can still be pressed."""
        self._reset = True
        self._states.clear()
        self.state = FlowState(offered=_lasting(self.came.offered))
        if self.state.offered:
            self.move(self.state)

    def change_handoff(self, **changes: Any) -> Handoff:
        if self.handoff is None:
            raise AssertionError("no handoff to change")
        self.handoff = replace(self.handoff, **changes)
        return self.handoff

    def outcome(self) -> Outcome:
        if self.shared and self.personal:
            self.turn = [replace(one, only=self.author.id) if one.role != "user" else one for one in self.turn]
            if self.start.pending[0].message.kind in OUTSIDE:
                self.move(replace(self.state, personal=True))
        offered = (*_lasting(self.came.offered), *self.offered)[-_MOST_OFFERED:]
        if self.replies and (self.state.offered, self.state.typed) != (offered, self.typed):
            self.move(replace(self.state, offered=offered, typed=self.typed))
        changed = self.handoff if self.handoff != self.start.handoff else None
        return Outcome(
            consumed=self.consumed,
            turn=tuple(self.turn),
            replies=tuple(self.replies),
            events=tuple(self._events),
            posts=tuple(self.posts),
            states=dict(self._states),
            reset=self._reset,
            handoff=changed,
            timers=tuple(self._timers),
            stop_timers=tuple(self._stop_timers),
            usage=tuple(self._usage),
            trace=Trace(tuple(self._trace), self.script.digest),
            cut=self.cut,
            summary=self.summary,
            standings={self.author.id: self.standing} if self.standing != self._standing else {},
            calls=tuple(self._changed_calls.values()),
            user=self.author,
            withdrawn=tuple(self.withdrawn),
            locale=self.learned if self.learned not in ("", self.start.conversation.locale) else None,
            unanswered=self.signs.unanswered,
        )
