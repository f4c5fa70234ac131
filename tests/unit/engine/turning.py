"""A conversation kept by hand: hands the engine a TurnInput, sends it results, and goes on from its Outcome."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from supportbot import history
from supportbot.dialogue import FlowBook, Words, build
from supportbot.dialogue.grammar import FlowFile
from supportbot.engine import Moment, Script, take_turn
from supportbot.history import Limits
from supportbot.persona import Persona
from supportbot.prompts import Prompts
from supportbot.sandbox import Templates
from supportbot.texts import WORDS, text
from supportbot.types import (
    Action,
    Address,
    AskModel,
    Conversation,
    Effect,
    Event,
    FlowState,
    Handoff,
    Inbound,
    Lease,
    LookBack,
    LookedBack,
    Message,
    MessageKind,
    ModelAnswer,
    ModelFailed,
    ModelRequest,
    Outcome,
    Place,
    Result,
    SearchResult,
    TakePlace,
    ToolCall,
    ToolSpec,
    Turn,
    TurnInput,
    User,
)

NOW = 1_700_000_000.0
ANNA, BEN, AGENT = User("u-anna", "Anna"), User("u-ben", "Ben"), User("a-ana", "Ana")
DOWN = ModelFailed("unavailable", "The model is down.")
NO_HITS = SearchResult(())
FIND_ORDER = ToolSpec("find_order", "Finds an order.", {"type": "object", "properties": {}})

Answers = Sequence[Result]
_ids = itertools.count(1)


def said(key: str, **values: object) -> str:
    """A fixed text in English."""
    return text(key, "en", None, **values)


def count_words(content: str) -> int:
    return len(content.split())


def book(*sources: str) -> FlowBook:
    files = {f"flows/{at}.yaml": FlowFile.model_validate(yaml.safe_load(one)) for at, one in enumerate(sources)}
    return build(files)


def script(*flows: str, **changes: Any) -> Script:
    """A small bot with a model and these flows."""
    persona = changes.pop("persona", Persona(name="Mia", languages=("en", "de")))
    templates, flow_book = Templates({}), book(*flows)
    given: dict[str, Any] = {
        "bot_name": "Acme",
        "locale": "en",
        "persona": persona,
        "templates": templates,
        "prompts": Prompts(persona, templates, {"name": "Acme"}, flow_book.offered()),
        "book": flow_book,
        "words": Words(WORDS.cancel, WORDS.help, WORDS.human),
        "limits": Limits(),
        "count": count_words,
        "digest": "v1",
        "tools": (FIND_ORDER,),
        "has_model": True,
    }
    return Script(**{**given, **changes})


def message(words: str = "", *, user: User = ANNA, kind: MessageKind = "message", **more: Any) -> Message:
    return Message(Address("desk", "c1"), f"m{next(_ids)}", user, words, kind, **more)


def press(id: str, value: str = "", *, user: User = ANNA) -> Message:
    return message(kind="action", action=Action(id, value), user=user)


def event(name: str, **data: Any) -> Message:
    return message(kind="event", event=Event(name, data))


def timer(name: str, handoff: str) -> Message:
    return message(kind="timer", event=Event(name, {"handoff": handoff}))


def human(kind: MessageKind, words: str = "", user: User = AGENT) -> Message:
    return message(words, kind=kind, user=user)


def answer(words: str = "", *calls: ToolCall) -> ModelAnswer:
    return ModelAnswer(words, calls, "scripted")


def call(name: str, arguments: str = "{}", id: str = "") -> ToolCall:
    return ToolCall(id or f"call-{name}", name, arguments)


@dataclass(frozen=True)
class Played:
    """One turn: what it asked for, and what it came to."""

    outcome: Outcome
    effects: tuple[Effect, ...]

    @property
    def texts(self) -> list[str]:
        return [reply.text for reply in self.outcome.replies]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.outcome.events]

    @property
    def asked(self) -> list[ModelRequest]:
        """What the model was asked, on any rung."""
        return [effect.request for effect in self.effects if isinstance(effect, AskModel)]

    @property
    def steps(self) -> list[Any]:
        return [step["step"] for step in self.outcome.trace.steps]


def play(start: TurnInput, bot: Script, moment: Moment, results: Answers = ()) -> Played:
    """Drives one turn; the results must be as many as the turn has effects."""
    given = list(results)

    def result(effect: Effect) -> Result:
        assert given, f"no result is left for {effect!r}"
        return given.pop(0)

    played = drive(start, bot, moment, result)
    assert not given, f"{len(given)} results were not asked for"
    return played


def first_agent(asked: TakePlace) -> Place:
    """A line in which nobody stands, and the first agent has room."""
    return Place(agent=asked.agents[0][0] if asked.agents else "")


def drive(
    start: TurnInput,
    bot: Script,
    moment: Moment,
    result: Callable[[Effect], Result],
    place: Callable[[TakePlace], Place] = first_agent,
) -> Played:
    """Drives one turn with whatever `result` makes of each effect; desks and the past answer by themselves."""
    effects: list[Effect] = []
    turn = take_turn(start, bot, moment)
    try:
        effect = next(turn)
        while True:
            if isinstance(effect, LookBack):
                effect = turn.send(LookedBack())
            elif isinstance(effect, TakePlace):
                effect = turn.send(place(effect))
            else:
                effects.append(effect)
                effect = turn.send(result(effect))
    except StopIteration as stop:
        return Played(stop.value, tuple(effects))


@dataclass
class Chat:
    """Keeps what a store would keep between two turns; checks that each stored turn is sound."""

    bot: Script
    conversation: Conversation = field(
        default_factory=lambda: Conversation("c_1", Address("desk", "c1"), ANNA, NOW, NOW)
    )
    turns: tuple[Turn, ...] = ()
    states: dict[str, FlowState] = field(default_factory=dict)
    handoff: Handoff | None = None
    now: float = NOW

    def say(self, *texts: str, user: User = ANNA, results: Answers = (), **moment: Any) -> Played:
        return self.take(*(message(one, user=user) for one in texts), results=results, **moment)

    def take(self, *messages: Message, results: Answers = (), **moment: Any) -> Played:
        """One turn over these pending messages."""
        start = self.start(*messages)
        handed = {"now": self.now, "handoff_id": f"h_{start.lease.sequence}", **moment}
        played = play(start, self.bot, Moment(**handed), results)
        self.commit(start, played.outcome)
        return played

    def in_flow(self, user: User = ANNA) -> bool:
        return bool(self.states.get(user.id, FlowState()).frames)

    def start(self, *messages: Message) -> TurnInput:
        lease = Lease("c_1", self.conversation.turn + 1, 1, self.now + 90)
        pending = tuple(Inbound(at, one, self.now) for at, one in enumerate(messages, 1))
        authors = {one.user.id for one in messages} | ({self.handoff.user.id} if self.handoff else set())
        return TurnInput(
            lease=lease,
            conversation=self.conversation,
            pending=pending,
            turns=tuple(turn for turn in self.turns if turn.sequence > self.conversation.cut),
            states={author: state for author, state in self.states.items() if author in authors},
            handoff=self.handoff if self.handoff and self.handoff.open else None,
            ended=self.handoff if self.handoff and not self.handoff.open else None,
            journal=(),
        )

    def commit(self, start: TurnInput, outcome: Outcome) -> None:
        assert history.sound(outcome.turn) == outcome.turn, "a call without its result, or a stray result"
        assert all(one.content.strip() or one.tool_calls for one in outcome.turn if one.role == "assistant")
        self.turns = (*self.turns, Turn(start.lease.sequence, outcome.turn))
        self.states = {**({} if outcome.reset else self.states), **outcome.states}
        self.handoff = outcome.handoff or self.handoff
        old = self.conversation
        self.conversation = replace(
            old,
            turn=start.lease.sequence,
            cut=old.cut if outcome.cut is None else outcome.cut,
            summary=old.summary if outcome.summary is None else outcome.summary,
            locale=outcome.locale or old.locale,
        )
