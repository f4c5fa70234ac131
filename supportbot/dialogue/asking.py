"""Questions: how one is put to the customer, and whether what came back answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from supportbot.dialogue.expr import ExprError
from supportbot.dialogue.flow import Ask, ButtonSpec, FileSpec, FlowBook
from supportbot.dialogue.place import waiting
from supportbot.dialogue.slots import Invalid, Valid, button_ids, validate, validate_value
from supportbot.dialogue.wording import Wording
from supportbot.mediatypes import by_name
from supportbot.types import Action, Attachment, Button, FlowState, Reply

OWN_FILE = "bot:"
"""Begins the `ref` of a file in the bot's folder."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What one advance may know of the world.

    `values` are what templates see beside the slots: bot, persona, user (mappings) and channel. `render` turns a
    template and values into text, and raises a ValueError when it cannot. `texts` are fixed texts in the customer's
    language: invalid, choose_number, cancelled, flow_changed, and if given yes, no, and invalid_REASON for
    any reason of `supportbot.dialogue.slots.Invalid`. `region` is a country such as "DE", "" if not known.
    """

    values: Mapping[str, Any]
    render: Callable[[str, Mapping[str, Any]], str]
    locale: str
    default_locale: str
    seed: int
    today: date
    region: str
    texts: Mapping[str, str]
    max_steps: int = 200
    verify: str = ""
    """The flow that finds out who the customer is, for calls that need to know."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the customer said, or pressed."""

    text: str
    action: Action | None = None


def names(scene: Scene, slots: Mapping[str, Any]) -> dict[str, Any]:
    """What templates and expressions see."""
    own = {"slots": slots, "locale": scene.locale, "today": scene.today.isoformat()}
    return {**slots, **scene.values, **own}


def say(scene: Scene, wording: Wording, slots: Mapping[str, Any], *, turn: int = 0) -> str:
    """The rendered text; `turn` moves on among variants. Raises what `scene.render` raises."""
    template = wording.pick(scene.locale, scene.default_locale, scene.seed + turn)
    return scene.render(template, names(scene, slots))


def buttons(scene: Scene, specs: tuple[ButtonSpec, ...], slots: Mapping[str, Any]) -> tuple[Button, ...]:
    """The buttons with rendered labels."""
    return tuple(
        Button(
            spec.id,
            say(scene, spec.label, slots),
            spec.value,
            url=scene.render(spec.url, names(scene, slots)) if spec.url else "",
            style=spec.style,
            asks=spec.asks,
        )
        for spec in specs
    )


def files(scene: Scene, specs: tuple[FileSpec, ...], slots: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """The files to send; one of the bot's folder is named by its path until it is sent."""
    made = []
    for spec in specs:
        url = scene.render(spec.url, names(scene, slots)) if spec.url else ""
        last = (spec.path or url.partition("?")[0]).rpartition("/")[2]
        name = say(scene, spec.name, slots) or last or "file"
        made.append(Attachment(name, by_name(last), url=url, ref=f"{OWN_FILE}{spec.path}" if spec.path else ""))
    return tuple(made)


def put(scene: Scene, ask: Ask, slots: Mapping[str, Any]) -> Reply:
    """The question with the buttons for its choices. Raises what `scene.render` raises."""
    return Reply(say(scene, ask.question, slots), _answers(scene, ask, slots), menu=ask.menu)


def put_again(scene: Scene, ask: Ask, slots: Mapping[str, Any], reason: str) -> Reply:
    """What is said to an answer that does not fit: the step's own words, else a fixed text and the question."""
    if reason == "button":
        return put(scene, ask, slots)
    if ask.invalid is not None:
        return Reply(say(scene, ask.invalid, slots), _answers(scene, ask, slots), menu=ask.menu)
    usual = "choose_number" if ask.spec.type == "choice" else "invalid"
    told = scene.texts.get(f"invalid_{reason}") or fixed(scene, usual)
    asked = put(scene, ask, slots)
    return replace(asked, text=f"{told}\n\n{asked.text}")


def _answers(scene: Scene, ask: Ask, slots: Mapping[str, Any]) -> tuple[Button, ...]:
    share = scene.texts.get(f"share_{ask.asks}", "") if ask.asks else ""
    if share:
        return (Button(f"{ask.slot}:share", share, asks=ask.asks),)
    if ask.spec.type == "yes_no":
        yes, no = scene.texts.get("yes"), scene.texts.get("no")
        return (Button(f"{ask.slot}:yes", yes, "yes"), Button(f"{ask.slot}:no", no, "no")) if yes and no else ()
    return tuple(
        Button(id, say(scene, choice.label, slots), choice.value)
        for id, choice in zip(button_ids(ask.spec), ask.spec.choices, strict=False)
    )


_ENGLISH = {
    "invalid": "I did not understand that.",
    "choose_number": "Please choose one of the answers, or send its number.",
    "cancelled": "All right, I have stopped there.",
    "flow_changed": "What we were doing has changed in the meantime. Please tell me again what you need.",
}


def fixed(scene: Scene, key: str) -> str:
    """A fixed text, in English if the scene lacks it."""
    return scene.texts.get(key) or _ENGLISH[key]


def judge(ask: Ask, scene: Scene, slots: Mapping[str, Any], heard: Heard) -> Valid | Invalid:
    """The value that the answer gives, or why it gives none."""
    result = validate(ask.spec, heard.action or heard.text, scene.locale, scene.today, scene.region)
    return _checked(ask, scene, slots, result)


def accept(state: FlowState, book: FlowBook, scene: Scene, name: str, value: Any) -> Valid | Invalid:
    """The value for a slot of the open flows, as a model or the customer gave it; "unknown" if nothing asks for it."""
    asks = (book.ask_for(frame.flow, name) for frame in reversed(state.frames))
    ask = next((ask for ask in asks if ask is not None), None)
    if ask is None:
        return Invalid("unknown")
    result = validate_value(ask.spec, value, scene.locale, scene.today, scene.region)
    return _checked(ask, scene, state.slots, result)


def _checked(ask: Ask, scene: Scene, slots: Mapping[str, Any], result: Valid | Invalid) -> Valid | Invalid:
    if isinstance(result, Invalid) or ask.check is None:
        return result
    try:
        good = ask.check.evaluate({**names(scene, slots), "value": result.value})
    except ExprError:
        good = False
    return result if good else Invalid("check")


def fits(state: FlowState, book: FlowBook, scene: Scene, heard: Heard) -> bool:
    """Whether it answers the question being asked; False if there is none."""
    ask = waiting(state, book)
    return ask is not None and isinstance(judge(ask, scene, state.slots, heard), Valid)


def question(state: FlowState, book: FlowBook, scene: Scene) -> Reply:
    """The question being asked, once more; an empty reply if there is none."""
    ask = waiting(state, book)
    if ask is None:
        return Reply("")
    try:
        return put(scene, ask, state.slots)
    except ValueError:
        return Reply(fixed(scene, "invalid"))
