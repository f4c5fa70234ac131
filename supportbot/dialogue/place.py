"""Where a customer stands in the flows, and how the place is found again after the flows were edited.

The rule, in one sentence: a flow that was edited while a customer stood in it goes on at the question that was
asked (or at the sub-flow that was running); if that is gone, or there are several, it begins again, unless it or
a sub-flow of it calls a tool, in which case a human takes over.

Frames below the topmost are looked at only when they become the topmost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from supportbot.dialogue.flow import Ask, Call, Flow, FlowBook, Path, Step, SubFlow
from supportbot.dialogue.slots import Valid, validate_value
from supportbot.types import FlowState, Frame

MAX_FRAMES = 12
MAX_CAPTURED = 500
Settled = Literal["same", "again", "lost"]


def enter(
    state: FlowState, book: FlowBook, name: str, slots: Mapping[str, Any] | None = None, *, scene: Any = None
) -> FlowState:
    """The state with the flow on top, at its first step; unchanged if there is no such flow.

    A flow that is open already begins again: what it filled is forgotten and what ran above it is dropped.
    Of `slots` those are taken that the flow asks for and that validate (with the locale, day and region of `scene`),
    and those that its start patterns capture.
    """
    flow = book.flows.get(name)
    if flow is None:
        return state
    frames, kept = state.frames, dict(state.slots)
    places = [index for index, frame in enumerate(frames) if frame.flow == name]
    if places:
        frames = frames[: places[0]]
        kept = {slot: value for slot, value in kept.items() if slot not in flow.fills}
    given = {slot: value for slot, raw in (slots or {}).items() for value in _taken(book, flow, slot, raw, scene)}
    if len(frames) >= MAX_FRAMES:
        frames = frames[1:]
    return FlowState((*frames, Frame(name, flow.digest)), {**kept, **given})


def _taken(book: FlowBook, flow: Flow, slot: str, raw: Any, scene: Any) -> tuple[Any, ...]:
    ask = book.ask_for(flow.name, slot)
    if ask is not None:
        locale, today, region = (scene.locale, scene.today, scene.region) if scene else ("en", None, "")
        result = validate_value(ask.spec, raw, locale, today, region)
        return (result.value,) if isinstance(result, Valid) else ()
    fits = slot in flow.captures and isinstance(raw, str) and len(raw) <= MAX_CAPTURED
    return (raw,) if fits else ()


def cancel(state: FlowState) -> FlowState:
    """No flow is open any more, and nothing is kept."""
    return FlowState()


def correct(state: FlowState, name: str, value: Any) -> FlowState:
    """A slot that is filled gets another value; the flow goes on from where it is. Else unchanged."""
    if not state.frames or name not in state.slots:
        return state
    return replace(state, slots={**state.slots, name: value})


def waiting(state: FlowState, book: FlowBook) -> Ask | None:
    """The question that is being asked, found again in an edited flow; None if there is none."""
    if not state.frames or not state.frames[-1].asking:
        return None
    frame = state.frames[-1]
    flow = book.flows.get(frame.flow)
    place = None if flow is None else locate(flow, frame, "")
    step = None if flow is None or place is None else flow.places[place]
    return step if isinstance(step, Ask) else None


def locate(flow: Flow, frame: Frame, inner: str) -> Path | None:
    """Where the frame stands in the flow as it is now, None if that cannot be told.

    `inner` is the sub-flow that has just ended above the frame, "" if none has.
    """
    path = tuple(frame.at)
    if frame.digest == flow.digest and _stands(flow.places.get(path), frame):
        return path
    if frame.asking:
        wanted = [
            place for place, step in flow.places.items() if isinstance(step, Ask) and step.slot == frame.asking
        ]
    elif inner:
        wanted = [place for place, step in flow.places.items() if isinstance(step, SubFlow) and step.flow == inner]
    else:
        wanted = [(0,)] if path == (0,) else []
    return wanted[0] if len(wanted) == 1 else None


def _stands(step: Step | None, frame: Frame) -> bool:
    if frame.asking:
        return isinstance(step, Ask) and step.slot == frame.asking
    return step is not None


def settle(flow: Flow, book: FlowBook, frame: Frame, inner: str) -> tuple[Settled, Frame]:
    """The frame with its place in the flow as it is now: the same place, begun again, or lost."""
    place = locate(flow, frame, inner)
    if place is not None:
        return "same", replace(frame, at=place, digest=flow.digest)
    if any(isinstance(step, Call) for open_flow in book.reach(flow.name) for step in open_flow.places.values()):
        return "lost", frame
    return "again", Frame(flow.name, flow.digest)


def calling(state: FlowState, book: FlowBook) -> bool:
    """Whether the topmost flow stands at a call, which is run again when the flow goes on."""
    if not state.frames or state.frames[-1].asking or state.frames[-1].flow not in book.flows:
        return False
    flow = book.flows[state.frames[-1].flow]
    place = locate(flow, state.frames[-1], "")
    return place is not None and isinstance(flow.places[place], Call)


def after(flow: Flow, path: Path) -> Path | None:
    """The place behind a step: the next in its list, else behind the step it is in; None at the flow's end."""
    place = path
    while place:
        index = place[-1]
        following = (*place[:-1], int(index) + 1)
        if following in flow.places:
            return following
        place = place[:-1]
        while place and not isinstance(place[-1], int):
            place = place[:-1]
    return None


def into(flow: Flow, path: Path, *keys: str) -> Path | None:
    """The first place of a step's branch; behind the step if the branch is empty or not there."""
    first = (*path, *keys, 0)
    return first if first in flow.places else after(flow, path)
