"""A call that waited goes on: the customer has said yes or no, a human has decided, a proof has come, or it has ended."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from supportbot.engine import calls, desk
from supportbot.engine.draft import Draft
from supportbot.engine.flows import resume_flow
from supportbot.engine.talk import go_on_talking
from supportbot.types import (
    CallTool,
    Command,
    Decide,
    Effect,
    Event,
    HandOff,
    Message,
    Reply,
    Result,
    ToolCall,
    ToolResult,
    WaitingCall,
)

Going = Generator[Effect, Result, Command | None]


def decide(draft: Draft, decision: Decide) -> Going:
    """The customer's yes or no."""
    call = draft.calls[decision.call]
    draft.stop(calls.TIMER + call.id)
    if decision.yes:
        return (yield from _go_on(draft, calls.agree(draft, call, "customer", draft.author.id)))
    return (yield from _refused(draft, call, "declined", "declined"))


def row(draft: Draft, message: Message) -> Going:
    """A decision of a human, the end of a long call, or the end of the time to wait."""
    event = message.event or Event("")
    call = draft.calls.get(str(event.data.get("call", "")))
    if call is None or call.status != "waiting":
        draft.trace("silent", reason="this call does not wait any more")
        return None
    draft.stop(calls.TIMER + call.id)
    if event.name == "finished":
        return (yield from _finished(draft, call, event))
    by = str(event.data.get("by", ""))
    if event.name == "approved" and call.waits_for == "human":
        call = replace(call, note=str(event.data.get("note", "")))
        return (yield from _go_on(draft, calls.agree(draft, call, "human", by)))
    if event.name == "denied" and call.waits_for == "human":
        call = draft.change_call(replace(call, decided_by=by, note=str(event.data.get("note", ""))))
        return (yield from _refused(draft, call, "denied", "approval_denied"))
    if event.name == calls.TIMER + call.id and draft.moment.now >= call.expires_at:
        _expired(draft, call)
        return None
    draft.trace("silent", reason="the call waits for something else")
    return None


def note(draft: Draft, message: Message) -> None:
    """While a human has the conversation, what a call came to is only noted, for the model and for whoever reads."""
    event = message.event or Event("")
    call = draft.calls.get(str(event.data.get("call", "")))
    if call is not None and call.status == "waiting":
        draft.change_call(replace(call, status="done" if event.name == "finished" else "dropped"))
        if event.name == "finished":
            _in_history(draft, call, str(event.data.get("content", "")))
    draft.trace("silent", reason="a human owns the conversation", event=event.name)


def after_flows(draft: Draft) -> Going:
    """A call that waited for a proof of identity goes on, or ends, once the flow that asked for it is over."""
    mine = (call for call in draft.calls.values() if call.author == draft.author.id and call.status == "waiting")
    call = next((call for call in mine if call.waits_for == "identity"), None)
    if call is None or draft.state.frames or (draft.handoff is not None and draft.handoff.open):
        return None
    draft.stop(calls.TIMER + call.id)
    if draft.identity.customer:
        return (yield from _go_on(draft, call))
    draft.change_call(replace(call, status="dropped"))
    draft.trace("dropped", tool=call.tool, reason="the customer has not proven who they are")
    return None


def _go_on(draft: Draft, call: WaitingCall) -> Going:
    if call.by == "flow":
        yield from _flow(draft, call)
        return None
    effect = CallTool(call.tool, call.arguments, draft.author, f"call_{call.id}", draft.locale)
    result = yield from calls.perform(draft, effect, "model")
    if result == calls.HELD:
        return None
    return (yield from _told(draft, call, result))


def _flow(draft: Draft, call: WaitingCall) -> Generator[Effect, Result, None]:
    """The flow runs its step again; if the customer has left it, the call is over."""
    if draft.state.frames:
        yield from resume_flow(draft, None)
    elif draft.calls[call.id].status == "waiting":
        draft.change_call(replace(draft.calls[call.id], status="dropped"))
        draft.trace("dropped", tool=call.tool, reason="the customer has left the flow")


def _refused(draft: Draft, call: WaitingCall, status: str, text: str) -> Going:
    calls.refuse(draft, call, "denied" if status == "denied" else "declined", draft.text(text))
    if call.by == "flow":
        yield from _flow(draft, call)
    else:
        draft.say(Reply(draft.text(text), private=draft.shared))
    return None


def _expired(draft: Draft, call: WaitingCall) -> None:
    """Nobody waits for ever: where the customer does, a human is called; a question that they left open ends in silence."""
    draft.change_call(replace(call, status="expired"))
    draft.trace("expired", tool=call.tool, call=call.id)
    if call.waits_for == "human":
        detail = f"Nobody decided in time whether {call.tool} may run."
        desk.open_handoff(draft, HandOff("approval", detail), notice="approval_late")
    elif call.waits_for == "tool":
        desk.open_handoff(draft, HandOff("unknown_outcome", f"{call.tool} was started and has not ended in time."))


def _finished(draft: Draft, call: WaitingCall, event: Event) -> Going:
    data = event.data
    result = ToolResult(str(data.get("content", "")), data.get("value"), str(data.get("error", "")))
    draft.trace("tool", name=call.tool, error=result.error)
    draft.looked_up(call.tool, result)
    draft.change_call(replace(call, status="done"))
    draft.answers[call.id] = result
    if call.by == "flow":
        yield from _flow(draft, call)
        return None
    return (yield from _told(draft, call, result))


def _told(draft: Draft, call: WaitingCall, result: ToolResult) -> Going:
    """The model reads what its call came to, and tells the customer; without a model the house does."""
    _in_history(draft, call, result.content)
    if result.error == "unknown_outcome":
        return HandOff("unknown_outcome", f"The action {call.tool} was started; its outcome is unknown.")
    done = "call_failed" if result.error else "call_done"
    if not draft.script.has_model:
        draft.say(Reply(draft.text(done)))
        return None
    command = yield from go_on_talking(draft)
    if isinstance(command, HandOff) and command.reason == "model_failed" and not result.error:
        draft.say(Reply(draft.text("call_done")))
        return None
    return command


def _in_history(draft: Draft, call: WaitingCall, content: str) -> None:
    """The call and what it came to, as if the model had just made it."""
    id = f"call_{call.id}"
    draft.called("", (ToolCall(id, call.tool, call.arguments),))
    draft.returned(id, content)
