"""Conversation with the model: articles in, tools in a loop, and the ladder when it fails."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from supportbot.dialogue import waiting
from supportbot.engine import desk
from supportbot.engine.decisions import RESERVED, decision, offered_tools
from supportbot.engine.draft import Draft
from supportbot.prompts import Situation
from supportbot.types import (
    AskModel,
    CallTool,
    Command,
    Effect,
    HandOff,
    Hit,
    ModelAnswer,
    ModelFailed,
    ModelRequest,
    Reply,
    Result,
    Search,
    SearchResult,
    ToolResult,
)

Steps = Generator[Effect, Result, Any]

_EMPTY = ModelFailed("empty", "The answer has neither words nor calls.")


def situation(draft: Draft, hits: tuple[Hit, ...]) -> Situation:
    script = draft.script
    return Situation(
        bot_name=script.bot_name,
        persona=script.persona,
        user=draft.author,
        channel=draft.start.conversation.address.channel,
        locale=draft.locale,
        slots=draft.state.slots,
        now=draft.moment.at,
        passages=hits,
        flows=script.book.offered(),
        note=_asking(draft),
    )


def converse(draft: Draft, question: str) -> Generator[Effect, Result, Command | None]:
    """Answers free words. Returns a command when there is more to do than words can, else None."""
    hits = yield from _search(draft, question)
    if not draft.script.has_model:
        if not (yield from _offline(draft, question, hits)):
            desk.open_handoff(draft, HandOff("no_answer"))
        return None
    for _ in range(draft.script.max_calls):
        result = yield AskModel(_request(draft, question, hits), stream=True)
        draft.spend(getattr(result, "usage", ()))
        if not isinstance(result, ModelAnswer):
            if _sent_pictures(draft) and isinstance(result, ModelFailed) and result.name == "refused":
                draft.trace("model failed", failed="refused", message="the model was shown a picture")
                draft.forget_pictures()
                continue
            return (yield from _ladder(draft, question, hits, result))
        if not result.text.strip() and not result.tool_calls:
            return (yield from _ladder(draft, question, hits, _EMPTY))
        draft.trace("model", model=result.model, calls=[call.name for call in result.tool_calls])
        draft.read = True
        if not result.tool_calls:
            draft.say(Reply(result.text))
            return None
        command = yield from _calls(draft, result)
        if command is not None:
            return command
    desk.open_handoff(draft, HandOff("error", f"The model made {draft.script.max_calls} calls without an answer."))
    return None


def _sent_pictures(draft: Draft) -> bool:
    return draft.script.sees and any(message.images for message in (*draft.past, *draft.turn))


def extract(draft: Draft, question: str) -> Generator[Effect, Result, bool]:
    """Answers from the articles without a model; False if none fits."""
    hits = yield from _search(draft, question)
    return (yield from _offline(draft, question, hits))


def _search(draft: Draft, question: str) -> Generator[Effect, Result, tuple[Hit, ...]]:
    if not draft.script.has_articles:
        return ()
    result = yield Search(question)
    hits = result.hits if isinstance(result, SearchResult) else ()
    draft.trace(
        "search", hits=[{"source": hit.source, "title": hit.title, "score": round(hit.score, 3)} for hit in hits]
    )
    return hits


def _request(draft: Draft, question: str, hits: tuple[Hit, ...]) -> ModelRequest:
    script = draft.script
    return ModelRequest(
        script.prompts.messages(situation(draft, hits), draft.past, tuple(draft.turn), summary=draft.recap),
        tools=offered_tools(draft),
        parameters=script.persona.parameters,
        hits=hits,
        question=question,
        locale=draft.locale,
    )


def _asking(draft: Draft) -> str:
    asked = waiting(draft.state, draft.script.book)
    if asked is None:
        return ""
    return (
        f"The customer is in the procedure {draft.state.frames[-1].flow!r} and was asked for {asked.slot!r}. If their "
        "words answer that, call answer_question. Otherwise answer briefly; the question is asked again after you."
    )


def _calls(draft: Draft, answer: ModelAnswer) -> Generator[Effect, Result, Command | None]:
    """Carries out the model's calls in order; a decision among them becomes a command and ends the loop."""
    draft.called(answer.text, answer.tool_calls)
    command: Command | None = None
    for call in answer.tool_calls:
        if call.name in RESERVED:
            decided = None if command else decision(draft, call)
            draft.returned(call.id, "done" if decided else "refused: unknown or not possible now")
            command = command or decided
        elif command is not None:
            draft.returned(call.id, "not called: the conversation went on elsewhere")
        else:
            result = yield CallTool(call.name, call.arguments, draft.author, call.id, draft.locale)
            draft.looked_up(call.name, result)
            content = result.content if isinstance(result, ToolResult) else "failed"
            draft.returned(call.id, content)
            draft.trace("tool", name=call.name, error=getattr(result, "error", ""))
            if getattr(result, "error", "") == "unknown_outcome":
                command = HandOff(
                    "unknown_outcome", f"The action {call.name} was started; its outcome is unknown."
                )
    if command is not None and answer.text.strip():
        draft.replies.append(draft.addressed(Reply(answer.text)))
    return command


def _ladder(
    draft: Draft, question: str, hits: tuple[Hit, ...], failed: Result
) -> Generator[Effect, Result, Command | None]:
    """The model could not: an extract from the articles, else a human. Inside a flow only questions are looked up."""
    name = failed.name if isinstance(failed, ModelFailed) else "error"
    message = failed.message if isinstance(failed, ModelFailed) else ""
    draft.trace("model failed", failed=name, message=message)
    looked_up = hits if "?" in question or waiting(draft.state, draft.script.book) is None else ()
    if (yield from _offline(draft, question, looked_up)):
        return None
    return HandOff("model_failed", f"The model failed ({name}): {message}")


def _offline(draft: Draft, question: str, hits: tuple[Hit, ...]) -> Generator[Effect, Result, bool]:
    if not hits:
        return False
    request = ModelRequest((), hits=hits, question=question, locale=draft.locale)
    result = yield AskModel(request, rung="offline")
    if not isinstance(result, ModelAnswer) or not result.text.strip():
        draft.trace("extract", found=False)
        return False
    draft.trace("extract", found=True, sources=list(result.sources))
    draft.say(Reply(result.text))
    return True
