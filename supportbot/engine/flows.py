"""Drives the flow interpreter: its needs become the engine's effects, what it says goes into the draft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supportbot.dialogue import Advanced, Heard, NeedModel, NeedTool, Scene, advance, enter
from supportbot.engine import calls, identity
from supportbot.engine.draft import Draft
from supportbot.engine.handing import gathered, open_handoff
from supportbot.engine.talk import Steps, situation
from supportbot.texts import TEXTS
from supportbot.types import (
    AskModel,
    CallTool,
    ModelAnswer,
    ModelFailed,
    ModelRequest,
    StartFlow,
    ToolResult,
)

_TEXTS = tuple(
    key
    for key in TEXTS
    if key in ("choose_number", "cancelled", "flow_changed", "identity_needed", "yes", "no")
    or key.startswith(("invalid", "share_"))
)
_IDENTITY = tuple(tool.name for tool in identity.TOOLS)


def scene(draft: Draft) -> Scene:
    """What a flow's texts and checks may know."""
    script = draft.script
    return Scene(
        values=flow_values(draft),
        render=script.templates.render_text,
        locale=draft.locale,
        default_locale=script.locale,
        seed=draft.start.lease.sequence,
        today=draft.moment.at.date(),
        region=script.region,
        texts={key: draft.text(key) for key in _TEXTS},
        verify=script.proofs.flow,
    )


def flow_values(draft: Draft) -> Mapping[str, Any]:
    return {
        "bot": {"name": draft.script.bot_name},
        "persona": {"name": draft.script.persona.name},
        "user": {"id": draft.author.id, "name": draft.author.name},
        "channel": draft.start.conversation.address.channel,
        "locale": draft.locale,
        "identity": draft.known,
    }


def start_flow(draft: Draft, command: StartFlow) -> Steps:
    draft.move(enter(draft.state, draft.script.book, command.flow, dict(command.slots), scene=scene(draft)))
    yield from resume_flow(draft, None)


def resume_flow(draft: Draft, heard: Heard | None) -> Steps:
    """Lets the flow go on until it waits for the customer, ends or hands over."""
    run = advance(draft.state, draft.script.book, scene(draft), heard)
    answer: ToolResult | ModelAnswer | ModelFailed | None = None
    while True:
        try:
            need = next(run) if answer is None else run.send(answer)
        except StopIteration as stop:
            _land(draft, stop.value)
            return
        answer = yield from _meet(draft, need)


def _land(draft: Draft, advanced: Advanced) -> None:
    draft.traces(advanced.trace)
    for reply in (*advanced.replies, *draft.behind):
        draft.say(reply)
    draft.behind.clear()
    draft.move(advanced.state)
    draft.signs.rests = draft.signs.flowed = True
    draft.signs.misunderstood = draft.signs.misunderstood or any(
        step.get("step") == "no answer" for step in advanced.trace
    )
    if draft.handoff is not None and draft.handoff.open:
        gathered(draft, _shareable(draft, advanced.slots))
    elif advanced.handoff is not None:
        open_handoff(draft, advanced.handoff, slots=_shareable(draft, advanced.slots))


def _meet(draft: Draft, need: NeedTool | NeedModel) -> Steps:
    if isinstance(need, NeedTool):
        if need.name in _IDENTITY and draft.script.proofs.send_code:
            return (yield from identity.perform(draft, need.name, need.arguments))
        call = CallTool(need.name, need.arguments, draft.author, locale=draft.locale, slots=need.slots)
        return (yield from calls.perform(draft, call, "flow", question=need.confirm))
    messages = draft.script.prompts.messages(
        situation(draft, ()), draft.past, tuple(draft.turn), summary=draft.recap, instruction=need.instruction
    )
    request = ModelRequest(
        messages,
        purpose="slots" if need.schema else "reply",
        parameters=draft.script.persona.parameters,
        schema=need.schema,
        question=need.customer_text,
        locale=draft.locale,
    )
    if not draft.script.has_model:
        return ModelFailed("no_model", "no model is configured")
    result = yield AskModel(request)
    draft.spend(getattr(result, "usage", ()))
    draft.trace("model", purpose=request.purpose, **outcome_of(result))
    return result


def outcome_of(result: object) -> dict[str, str]:
    if isinstance(result, ModelFailed):
        return {"failed": result.name, "message": result.message}
    return {"model": getattr(result, "model", "")}


def _shareable(draft: Draft, slots: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was gathered, without what a flow calls sensitive."""
    return {name: value for name, value in slots.items() if name not in draft.script.book.sensitive}
