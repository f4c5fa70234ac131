"""How each kind of step is run: a function from the run and the step to the place that follows.

None means that the flow ends here, or that the run does (it waits, hands over, or goes into a sub-flow). Steps
that need a tool or the model are generators. A ValueError is a failed step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from supportbot.dialogue.asking import Scene, buttons, files, say
from supportbot.dialogue.flow import (
    Ask,
    Call,
    End,
    Generate,
    Goto,
    HandOver,
    If,
    Path,
    Say,
    Set,
    SubFlow,
    Switch,
)
from supportbot.dialogue.place import MAX_FRAMES, after, into
from supportbot.dialogue.running import Going, Met, NeedModel, NeedTool, Run, ask_now
from supportbot.dialogue.schema import schema_of
from supportbot.dialogue.slots import Valid, validate_value
from supportbot.dialogue.values import plain, resolve
from supportbot.types import Frame, HandOff, ModelAnswer, ModelFailed, Reply, ToolResult


def _run_ask(run: Run, step: Ask) -> Path | None:
    if run.slots.get(step.slot) is not None and not step.again:
        run.note("known", slot=step.slot)
        return after(run.flow, run.top.at)
    run.note("ask", slot=step.slot)
    ask_now(run, step)
    return None


def _run_say(run: Run, step: Say) -> Path | None:
    text = say(run.scene, step.wording, run.slots, turn=len(run.replies))
    shown = buttons(run.scene, step.buttons, run.slots)
    run.replies.append(Reply(text, shown, files(run.scene, step.files, run.slots), menu=step.menu))
    run.note("say")
    return after(run.flow, run.top.at)


def _run_set(run: Run, step: Set) -> Path | None:
    values = {slot: resolve(value, run.names, run.scene.render) for slot, value in step.values.items()}
    run.slots.update(values)
    run.note("set", slots=sorted(values))
    return after(run.flow, run.top.at)


def _run_if(run: Run, step: If) -> Path | None:
    branch = "then" if step.condition.evaluate(run.names) else "else"
    run.note("if", branch=branch)
    return into(run.flow, run.top.at, branch)


def _run_switch(run: Run, step: Switch) -> Path | None:
    value = step.on.evaluate(run.names)
    case = "true" if value is True else "false" if value is False else str(value)
    keys = ("cases", case) if value is not None and case in step.cases else ("else",)
    run.note("switch", branch=keys[-1])
    return into(run.flow, run.top.at, *keys)


def run_model(run: Run, step: Generate) -> Going:
    instruction = run.scene.render(step.instruction, in_one_line(run.names))
    schema = schema_of(step.into) if step.into else None
    answer = yield NeedModel(instruction, schema, run.heard.text if run.heard else "")
    filled = _filled(step, run.scene, answer)
    for slot in step.into:
        run.slots.pop(slot, None)
    if filled is not None:
        run.slots.update(filled)
        run.note("model", slots=sorted(filled))
        if not step.into and isinstance(answer, ModelAnswer):
            run.replies.append(Reply(answer.text))
        return after(run.flow, run.top.at)
    why = answer.message if isinstance(answer, ModelFailed) else "the answer could not be used"
    run.note("model failed", why=why)
    if step.branch is not None:
        return into(run.flow, run.top.at, "otherwise")
    if step.into:
        return after(run.flow, run.top.at)
    run.hand_over("model_failed", f"The model failed in the flow {run.top.flow}: {why}"[:500])
    return None


def in_one_line(value: Any) -> Any:
    """The value with its texts on one line each: in an instruction they cannot begin a paragraph of their own."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, Mapping):
        return {key: in_one_line(inner) for key, inner in value.items()}
    return [in_one_line(inner) for inner in value] if isinstance(value, list | tuple) else value


def _filled(step: Generate, scene: Scene, answer: Met) -> Mapping[str, Any] | None:
    """The slots that the model's answer fills; None if it is no usable answer."""
    if not isinstance(answer, ModelAnswer):
        return None
    if not step.into:
        return {} if answer.text.strip() else None
    try:
        data = json.loads(answer.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    results = {
        slot: validate_value(spec, data.get(slot), scene.locale, scene.today, scene.region)
        for slot, spec in step.into.items()
    }
    return {slot: result.value for slot, result in results.items() if isinstance(result, Valid)}


def run_call(run: Run, step: Call) -> Going:
    try:
        arguments = {name: resolve(value, run.names, run.scene.render) for name, value in step.arguments.items()}
    except ValueError as error:
        if step.branch is None:
            raise
        return _without(run, str(error))
    confirm = say(run.scene, step.confirm, run.slots) if step.confirm else ""
    result = yield NeedTool(step.tool, arguments, confirm, dict(run.slots))
    failed = result.error if isinstance(result, ToolResult) else "failed"
    run.note("call", tool=step.tool, error=failed)
    if isinstance(result, ToolResult) and not failed:
        if step.into:
            run.slots[step.into] = plain(result.value)
        return after(run.flow, run.top.at)
    content = result.content if isinstance(result, ToolResult) else ""
    if failed == "held":  # the step is run again when it may be done, or may not
        run.frames[-1] = replace(run.top, tries=0)
        run.waits = True
    elif failed == "declined":
        return _declined(run, step, content)
    elif failed == "unverified" and _verifies(run):
        pass
    elif failed == "unknown_outcome":
        run.hand_over("unknown_outcome", f"The action {step.tool} was started; its outcome is unknown.")
    elif step.branch is not None:
        return _without(run, content)
    else:
        run.hand_over("tool_failed", f"The tool {step.tool} failed ({failed}): {content}"[:500])
    return None


def _verifies(run: Run) -> bool:
    """Goes into the flow that finds out who the customer is; once, and the call is tried again behind it."""
    flow = run.book.flows.get(run.scene.verify)
    open_already = any(frame.flow == run.scene.verify for frame in run.frames)
    if flow is None or open_already or run.top.tries or len(run.frames) >= MAX_FRAMES:
        return False
    run.note("flow", name=flow.name)
    if told := run.scene.texts.get("identity_needed"):
        run.replies.append(Reply(told))
    run.frames[-1] = replace(run.top, tries=1)
    run.frames.append(Frame(flow.name, flow.digest))
    return True


def _declined(run: Run, step: Call, why: str) -> Path | None:
    """The customer, or a colleague, said no."""
    run.slots["error"] = why
    if step.declined is not None:
        return into(run.flow, run.top.at, "declined")
    run.replies.append(Reply(why))
    run.frames.clear()
    return None


def _without(run: Run, why: str) -> Path | None:
    """The way of a failed call; `error` is for its steps."""
    run.slots["error"] = why
    return into(run.flow, run.top.at, "otherwise")


def _run_flow(run: Run, step: SubFlow) -> Path | None:
    flow = run.book.flows.get(step.flow)
    if flow is None:
        run.fail(f"there is no flow {step.flow}")
    elif len(run.frames) >= MAX_FRAMES:
        run.fail("too many flows run inside each other")
    else:
        run.note("flow", name=flow.name)
        run.frames.append(Frame(flow.name, flow.digest))
    return None


def _run_handoff(run: Run, step: HandOver) -> Path | None:
    # A hand-over happens even if its words cannot be rendered.
    detail = _rendered(run, step.reason) or step.reason
    text = (
        _rendered(run, step.say.pick(run.scene.locale, run.scene.default_locale, run.scene.seed))
        if step.say
        else ""
    )
    if text:
        run.replies.append(Reply(text))
    flow = run.top.flow
    run.hand_over("flow", detail, told=bool(text))
    run.handoff = HandOff(
        "flow", detail, bool(text), step.tags, step.priority, step.desk, step.gather, cause={"flow": flow}
    )
    return None


def _rendered(run: Run, template: str) -> str:
    try:
        return run.scene.render(template, run.names)
    except ValueError:
        return ""


def _run_goto(run: Run, step: Goto) -> Path | None:
    place = run.flow.names.get(step.target)
    if place is None:
        run.fail(f"there is no step with the name {step.target}")
        return None
    run.note("goto", target=step.target)
    target = run.flow.places[place]
    if isinstance(target, Ask):
        run.slots.pop(target.slot, None)  # who jumps to a question wants it asked
    return place


def _run_end(run: Run, step: End) -> Path | None:
    return None


RUNNERS: Mapping[type, Callable[[Run, Any], Path | None]] = {
    Say: _run_say,
    Ask: _run_ask,
    Set: _run_set,
    If: _run_if,
    Switch: _run_switch,
    SubFlow: _run_flow,
    HandOver: _run_handoff,
    Goto: _run_goto,
    End: _run_end,
}
