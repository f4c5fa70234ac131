"""Everything the engine is handed besides the conversation: what the bot's files say, compiled once per config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from supportbot import texts
from supportbot.dialogue import FlowBook, Words
from supportbot.engine.terms import HandoffTerms
from supportbot.history import Limits
from supportbot.persona import Persona
from supportbot.prompts import Prompts
from supportbot.sandbox import Templates
from supportbot.types import ToolSpec, ToolTerms

MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Proofs:
    """How customers prove who they are: the flow that asks, the tool that sends a code, and how long each lasts (s)."""

    flow: str = ""
    send_code: str = ""
    code_lasts: float = 600.0
    lasts: float = 1_800.0


@dataclass(frozen=True, slots=True)
class Script:
    """One version of the bot. `digest` names the version in traces; `has_model` is False when no key was found.

    `count` gives a text's tokens.
    `max_calls` bounds the model calls of one turn, `max_tool_calls` the tools it calls. A question whether a call may run
    is open for `consent_lasts` seconds, to a human for `approval_lasts`. `overdue` says what ends a message that nobody answered in time.
    """

    bot_name: str
    locale: str
    persona: Persona
    templates: Templates
    prompts: Prompts
    book: FlowBook
    words: Words
    limits: Limits
    count: Callable[[str], int]
    digest: str
    tools: tuple[ToolSpec, ...] = ()
    has_model: bool = False
    has_articles: bool = False
    terms: Mapping[str, ToolTerms] = field(default_factory=dict)
    """What holds for each tool. After any but a public one's result a reply in a shared place is for the customer alone."""
    proofs: Proofs = field(default_factory=lambda: Proofs())
    consent_lasts: float = 900.0
    approval_lasts: float = 86_400.0
    sees: bool = False
    """The model is shown the pictures that customers send."""
    handoff: HandoffTerms = field(default_factory=lambda: HandoffTerms())
    max_calls: int = 24
    max_tool_calls: int = 60
    max_message_chars: int = 8_000
    overdue: str = "handoff"
    region: str = "US"
    overrides: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)

    def text(self, key: str, locale: str, **values: object) -> str:
        """A fixed text in the customer's language, the persona's own wording first."""
        return texts.text(key, locale, self.overrides, **values)

    def in_language(self, by_locale: Mapping[str, str], locale: str) -> str:
        """The text in the customer's language, the bot's, or any."""
        for wanted in (locale, locale.partition("-")[0], "", self.locale, self.locale.partition("-")[0]):
            if wanted in by_locale:
                return by_locale[wanted]
        return next(iter(by_locale.values()), "")

    def is_public(self, tool: str) -> bool:
        """Whether anyone may read what the tool gives."""
        return tool in self.terms and self.terms[tool].public


@dataclass(frozen=True, slots=True)
class Moment:
    """What a turn may know of the outside: the time and fresh ids, fixed for the turn and all its replays."""

    now: float
    handoff_id: str
    secret: str = ""
    attempt: int = 1
    overdue: bool = False
    unsure: str = ""
    """Set when an action's outcome is unknown and the turn cannot be replayed: a sentence for the agent."""

    @property
    def given_up(self) -> bool:
        """The turn is only brought to an end: nothing is looked up or asked any more."""
        return bool(self.unsure) or self.overdue or self.attempt > MAX_ATTEMPTS

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)
