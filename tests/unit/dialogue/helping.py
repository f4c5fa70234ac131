"""Short ways to write flows and to walk through them in tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import ValidationError

from supportbot.dialogue import Advanced, FlowBook, Heard, NeedModel, NeedTool, Scene, advance, build, enter
from supportbot.dialogue.grammar import FlowFile
from supportbot.types import Action, FlowState, ModelAnswer, ModelFailed, ToolResult

TODAY = date(2026, 5, 6)
_SANDBOX = SandboxedEnvironment(undefined=StrictUndefined)


class RenderFailed(ValueError):
    """Stands for what the real sandbox raises."""


def render(text: str, values: Mapping[str, Any]) -> str:
    try:
        return _SANDBOX.from_string(text).render(values)
    except (TemplateError, ArithmeticError, TypeError) as error:
        raise RenderFailed(str(error)) from error


def scene(**changes: Any) -> Scene:
    given: dict[str, Any] = {
        "values": {
            "user": {"id": "u1", "name": "Ana"},
            "bot": {"name": "Acme"},
            "persona": {"name": "Mia"},
            "channel": "web",
        },
        "render": render,
        "locale": "en",
        "default_locale": "en",
        "seed": 0,
        "today": TODAY,
        "region": "",
        "texts": {
            "invalid": "Not understood.",
            "choose_number": "Choose one.",
            "cancelled": "Stopped.",
            "flow_changed": "Changed.",
        },
    }
    return Scene(**{**given, **changes})


def book(*sources: str) -> FlowBook:
    """The flows written as YAML; a source without `flow:` is the steps of a flow named main."""
    files = {}
    for number, source in enumerate(sources):
        written = yaml.safe_load(source)
        whole = (
            written if isinstance(written, dict) else {"flow": "main", "description": "Main.", "steps": written}
        )
        files[f"flows/{number}.yaml"] = FlowFile.model_validate(whole)
    return build(files)


def mistakes(steps: str) -> list[tuple[tuple[Any, ...], str]]:
    """(place, sentence) of each mistake in the steps of a flow."""
    with pytest.raises(ValidationError) as caught:
        FlowFile.model_validate({"flow": "main", "steps": yaml.safe_load(steps)})
    return [(error["loc"], error["msg"]) for error in caught.value.errors()]


@dataclass
class Walk:
    """Talks with a flow: `say` and `press` go on and give the texts said back."""

    flows: FlowBook
    results: list[Any] = field(default_factory=list)
    scene: Scene = field(default_factory=scene)
    state: FlowState = field(default_factory=FlowState)
    needs: list[NeedTool | NeedModel] = field(default_factory=list)
    last: Advanced | None = None

    def start(self, name: str = "main", slots: Mapping[str, Any] | None = None) -> list[str]:
        self.state = enter(self.state, self.flows, name, slots, scene=self.scene)
        return self.go(None)

    def say(self, text: str) -> list[str]:
        return self.go(Heard(text))

    def press(self, id: str) -> list[str]:
        return self.go(Heard("", Action(id)))

    def go(self, heard: Heard | None) -> list[str]:
        self.last = drive(advance(self.state, self.flows, self.scene, heard), self.results, self.needs)
        self.state = self.last.state
        return [reply.text for reply in self.last.replies]

    @property
    def slots(self) -> Mapping[str, Any]:
        assert self.last is not None
        return self.last.slots

    @property
    def handoff(self) -> str:
        assert self.last is not None
        return self.last.handoff.reason if self.last.handoff else ""


def drive(run: Any, results: Iterable[ToolResult | ModelAnswer | ModelFailed], needs: list[Any]) -> Advanced:
    """Runs an advance to its end, with these results of its needs in order."""
    given = iter(list(results))
    try:
        need = next(run)
        while True:
            needs.append(need)
            need = run.send(next(given, ToolResult("out of results", error="failed")))
    except StopIteration as stop:
        ended: Advanced = stop.value
        return ended
