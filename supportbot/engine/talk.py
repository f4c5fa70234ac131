"""Conversation with the model: articles in, tools in a loop, and the ladder when it fails."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from supportbot.consent import is_seen
from supportbot.dialogue import waiting
from supportbot.engine import calls
from supportbot.engine.decisions import RESERVED, decision, offered_tools
from supportbot.engine.draft import Draft
from supportbot.engine.handing import open_handoff
from supportbot.prompts import Situation
from supportbot.types import (
    Answer,
    AskModel,
    CallTool,
    CallTools,
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
    StartFlow,
    ToolCall,
    ToolResult,
    ToolResults,
)

Steps = Generator[Effect, Result, Any]

REPAIRS = 2
"""How often the model may mend the arguments of one tool in one turn."""
_WAITING = "Not done yet: it waits for a yes, a proof of identity, a colleague, or its own end. The customer has been told."
_REFUSED = "refused: unknown or not possible now"
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")
"""What a tool's name cannot have: given back in the history, it would make every later request invalid."""
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
            open_handoff(draft, HandOff("no_answer"))
        return None
    return (yield from _talk(draft, question, hits))


def go_on_talking(draft: Draft) -> Generator[Effect, Result, Command | None]:
    """The same after a call that waited: the model reads its result and tells the customer."""
    return (yield from _talk(draft, "", ()))


def _talk(draft: Draft, question: str, hits: tuple[Hit, ...]) -> Generator[Effect, Result, Command | None]:
    for _ in range(draft.script.max_calls):
        result = yield AskModel(_request(draft, question, hits), stream=True)
        draft.spend(getattr(result, "usage", ()))
        if not isinstance(result, ModelAnswer):
            if _sent_pictures(draft) and isinstance(result, ModelFailed) and result.name == "refused":
                draft.trace("model failed", failed="refused", message="the model was shown a picture")
                draft.forget_pictures()
                continue
            return (yield from _ladder(draft, question, hits, result))
        if not is_seen(result.text) and not result.tool_calls:
            return (yield from _ladder(draft, question, hits, _EMPTY))
        draft.trace("model", model=result.model, calls=[call.name for call in result.tool_calls])
        draft.read = True
        if not result.tool_calls:
            draft.say(Reply(result.text))
            return None
        command = yield from _calls(draft, result)
        if isinstance(command, Answer):
            return step_up(draft)
        if command is not None:
            return command
    open_handoff(draft, HandOff("error", f"The model made {draft.script.max_calls} calls without an answer."))
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
    draft.signs.confidence = max((hit.score for hit in hits), default=0.0)
    draft.signs.rests = draft.signs.rests or bool(hits)
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
    where = f"The customer is in the procedure {draft.state.frames[-1].flow!r} and was asked for {asked.slot!r}. "
    if asked.spec.type == "yes_no":
        return (
            where
            + "Answer briefly; the question is asked again after you, and only the customer can say yes or no."
        )
    return (
        where
        + "If their words answer that, call answer_question. Otherwise answer briefly; the question is asked "
        "again after you."
    )


def _calls(draft: Draft, answer: ModelAnswer) -> Generator[Effect, Result, Command | None]:
    """Carries out the model's calls in order; a decision among them becomes a command and ends the loop.

    So does a call that waits for somebody now: what there is to say about it has been said.
    """
    asked = tuple(replace(call, name=_NO_NAME.sub("_", call.name)[:64] or "_") for call in answer.tool_calls)
    draft.called(answer.text, asked)
    command: Command | None = None
    waits = False
    for group in _groups(draft, asked):
        reserved = group[0].name in RESERVED
        if command is not None or waits:
            _left_out(draft, group, _REFUSED if reserved else "not called: the conversation went on elsewhere")
        elif reserved:
            command = decision(draft, group[0])
            draft.returned(group[0].id, "done" if command else _REFUSED)
        else:
            for call, result in zip(group, (yield from _called(draft, group)), strict=True):
                waits = waits or result == calls.HELD
                draft.returned(call.id, _WAITING if result == calls.HELD else _told(draft, call, result))
                if result.error == "unknown_outcome":
                    detail = f"The action {call.name} was started; its outcome is unknown."
                    command = HandOff("unknown_outcome", detail)
    if command is not None and answer.text.strip():
        draft.replies.append(draft.addressed(Reply(answer.text)))
    if waits and command is None:
        draft.unsay(asked)
    return command or (Answer() if waits else None)


def step_up(draft: Draft) -> Command | None:
    """The flow that finds out who the customer is, if that is what the turn waits for."""
    if draft.identity.customer:
        return None
    wanted = any(
        call.waits_for == "identity" and call.status == "waiting" and call.author == draft.author.id
        for call in draft.calls.values()
    )
    return StartFlow(draft.script.proofs.flow) if wanted else None


def _groups(draft: Draft, asked: tuple[ToolCall, ...]) -> list[list[ToolCall]]:
    """The calls in order; neighbours without effects together, so that they can run side by side."""
    groups: list[list[ToolCall]] = []
    together = False
    for call in asked:
        reads = call.name in draft.script.terms and not draft.script.terms[call.name].effects
        if reads and together:
            groups[-1].append(call)
        else:
            groups.append([call])
        together = reads
    return groups


def _left_out(draft: Draft, group: list[ToolCall], why: str) -> None:
    for call in group:
        draft.returned(call.id, why)


def _called(draft: Draft, group: list[ToolCall]) -> Generator[Effect, Result, list[ToolResult]]:
    """One result for each call."""
    draft.signs.rests = True
    refused = [_spent(draft, call) for call in group]
    effects = tuple(
        CallTool(
            call.name, call.arguments, draft.author, call.id, draft.locale, draft.identity, slots=draft.state.slots
        )
        for call, why in zip(group, refused, strict=True)
        if why is None
    )
    if len(effects) > 1:
        together = yield CallTools(effects)
        found = together.results if isinstance(together, ToolResults) else ()
        done = [calls.settle(draft, one, "model", result) for one, result in zip(effects, found, strict=True)]
    else:
        done = []
        for effect in effects:
            done.append((yield from calls.perform(draft, effect, "model")))
    results = iter(done)
    return [next(results) if why is None else why for why in refused]


def _spent(draft: Draft, call: ToolCall) -> ToolResult | None:
    """Why the model may not make this call any more in this turn."""
    draft.tool_calls += 1
    if draft.tool_calls > draft.script.max_tool_calls:
        return ToolResult(f"Error: not called: {draft.script.max_tool_calls} calls are enough.", error="limit")
    if draft.misread[call.name] > REPAIRS:
        return ToolResult(
            f"Error: not called: {call.name} cannot be used any more for this answer.", error="limit"
        )
    return None


def _told(draft: Draft, call: ToolCall, result: ToolResult) -> str:
    """What the model reads of a result; arguments that do not fit may be mended twice."""
    if result.error not in ("bad_json", "bad_arguments"):
        return result.content
    draft.misread[call.name] += 1
    over = draft.misread[call.name] > REPAIRS
    return f"{result.content} Do not call {call.name} again for this answer." if over else result.content


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
