"""What a model may decide beside answering: calls of these tools become Commands, and never run as tools."""

from __future__ import annotations

import json
from typing import Any

from supportbot.dialogue import waiting
from supportbot.dialogue.flow import Ask
from supportbot.engine.draft import Draft
from supportbot.types import Cancel, Command, HandOff, SetSlot, StartFlow, ToolCall, ToolSpec

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
RESERVED = ("hand_over", "start_flow", "cancel_flow", "answer_question")


def offered_tools(draft: Draft) -> tuple[ToolSpec, ...]:
    """The same for every turn outside a flow, so that the provider's prompt cache stays warm."""
    tools = [*draft.script.tools, HAND_OVER]
    offered = draft.script.book.offered()
    if offered:
        tools.append(_start_flow(tuple(name for name, _ in offered)))
    asked = waiting(draft.state, draft.script.book)
    if asked is not None:
        tools.append(CANCEL_FLOW)
    if asked is not None and _is_the_models(asked):
        tools.append(_answer_question(asked.slot))
    return tuple(tools)


def _is_the_models(asked: Ask) -> bool:
    """Whether a model may say what the customer's words answer: never for a yes or no, on which something may hang."""
    return asked.spec.type != "yes_no"


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


def decision(draft: Draft, call: ToolCall) -> Command | None:
    arguments = _arguments(call)
    asked = waiting(draft.state, draft.script.book)
    if call.name == "hand_over":
        reason = "requested" if arguments.get("requested") is True else "model"
        return HandOff(reason, str(arguments.get("reason", ""))[:500])
    if call.name == "start_flow" and arguments.get("flow") in dict(draft.script.book.offered()):
        return StartFlow(str(arguments["flow"]))
    if call.name == "cancel_flow" and asked is not None:
        return Cancel()
    if call.name == "answer_question" and asked is not None and _is_the_models(asked):
        return SetSlot(asked.slot, str(arguments.get("value", "")))
    return None


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}
