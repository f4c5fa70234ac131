"""What of the past the model sees in this turn, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from supportbot import history
from supportbot.engine.draft import Draft
from supportbot.engine.talk import Steps
from supportbot.types import AskModel, ChatMessage, Effect, ModelAnswer, ModelRequest, Result, Turn


def trim(draft: Draft) -> Steps:
    """Chooses what of the past the model sees; what falls out goes into the rolling summary if the config says so."""
    script, recap = draft.script, draft.recap
    window = history.window(
        draft.turns,
        summary=recap,
        limits=script.limits,
        incoming=sum(message.tokens for message in draft.turn),
        count=script.count,
    )
    draft.past = window.past
    if window.cut is None:
        return
    draft.cut = window.cut
    draft.trace("trimmed", turns=len(window.dropped), cut=window.cut)
    if script.limits.summary == "off":
        return
    dropped = tuple(_for_all(turn) for turn in window.dropped)
    summary = history.extract_summary(recap, dropped, count=script.count, limit=script.limits.summary_tokens)
    if script.limits.summary == "model" and script.has_model:
        summary = (yield from _model_summary(draft, dropped)) or summary
    draft.recap = draft.summary = summary


def _for_all(turn: Turn) -> Turn:
    """What of a turn may stand in the summary, which all who write here share."""
    return replace(turn, messages=tuple(message for message in turn.messages if not message.only))


def _model_summary(draft: Draft, dropped: Sequence[Turn]) -> Generator[Effect, Result, str]:
    messages = history.summary_request(draft.recap, dropped)
    result = yield AskModel(ModelRequest(messages, purpose="summary", locale=draft.locale))
    if not isinstance(result, ModelAnswer):
        draft.spend(getattr(result, "usage", ()))
        return ""
    draft.spend(result.usage)
    limits = draft.script.limits
    return history.fit(ChatMessage("system", result.text), limits.summary_tokens, draft.script.count).content
