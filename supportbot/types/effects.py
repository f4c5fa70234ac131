"""What the engine asks for, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from supportbot.types.authority import UNPROVEN, Consent, Identity
from supportbot.types.handoffs import LookBack, LookedBack, Place, TakePlace
from supportbot.types.messages import Attachment, User
from supportbot.types.turns import ChatMessage, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage of an article that fits a question; `source` is what to quote, `score` in 0..1, higher is better."""

    source: str
    title: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What the model is told of a tool: JSON Schema in `parameters`."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolTerms:
    """What the engine must know of a tool, beside what the model is told. Texts are one for all, or by locale.

    `confirm` True asks the customer in the house's words, a text in its own.
    """

    effects: bool = False
    public: bool = False
    confirm: bool | str | Mapping[str, str] = False
    progress: str | Mapping[str, str] = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class ModelParameters:
    """Sampling as the persona or step wants it; None leaves it to the provider."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to a model. `schema` (JSON Schema) asks for a structured answer in `ModelAnswer.text`.

    `hits` and `question` are for the offline model, which reads nothing else. `locale` is the customer's.
    """

    messages: tuple[ChatMessage, ...]
    purpose: Literal["reply", "understand", "slots", "summary", "brief"] = "reply"
    tools: tuple[ToolSpec, ...] = ()
    parameters: ModelParameters = ModelParameters()
    schema: Mapping[str, Any] | None = None
    hits: tuple[Hit, ...] = ()
    question: str = ""
    locale: str = "en"
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """The content of the images that the messages name, by digest; filled in when the request is sent."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A usable answer: text, tool calls or both; `model` is the one that gave it (a fallback's name, or "offline")."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    model: str = ""
    usage: tuple[Usage, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """Every model and retry failed; `name` is the last error's, `message` one sentence."""

    name: str
    message: str
    usage: tuple[Usage, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave: `content` as the model reads it, `value` for flows; `error` names a failure ("" = it worked).

    Errors: unknown_tool, bad_json, bad_arguments, failed, timeout, limit, unknown_outcome; of a call that may not run yet
    unverified, unconfirmed, unapproved, long, with {"arguments", "given", "digest"} in `value`; `held` once the engine has
    asked for what is missing, and `declined` if the answer was no.
    """

    content: str
    value: Any = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class SearchResult:
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class AskModel:
    """`rung` "model" is the configured model with its fallbacks, "offline" the extract. `stream`: nothing can veto it."""

    request: ModelRequest
    rung: Literal["model", "offline"] = "model"
    stream: bool = False


@dataclass(frozen=True, slots=True)
class CallTool:
    """`arguments` is JSON text from the model, or a mapping from a flow. `user` is the author it is bound to, `identity`
    who they have proven to be, `consents` what was said yes to. `key` is that of a call that waited.
    """

    name: str
    arguments: str | Mapping[str, Any]
    user: User
    call_id: str = ""
    locale: str = ""
    identity: Identity = UNPROVEN
    consents: tuple[Consent, ...] = ()
    key: str = ""
    slots: Mapping[str, Any] = field(default_factory=dict)
    """What the flow has gathered, as it stands now."""
    sealed: Mapping[str, str] = field(default_factory=dict)
    """Further arguments that stand in no record, such as a one-time code."""


@dataclass(frozen=True, slots=True)
class CallTools:
    """Calls without effects that the model asked for at once; they run side by side."""

    calls: tuple[CallTool, ...]


@dataclass(frozen=True, slots=True)
class ToolResults:
    """In the order of the calls."""

    results: tuple[ToolResult, ...]


@dataclass(frozen=True, slots=True)
class Search:
    query: str
    limit: int = 4


@dataclass(frozen=True, slots=True)
class Fetch:
    """Gets an attachment's content from its channel, or the desk `via`, and keeps it."""

    attachment: Attachment
    via: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The attachment with its digest and what its content really is; `error` is too_large, not_allowed or failed."""

    attachment: Attachment
    error: str = ""


Effect = AskModel | CallTool | CallTools | Search | Fetch | TakePlace | LookBack
Result = ModelAnswer | ModelFailed | ToolResult | ToolResults | SearchResult | Fetched | Place | LookedBack
