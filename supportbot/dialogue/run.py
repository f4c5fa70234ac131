"""The interpreter: goes on in the flows until it must wait for the customer, or no flow is open.

Rules:

1. It does nothing itself: what it needs of a tool or the model it yields, and is sent the result.
2. Slots live while any flow is open; a sub-flow shares them. When the last flow ends they are gone.
3. A step that fails ends in its `otherwise`, else with a human. An edited flow never raises.
4. A hand-over ends all open flows: a human has the conversation now.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Literal

from supportbot.dialogue.asking import Heard, Scene, fixed, judge
from supportbot.dialogue.flow import Ask, Call, FlowBook, Generate, Path, SubFlow
from supportbot.dialogue.place import Settled, after, into, settle
from supportbot.dialogue.running import Advanced, Met, Need, NeedModel, NeedTool, Run, ask_now
from supportbot.dialogue.slots import Valid
from supportbot.dialogue.steps import RUNNERS, run_call, run_model
from supportbot.types import FlowState, ModelAnswer, ModelFailed, Reply, ToolResult


def advance(
    state: FlowState, book: FlowBook, scene: Scene, heard: Heard | None
) -> Generator[NeedTool | NeedModel, ToolResult | ModelAnswer | ModelFailed, Advanced]:
    """Goes on with what the customer said, or without; yields needs and returns where that led. Never raises."""
    run = Run(book, scene, heard, list(state.frames), dict(state.slots), left=scene.max_steps)
    if run.frames and _settled(run, "") != "lost":
        if run.top.asking:
            _answered(run)
        while run.frames and not run.waits:
            yield from _one(run)
    return _landed(run)


def _landed(run: Run) -> Advanced:
    state = FlowState(tuple(run.frames), dict(run.slots)) if run.frames else FlowState()
    status: Literal["waiting", "done"] = "waiting" if run.frames else "done"
    return Advanced(state, tuple(run.replies), status, run.handoff, tuple(run.trace), dict(run.slots))


# --- the way along -------------------------------------------------------------------------------------------


def _one(run: Run) -> Generator[Need, Met, None]:
    """Runs one step and moves to the next."""
    if run.left <= 0:
        run.hand_over("error", f"The flow {run.top.flow} did not come to an end; it may go round in circles.")
        return
    run.left -= 1
    step = run.flow.places[run.top.at]
    depth = len(run.frames)
    try:
        if isinstance(step, Generate):
            following = yield from run_model(run, step)
        elif isinstance(step, Call):
            following = yield from run_call(run, step)
        else:
            following = RUNNERS[type(step)](run, step)
    except ValueError as error:
        run.fail(str(error))
        return
    if run.frames and not run.waits and len(run.frames) == depth:
        _move(run, following)


def _move(run: Run, following: Path | None) -> None:
    if following is None:
        _leave(run)
    else:
        run.frames[-1] = replace(run.top, at=following, asking="", tries=0)


def _leave(run: Run) -> None:
    """The topmost flow has ended: the one below goes on behind its `flow` step, or asks its question again."""
    run.note("end")
    ended = run.frames.pop().flow
    if not run.frames or _settled(run, ended) != "same":
        return
    step = run.flow.places[run.top.at]
    if run.top.asking:
        ask_now(run, step)
    elif isinstance(step, SubFlow) and step.flow == ended:
        _move(run, after(run.flow, run.top.at))


def _settled(run: Run, inner: str) -> Settled:
    """Finds the topmost frame's place again; "lost" if nothing is to be run now."""
    flow = run.book.flows.get(run.top.flow)
    if flow is None:
        _removed(run)
        return "lost"
    how, frame = settle(flow, run.book, run.top, inner)
    run.frames[-1] = frame
    if how == "lost":
        run.hand_over("flow", f"The flow {flow.name} was changed while the customer stood in it.")
    elif how == "again":
        run.note("begun again", reason="the flow was changed")
    return how


def _removed(run: Run) -> None:
    """Drops the frames of flows that are gone, and what stood on them; the customer is told."""
    run.note("removed")
    run.frames.pop()
    while run.frames and (not run.top.asking or run.top.flow not in run.book.flows):
        run.frames.pop()
    run.replies.append(Reply(fixed(run.scene, "flow_changed")))
    if run.frames and _settled(run, "") == "same":
        ask_now(run, run.flow.places[run.top.at])


# --- questions -----------------------------------------------------------------------------------------------


def _answered(run: Run) -> None:
    """Takes the answer to the open question, or asks once more."""
    ask = run.flow.places[run.top.at]
    if not isinstance(ask, Ask) or run.heard is None:
        ask_now(run, ask)
        return
    result = judge(ask, run.scene, run.slots, run.heard)
    if isinstance(result, Valid):
        run.slots[ask.slot] = result.value
        run.note("answer", slot=ask.slot)
        _move(run, after(run.flow, run.top.at))
        return
    run.note("no answer", slot=ask.slot, reason=result.reason)
    counted = result.reason != "button"
    run.frames[-1] = replace(run.top, tries=run.top.tries + counted)
    if run.top.tries >= ask.tries:
        _given_up(run, ask)
    else:
        ask_now(run, ask, result)


def _given_up(run: Run, ask: Ask) -> None:
    if ask.otherwise == "handoff":
        run.hand_over("flow", f"The customer could not answer the question for {ask.slot} in {ask.tries} tries.")
    elif ask.otherwise == "cancel":
        run.note("cancelled")
        run.replies.append(Reply(fixed(run.scene, "cancelled")))
        run.frames.clear()
    else:
        _move(run, into(run.flow, run.top.at, "otherwise"))


__all__ = ["Advanced", "NeedModel", "NeedTool", "advance"]
