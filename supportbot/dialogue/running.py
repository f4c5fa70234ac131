"""What is in hand during one advance: the needs it can have, where it stands, and what it led to."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from supportbot.dialogue.asking import Heard, Scene, names, put, put_again
from supportbot.dialogue.flow import Ask, Flow, FlowBook, Path, Step
from supportbot.dialogue.slots import Invalid
from supportbot.types import FlowState, Frame, HandOff, ModelAnswer, ModelFailed, Reply, ToolResult


@dataclass(frozen=True, slots=True)
class NeedTool:
    """`confirm` is the question to the customer in the flow's own words, "" for the house's."""

    name: str
    arguments: Mapping[str, Any]
    confirm: str = ""
    slots: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NeedModel:
    """An instruction for the model; with `schema` the answer must be JSON. `customer_text` is what was said last."""

    instruction: str
    schema: Mapping[str, Any] | None
    customer_text: str


@dataclass(frozen=True, slots=True)
class Advanced:
    """Where the flows stand now, and what is said. `slots` are the values gathered, also when the last flow has ended."""

    state: FlowState
    replies: tuple[Reply, ...] = ()
    status: Literal["waiting", "done"] = "done"
    handoff: HandOff | None = None
    trace: tuple[Mapping[str, Any], ...] = ()
    slots: Mapping[str, Any] = field(default_factory=dict)


Need = NeedTool | NeedModel
Met = ToolResult | ModelAnswer | ModelFailed
Going = Generator[Need, Met, Path | None]


@dataclass(slots=True)
class Run:
    """What changes during one advance."""

    book: FlowBook
    scene: Scene
    heard: Heard | None
    frames: list[Frame]
    slots: dict[str, Any]
    replies: list[Reply] = field(default_factory=list)
    trace: list[Mapping[str, Any]] = field(default_factory=list)
    handoff: HandOff | None = None
    waits: bool = False
    left: int = 200

    @property
    def top(self) -> Frame:
        return self.frames[-1]

    @property
    def flow(self) -> Flow:
        return self.book.flows[self.top.flow]

    @property
    def names(self) -> dict[str, Any]:
        return names(self.scene, self.slots)

    def note(self, did: str, **facts: Any) -> None:
        at = ".".join(str(part) for part in self.top.at) if self.frames else ""
        self.trace.append({"step": did, "flow": self.top.flow if self.frames else "", "at": at, **facts})

    def hand_over(self, reason: str, detail: str, *, told: bool = False) -> None:
        self.note("handoff", reason=reason, detail=detail)
        self.handoff = HandOff(reason, detail, told)
        self.frames.clear()

    def fail(self, why: str) -> None:
        """A step cannot be run and has no way out of its own."""
        at = ".".join(str(part) for part in self.top.at)
        self.hand_over("error", f"Step {at} of the flow {self.top.flow} failed: {why}"[:500])


def ask_now(run: Run, ask: Step, why: Invalid | None = None) -> None:
    """Puts the question, and waits."""
    if not isinstance(ask, Ask):
        return
    try:
        reply = put(run.scene, ask, run.slots) if why is None else put_again(run.scene, ask, run.slots, why.reason)
    except ValueError as error:
        run.fail(str(error))
        return
    run.replies.append(reply)
    run.frames[-1] = replace(run.top, asking=ask.slot)
    run.waits = True
