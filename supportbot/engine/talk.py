"""Conversation with the model: articles in, tools in a loop, and the ladder when it fails."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from supportbot.dialogue import waiting
from supportbot.engine import desk
from supportbot.engine.draft import Draft
from supportbot.prompts import Situation
from supportbot.types import (
    AskModel,
    CallTool,
    Cancel,
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
    SetSlot,
    StartFlow,
    ToolCall,
    ToolResult,
    ToolSpec,
)

Steps = Generator[Effect, Result, Any]

HAND_OVER = ToolSpec(
    "hand_over",
    "Give this conversation to a human colleague. Call it when the customer asks for a human in any words, is in "
    "distress, or needs something you have no knowledge, flow or tool for. Saying so in text does not hand over.",
    {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "description": "One sentence for the colleague: why."},
            "requested": {"type": "boolean", "description": "True if the customer asked for a human."},
        },
        "required": ["reason"],
        "additionalProperties": False,
    },
)
CANCEL_FLOW = ToolSpec(
    "cancel_flow",
    "The customer no longer wants what you were asking about.",
    {"type": "object", "properties": {}, "additionalProperties": False},
)
_EMPTY = ModelFailed("empty", "The answer has neither words nor calls.")
RESERVED = ("hand_over", "start_flow", "cancel_flow", "answer_question")


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
            return (yield from _ladder(draft, question, hits, result))
        if not result.text.strip() and not result.tool_calls:
            return (yield from _ladder(draft, question, hits, _EMPTY))
        draft.trace("model", model=result.model, calls=[call.name for call in result.tool_calls])
        if not result.tool_calls:
            draft.say(Reply(result.text))
            return None
        command = yield from _calls(draft, result)
        if command is not None:
            return command
    desk.open_handoff(draft, HandOff("error", f"The model made {draft.script.max_calls} calls without an answer."))
    return None


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
        tools=_tools(draft),
        parameters=script.persona.parameters,
        hits=hits,
        question=question,
        locale=draft.locale,
    )


def _tools(draft: Draft) -> tuple[ToolSpec, ...]:
    """The same for every turn outside a flow, so that the provider's prompt cache stays warm."""
    tools = [*draft.script.tools, HAND_OVER]
    offered = draft.script.book.offered()
    if offered:
        tools.append(_start_flow(tuple(name for name, _ in offered)))
    asked = waiting(draft.state, draft.script.book)
    if asked is not None:
        tools += [CANCEL_FLOW, _answer_question(asked.slot)]
    return tuple(tools)


def _start_flow(names: tuple[str, ...]) -> ToolSpec:
    flow = {"type": "string", "enum": list(names)}
    return ToolSpec(
        "start_flow",
        "Start one of the prepared procedures; it asks the customer what it needs. Prefer it to asking yourself.",
        {"type": "object", "properties": {"flow": flow}, "required": ["flow"], "additionalProperties": False},
    )


def _answer_question(slot: str) -> ToolSpec:
    value = {"type": "string", "description": f"The customer's answer for {slot}, in plain form."}
    return ToolSpec(
        "answer_question",
        "The customer's words do answer the open question.",
        {"type": "object", "properties": {"value": value}, "required": ["value"], "additionalProperties": False},
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
            decided = None if command else _decision(draft, call)
            draft.returned(call.id, "done" if decided else "refused: unknown or not possible now")
            command = command or decided
        elif command is not None:
            draft.returned(call.id, "not called: the conversation went on elsewhere")
        else:
            result = yield CallTool(call.name, call.arguments, draft.author, call.id)
            content = result.content if isinstance(result, ToolResult) else "failed"
            draft.returned(call.id, content)
            draft.trace("tool", name=call.name, error=getattr(result, "error", ""))
            if getattr(result, "error", "") == "unknown_outcome":
                command = HandOff(
                    "unknown_outcome", f"The action {call.name} was started; its outcome is unknown."
                )
    if command is not None and answer.text.strip():
        draft.replies.append(Reply(answer.text))
    return command


def _decision(draft: Draft, call: ToolCall) -> Command | None:
    arguments = _arguments(call)
    asked = waiting(draft.state, draft.script.book)
    if call.name == "hand_over":
        reason = "requested" if arguments.get("requested") is True else "model"
        return HandOff(reason, str(arguments.get("reason", ""))[:500])
    if call.name == "start_flow" and arguments.get("flow") in dict(draft.script.book.offered()):
        return StartFlow(str(arguments["flow"]))
    if call.name == "cancel_flow" and asked is not None:
        return Cancel()
    if call.name == "answer_question" and asked is not None:
        return SetSlot(asked.slot, str(arguments.get("value", "")))
    return None


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


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
