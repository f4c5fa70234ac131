"""A call that waited goes on: the customer has said yes or no, a human has decided, a proof has come, or it has ended."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Literal

from supportbot.dialogue import calling
from supportbot.engine import calls
from supportbot.engine.draft import Draft
from supportbot.engine.flows import resume_flow
from supportbot.engine.handing import open_handoff
from supportbot.engine.talk import go_on_talking, step_up
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
    elif event.name == "finished" and call.waits_for == "tool":
        draft.stop(calls.TIMER + call.id)
        return (yield from _finished(draft, call, event))
    elif event.name in ("approved", "denied") and call.waits_for == "human":
        draft.stop(calls.TIMER + call.id)
        return (yield from _decided(draft, call, event))
    elif event.name == calls.TIMER + call.id and draft.moment.now >= call.expires_at:
        _expired(draft, call)
    else:
        draft.trace("silent", reason="the call waits for something else")
    return None


def _decided(draft: Draft, call: WaitingCall, event: Event) -> Going:
    by, note = str(event.data.get("by", "")), str(event.data.get("note", ""))
    call = draft.change_call(replace(call, decided_by=by, note=note))
    if event.name == "approved":
        draft.trace("approved", tool=call.tool, call=call.id, by=by)
        return (yield from _go_on(draft, calls.agree(draft, call, "human", by)))
    return (yield from _refused(draft, call, "denied", "approval_denied"))


def note(draft: Draft, message: Message) -> None:
    """While a human has the conversation, what a call came to is only noted, for the model and for whoever reads."""
    event = message.event or Event("")
    call = draft.calls.get(str(event.data.get("call", "")))
    if call is not None and call.status == "waiting" and event.name == "finished":
        result = _result(event)
        draft.stop(calls.TIMER + call.id)
        draft.looked_up(call.tool, result)
        draft.change_call(replace(call, status="done"))
        _in_history(draft, call, result.content)
    draft.trace("silent", reason="a human owns the conversation", event=event.name)


def lost(draft: Draft, message: Message, detail: str) -> None:
    """The turn over a call's end fails again and again: the call is over, and a human gets what is known of it."""
    event = message.event or Event("")
    call = draft.calls.get(str(event.data.get("call", "")))
    if call is not None:
        draft.stop(calls.TIMER + call.id)
        draft.change_call(replace(call, status="done"))
        if event.name == "finished":
            detail = f"{detail} {call.tool} came to: {_result(event).content[:300]}"
    open_handoff(draft, HandOff("unknown_outcome" if draft.moment.unsure else "error", detail))


def after_flows(draft: Draft) -> Going:
    """Calls that waited for a proof of identity go on, or end, once the flow that asked for it is over."""
    if draft.state.frames or (draft.handoff is not None and draft.handoff.open):
        return None
    mine = [call for call in draft.calls.values() if call.author == draft.author.id and call.status == "waiting"]
    waiting = [call for call in mine if call.waits_for == "identity"]
    command: Command | None = None
    for call in waiting:
        draft.stop(calls.TIMER + call.id)
        if draft.identity.customer and command is None:
            command = yield from _go_on(draft, call, last=call is waiting[-1])
        else:
            draft.change_call(replace(call, status="dropped"))
            draft.trace("dropped", tool=call.tool, reason="the customer has not proven who they are")
    return command


def _go_on(draft: Draft, call: WaitingCall, *, last: bool = True) -> Going:
    if call.by == "flow":
        return (yield from _flow(draft, call))
    effect = CallTool(
        call.tool, call.arguments, draft.author, f"call_{call.id}", draft.locale, slots=draft.state.slots
    )
    result = yield from calls.perform(draft, effect, "model")
    if result == calls.HELD:
        return step_up(draft)
    return (yield from _told(draft, call, result, last=last))


def _flow(draft: Draft, call: WaitingCall) -> Going:
    """The flow runs its step again. Under another flow it does so later; one that was left never does."""
    if calling(draft.state, draft.script.book):
        yield from resume_flow(draft, None)
        return None
    current = draft.calls[call.id]
    if current.status != "ended":
        return None
    result = ToolResult(**current.answer)
    if draft.state.frames and result.error != "unknown_outcome":
        return None
    draft.change_call(replace(current, status="done"))
    if result.error == "declined":
        draft.say(Reply(result.content, private=draft.shared))
        return None
    _in_history(draft, call, result.content)
    if result.error == "unknown_outcome":
        return _unknown(call)
    draft.say(Reply(draft.text("call_failed" if result.error else "call_done"), private=draft.shared))
    return None


def _refused(draft: Draft, call: WaitingCall, status: Literal["declined", "denied"], text: str) -> Going:
    calls.refuse(draft, call, status, draft.text(text))
    if call.by == "flow":
        return (yield from _flow(draft, call))
    draft.say(Reply(draft.text(text), private=draft.shared))
    return None


def _unknown(call: WaitingCall) -> HandOff:
    return HandOff("unknown_outcome", f"The action {call.tool} was started; its outcome is unknown.")


def _expired(draft: Draft, call: WaitingCall) -> None:
    """Nobody waits for ever: where the customer does, a human is called; a question that they left open ends in silence."""
    draft.change_call(replace(call, status="expired"))
    draft.trace("expired", tool=call.tool, call=call.id)
    if call.waits_for == "human":
        detail = f"Nobody decided in time whether {call.tool} may run."
        open_handoff(draft, HandOff("approval", detail), notice="approval_late")
    elif call.waits_for == "tool":
        open_handoff(draft, HandOff("unknown_outcome", f"{call.tool} was started and has not ended in time."))


def _result(event: Event) -> ToolResult:
    data = event.data
    return ToolResult(str(data.get("content", "")), data.get("value"), str(data.get("error", "")))


def _finished(draft: Draft, call: WaitingCall, event: Event) -> Going:
    result = _result(event)
    draft.trace("tool", name=call.tool, error=result.error)
    draft.looked_up(call.tool, result)
    calls.end(draft, call, result, "done")
    if call.by == "flow":
        return (yield from _flow(draft, call))
    return (yield from _told(draft, call, result))


def _told(draft: Draft, call: WaitingCall, result: ToolResult, *, last: bool = True) -> Going:
    """The model reads what its call came to, and tells the customer; without a model the house does. What else it waited
    for comes first: it speaks after the last."""
    _in_history(draft, call, result.content)
    if result.error == "unknown_outcome":
        return _unknown(call)
    done = Reply(draft.text("call_failed" if result.error else "call_done"), private=draft.shared)
    if not draft.script.has_model:
        draft.say(done)
        return None
    if not last:
        return None
    command = yield from go_on_talking(draft)
    if isinstance(command, HandOff) and command.reason == "model_failed" and not result.error:
        draft.say(done)
        return None
    return command


def _in_history(draft: Draft, call: WaitingCall, content: str) -> None:
    """The call and what it came to, as if the model had just made it."""
    id = f"call_{call.id}"
    draft.called("", (ToolCall(id, call.tool, call.arguments),))
    draft.returned(id, content)
