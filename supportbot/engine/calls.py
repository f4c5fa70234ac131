"""Tool calls that may not run yet: who is asked for what is missing, and how it goes on once that is there.

1. Whether a call may run is said by the tools' room alone; here somebody is asked. A yes is made from a pressed button
   or a message that says yes and nothing else, and counts for the call that was asked about.
2. What waits is part of the outcome: it outlives restarts, has an end, and is dropped when a human takes over.
3. The customer is told by fixed texts. A model hears of it only afterwards, from the call's own result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

from supportbot.consent import canonical, in_sight, unmarked
from supportbot.dialogue import consent
from supportbot.engine.draft import Draft
from supportbot.types import (
    Button,
    CallStatus,
    CallTool,
    CallWaits,
    Consent,
    Decide,
    Effect,
    Message,
    Reply,
    Result,
    Timer,
    ToolResult,
    WaitingCall,
)

TIMER = "call."
YES, NO = "call:yes:", "call:no:"
"""Begin the ids of the two buttons; the call's id ends them."""
HELD = ToolResult("", error="held")
_WAITS: Mapping[str, CallWaits] = {
    "unverified": "identity",
    "unconfirmed": "customer",
    "unapproved": "human",
    "long": "tool",
}
_SHOWN = 1_500
"""Characters of arguments that a customer can be asked about; more could hide something."""

By = Literal["model", "flow"]
Performed = Generator[Effect, Result, ToolResult]


def perform(draft: Draft, effect: CallTool, by: By, *, question: str = "") -> Performed:
    """The call's result; HELD if it waits now, and whoever can help has been asked. `question` is a flow's own."""
    alike = _alike(draft, effect, by)
    ended = next((call for call in alike if call.status == "ended"), None)
    if ended is not None:
        draft.change_call(replace(ended, status="done"))
        return ToolResult(**ended.answer)
    waiting = _waiting(alike)
    if waiting is not None:
        effect = replace(effect, consents=waiting.consents, key=waiting.id)
    result = yield replace(effect, identity=draft.identity)
    if not isinstance(result, ToolResult):
        raise AssertionError("a call came to something else than its result")
    return settle(draft, effect, by, result, question=question)


def settle(draft: Draft, effect: CallTool, by: By, result: ToolResult, *, question: str = "") -> ToolResult:
    """What the call came to, or HELD."""
    waiting = _waiting(_alike(draft, effect, by))
    draft.trace("tool", name=effect.name, error=result.error)
    if result.error == "unverified" and draft.shared:
        draft.personal = True  # who somebody is, is nobody else's business
    if result.error in _WAITS and _can_wait(draft, result.error, by):
        return _hold(draft, effect, by, result, waiting, question)
    if waiting is not None:
        draft.change_call(replace(waiting, status="done"))
    draft.looked_up(effect.name, result)
    return result


def _can_wait(draft: Draft, error: str, by: By) -> bool:
    """A flow goes into the flow that verifies by itself; without one nobody can be asked."""
    return error != "unverified" or (by == "model" and bool(draft.script.proofs.flow))


def _alike(draft: Draft, effect: CallTool, by: By) -> list[WaitingCall]:
    """The author's calls of this tool with these arguments, whatever became of them in this turn."""
    wanted = (effect.name, canonical(effect.arguments), draft.author.id, by)
    return [call for call in draft.calls.values() if (call.tool, call.arguments, call.author, call.by) == wanted]


def _waiting(calls: list[WaitingCall]) -> WaitingCall | None:
    return next((call for call in calls if call.status == "waiting"), None)


# --- asking --------------------------------------------------------------------------------------------------


def _hold(
    draft: Draft, effect: CallTool, by: By, result: ToolResult, waiting: WaitingCall | None, question: str
) -> ToolResult:
    waits_for = _WAITS[result.error]
    value: Mapping[str, Any] = result.value if isinstance(result.value, Mapping) else {}
    text = question or _question(draft, effect.name, value.get("given") or {})
    if waits_for == "customer" and len(text) > _SHOWN:
        return ToolResult("Error: The arguments are too long for the customer to say yes to them.", error="failed")
    call = waiting or WaitingCall(
        id=draft.fresh("t"),
        tool=effect.name,
        arguments=str(value.get("arguments") or canonical(effect.arguments)),
        author=draft.author.id,
        author_name=draft.author.name,
        shared=draft.shared,
        waits_for=waits_for,
        by=by,
        asked_at=0.0,
        expires_at=0.0,
    )
    call = replace(
        call,
        waits_for=waits_for,
        slots=effect.slots,
        question=text if waits_for == "customer" else call.question,
        identity=draft.identity,
        digest=str(value.get("digest", call.digest)),
        expires_at=draft.moment.now + _lasts(draft, waits_for),
    )
    if waits_for == "customer":  # one question at a time: the last one counts
        author = draft.author.id
        _drop(draft, lambda one: (one.waits_for, one.author) == ("customer", author) and one.id != call.id)
    if draft.shared:
        draft.personal = True
    new = waiting is None or (waiting.waits_for, waiting.digest) != (waits_for, call.digest)
    draft.change_call(call)
    draft.wake(Timer(TIMER + call.id, call.expires_at, {"call": call.id}))
    _ask(draft, call)
    if new and waits_for == "human":
        draft.event("approval.requested", _facts(draft, call))
    return HELD


def _lasts(draft: Draft, waits_for: CallWaits) -> float:
    return draft.script.approval_lasts if waits_for in ("human", "tool") else draft.script.consent_lasts


def _ask(draft: Draft, call: WaitingCall) -> None:
    draft.trace("waits", tool=call.tool, call=call.id, waits_for=call.waits_for)
    if call.waits_for == "customer":
        yes = Button(YES + call.id, draft.text("yes"), style="primary")
        draft.change_call(replace(call, asked_at=0.0))
        _say(
            draft, call, Reply(call.question, (yes, Button(NO + call.id, draft.text("no"))), private=draft.shared)
        )
    elif call.waits_for == "human":
        _say(draft, call, Reply(draft.text("approval_asked"), private=draft.shared))
    elif call.waits_for == "tool":
        _say(draft, call, Reply(draft.text("call_started"), private=draft.shared))
    else:
        _say(draft, call, Reply(draft.text("identity_needed"), private=draft.shared))


def _say(draft: Draft, call: WaitingCall, reply: Reply) -> None:
    """Says it once; what a flow's call needs, behind what the flow itself says."""
    if any(said.text == reply.text and not reply.buttons for said in (*draft.replies, *draft.behind)):
        return
    if call.by == "flow":
        draft.behind.append(reply)
    else:
        draft.say(reply)


def _facts(draft: Draft, call: WaitingCall) -> Mapping[str, Any]:
    return {
        "call": call.id,
        "tool": call.tool,
        "arguments": call.arguments,
        "customer": {"id": draft.author.id, "name": draft.author.name, "proven": draft.identity.customer},
        "channel": draft.start.conversation.address.channel,
        "asked_at": draft.moment.now,
        "expires_at": call.expires_at,
    }


def _question(draft: Draft, tool: str, given: Mapping[str, Any]) -> str:
    """The tool's own question, else what it does with every argument."""
    terms = draft.script.terms.get(tool)
    own = terms.confirm if terms is not None else True
    if not isinstance(own, bool):
        by_locale = {"": own} if isinstance(own, str) else own
        template = draft.script.in_language(by_locale, draft.locale)
        with suppress(ValueError):  # a template that does not fit its call: the house asks in its own words
            values = {name: _shown(value) for name, value in given.items()}
            return _completed(draft.script.templates.render_text(template, values), given)
    does = terms.description.partition(". ")[0].rstrip(".") + "." if terms is not None else tool
    what = [does, *(_line(name, given[name]) for name in given)]
    return draft.text("confirm_call", what="\n".join(what))


def _completed(question: str, given: Mapping[str, Any]) -> str:
    """The question with the arguments that do not stand in it: what is not shown cannot be agreed to."""
    missing = [_line(name, value) for name, value in given.items() if _shown(_text(value)) not in question]
    return "\n".join((question, "", *missing)) if missing else question


def _line(name: str, value: Any) -> str:
    """One argument as it is, with nothing in it that Markdown would change."""
    called = "".join(letter if letter.isalnum() else " " for letter in name).strip()
    return f"- {called}: `{in_sight(_text(value)).replace('`', 'ˋ')}`"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical({"": value})[4:-1]


def _shown(value: Any) -> Any:
    """The value as a template may show it: in sight, and without a meaning in Markdown."""
    if isinstance(value, str):
        return unmarked(in_sight(value))
    if isinstance(value, Mapping):
        return {_shown(key): _shown(inner) for key, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


# --- what comes back -----------------------------------------------------------------------------------------


def asked(draft: Draft) -> WaitingCall | None:
    """The call that waits for a yes of the author, if it is not too late."""
    for call in draft.calls.values():
        mine = call.waits_for == "customer" and call.status == "waiting" and call.author == draft.author.id
        if mine and not any(one.kind == "customer" and one.digest == call.digest for one in call.consents):
            return call if draft.moment.now < call.expires_at else None
    return None


def answered(draft: Draft, message: Message) -> Decide | None:
    """The customer's yes or no to the call they were asked about; None for anything else that they say.

    Words count only if that question was the last thing that they were shown, and they could have read it.
    """
    call = asked(draft)
    if call is None:
        return None
    if message.action is not None and draft.batch[-1].message.kind == "action":
        return _pressed(call, message.action.id)
    last = draft.state.offered[len(draft.state.offered) - draft.state.typed :]
    if not any(button.id == YES + call.id for button in last) or not _could_read(draft, call):
        return None
    if message.action is not None:
        return _pressed(call, message.action.id)
    said = consent(message.text, draft.locale)
    return None if said is None else Decide(call.id, said)


def _pressed(call: WaitingCall, button: str) -> Decide | None:
    return Decide(call.id, button == YES + call.id) if button in (YES + call.id, NO + call.id) else None


def _could_read(draft: Draft, call: WaitingCall) -> bool:
    """Whether the message came after the question: one that came while it was being made answers something else."""
    return all(row.received_at >= call.asked_at for row in draft.batch)


def closed(draft: Draft, message: Message) -> bool:
    """Whether a button of a question was pressed that is not open to its author, or not any more."""
    pressed = message.action.id if message.action is not None and draft.batch[-1].message.kind == "action" else ""
    return pressed.startswith((YES, NO)) and answered(draft, message) is None


def ask_again(draft: Draft) -> None:
    """Something else was said since: the question is put once more, because words answer the last one only."""
    call = asked(draft)
    told = draft.handoff is not None and draft.handoff.open
    last = draft.replies[-1].buttons if draft.replies else ()
    if call is not None and not told and not any(one.id == YES + call.id for one in last):
        _ask(draft, call)


def agree(draft: Draft, call: WaitingCall, kind: Literal["customer", "human"], by: str) -> WaitingCall:
    """The call with one more yes."""
    given = Consent(kind, call.digest, by, draft.moment.now + draft.script.approval_lasts)
    return draft.change_call(replace(call, consents=(*call.consents, given), decided_by=by))


def refuse(draft: Draft, call: WaitingCall, status: Literal["declined", "denied"], text: str) -> None:
    """The call will not run; a flow goes on with `text` as its error once it stands at the call."""
    draft.stop(TIMER + call.id)
    draft.trace(status, tool=call.tool, call=call.id)
    end(draft, call, ToolResult(text, error="declined"), status)


def end(draft: Draft, call: WaitingCall, result: ToolResult, status: CallStatus) -> None:
    """The call is over; a flow's is kept with its result until the flow takes that."""
    answer = {"content": result.content, "value": result.value, "error": result.error}
    kept = {"status": "ended", "answer": answer} if call.by == "flow" else {"status": status}
    draft.change_call(replace(draft.calls[call.id], **kept))


def tidy(draft: Draft) -> None:
    """Calls of flows that the author has left wait for nothing any more, but for one that runs."""
    if not draft.state.frames:
        mine = (draft.author.id, "flow")
        _drop(
            draft,
            lambda call: (call.author, call.by) == mine and (call.waits_for, call.status) != ("tool", "waiting"),
        )


def drop_own(draft: Draft) -> bool:
    """The author stops: nothing of theirs waits any more but what runs already. Whether anything did."""
    mine = [call for call in draft.calls.values() if call.author == draft.author.id and call.status == "waiting"]
    _drop(draft, lambda call: call.author == draft.author.id and call.waits_for != "tool")
    return any(call.waits_for != "tool" for call in mine)


def drop_all(draft: Draft) -> None:
    """A human takes over: nothing waits any more but what runs already."""
    _drop(draft, lambda call: call.waits_for != "tool")


def _drop(draft: Draft, which: Callable[[WaitingCall], bool]) -> None:
    for call in list(draft.calls.values()):
        if call.status in ("waiting", "ended") and which(call):
            draft.change_call(replace(call, status="dropped"))
            draft.stop(TIMER + call.id)
