"""What may be written in a flow file: `FlowFile`, one per YAML file.

Rules:

1. An error's place is the path of keys and indices in the file, so that it can be shown as file, line and column.
2. A step is told by its one key (`say`, `ask`, …); a mistake in it is reported for that kind of step only.
3. What is short in YAML is spelled out here: texts become {locale: (variants)}, `end` becomes {end: true}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from supportbot.dialogue.fieldtypes import RESERVED, Command, Expression, Name, Regex, SlotName, ToolName, scalar
from supportbot.dialogue.mistakes import Part, did_you_mean, mistake
from supportbot.dialogue.phrasing import Phrases, Text, buttons_or_text

MAX_NESTING = 30
SlotType = Literal["text", "number", "choice", "yes_no", "email", "phone", "date", "pattern"]


# --- what starts a flow --------------------------------------------------------------------------------------


class Trigger(Part):
    """One way to start a flow: exactly one of the keys."""

    phrases: Phrases | None = None
    keywords: Phrases | None = None
    pattern: Regex | None = None
    command: Command | None = None
    button: str | None = None
    event: str | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"a line of `start` needs exactly one of: {', '.join(self.keys())}")
        return self


# --- questions -----------------------------------------------------------------------------------------------


class ChoicePart(Part):
    """One answer to choose: `value` goes into the slot, `label` is shown."""

    value: Annotated[str, WrapValidator(lambda value, handler: handler(scalar(value)))]
    label: Text | None = None


def _choice(value: Any, handler: Any) -> ChoicePart:
    if isinstance(value, dict):
        return ChoicePart.model_validate(value)
    word = scalar(value)
    if not isinstance(word, str) or not word.strip():
        raise ValueError("a choice is a word, or a mapping with `value` and `label`")
    return ChoicePart.model_validate({"value": word})


Choices = tuple[Annotated[ChoicePart | str, WrapValidator(_choice)], ...]
Bound = Annotated[Any, WithJsonSchema({"type": ["number", "string"]})]


class Answer(Part):
    """What kind of answer a slot takes. The type may be left out beside `choices` or `pattern`."""

    type: SlotType = "text"
    pattern: Regex | None = None
    choices: Annotated[Choices, Field(min_length=1)] | None = None
    min: Bound = None
    max: Bound = None

    @model_validator(mode="before")
    @classmethod
    def _implied_type(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "type" in data:
            return data
        implied = next(
            (kind for kind, key in (("choice", "choices"), ("pattern", "pattern")) if key in data), None
        )
        return {**data, "type": implied} if implied else data

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        for kind, key in (("choice", "choices"), ("pattern", "pattern")):
            given = getattr(self, key) is not None
            if given and self.type != kind:
                raise mistake(f"`{key}` goes with `type: {kind}`, here the type is {self.type}", key)
            if self.type == kind and not given:
                raise mistake(f"`type: {kind}` needs the key `{key}`", "type")
        for key in ("min", "max"):
            _check_bound(self.type, key, getattr(self, key))
        return self


def _check_bound(kind: str, key: str, value: Any) -> None:
    if value is None:
        return
    if kind not in ("text", "number", "date"):
        raise mistake(f"`{key}` goes with the types text, number and date", key)
    if kind == "date":
        if not re.fullmatch(r"\d{4}-\d\d-\d\d|today|tomorrow|yesterday", str(value)):
            raise mistake(f"`{key}` of a date is written 2026-05-31, or today, tomorrow, yesterday", key)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise mistake(f"`{key}` must be a number", key)


def _answer(value: Any, handler: Any) -> Answer:
    if isinstance(value, str):
        try:
            return Answer.model_validate({"type": value})
        except ValueError as error:
            raise mistake(str(error.errors()[0]["msg"])) from None  # type: ignore[attr-defined]  # a ValidationError
    return Answer.model_validate(value)


# --- steps ---------------------------------------------------------------------------------------------------


class Named(Part):
    """What every step may have: a name that `goto` can jump to."""

    name: Name | None = None


class ButtonPart(Part):
    """A button: `id` comes back when it is pressed, `url` is opened, `asks` shares the customer's phone or location."""

    label: Text
    id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    value: str = ""
    url: Annotated[str, Field(max_length=2000)] | None = None
    asks: Literal["phone", "location"] | None = None
    style: Literal["primary", "danger"] | None = None

    @model_validator(mode="after")
    def _one_purpose(self) -> Self:
        given = [key for key in ("id", "url", "asks") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("a button needs exactly one of: id, url, asks")
        if self.url is not None and not self.url.startswith(("https://", "http://")):
            raise mistake("a button's url begins with https://", "url")
        return self


class FilePart(Part):
    """A picture or file to send: an address, or a file in the bot's folder."""

    url: Annotated[str, Field(max_length=2000)] | None = None
    path: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    name: Text | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url is None) == (self.path is None):
            raise ValueError("a file needs exactly one of: url, path")
        if self.url is not None and not self.url.startswith(("https://", "http://")):
            raise mistake("a file's url begins with https://", "url")
        return self


class SayBody(Part):
    """What to say, with its buttons (`menu`: as one list to choose from) and files."""

    text: Text
    buttons: tuple[ButtonPart, ...] = ()
    files: tuple[FilePart, ...] = ()
    menu: bool = False


class SayStep(Named):
    """Says something: a text, texts per language, variants, or a text with buttons."""

    say: Annotated[SayBody | Text, WrapValidator(lambda value, _: SayBody.model_validate(buttons_or_text(value)))]


class AskStep(Named, Answer):
    """Asks until the slot is filled."""

    ask: SlotName
    question: Text
    check: Expression | None = None
    invalid: Text | None = None
    tries: Annotated[int, Field(ge=1, le=20)] = 3
    otherwise: Literal["handoff", "cancel", "skip"] | Steps = "handoff"
    again: bool = False
    sensitive: bool = False
    menu: bool = False
    asks: Literal["phone", "location"] | None = None

    @model_validator(mode="after")
    def _asks_or_offers(self) -> Self:
        if self.asks is not None and self.type in ("choice", "yes_no"):
            raise mistake("`asks` does not go with answers to choose from", "asks")
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _one_otherwise(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        word = data.get("otherwise") if isinstance(data, dict) else None
        if word is not None and not isinstance(word, list | tuple) and word not in ("handoff", "cancel", "skip"):
            raise mistake("`otherwise` is handoff, cancel, skip or a list of steps", "otherwise", value=word)
        if isinstance(word, list):
            # Parsed here, so that a mistake in a step is not reported against the three words too.
            steps = _Block.model_validate({"otherwise": word}).otherwise
            data = {**data, "otherwise": steps}
        return handler(data)


class SetStep(Named):
    """Fills slots with values, templates or the value of one whole {{ … }}."""

    set: Annotated[Mapping[SlotName, Any], Field(min_length=1)]


class IfStep(Named):
    """Goes one way or the other."""

    if_: Expression = Field(alias="if")
    then: Steps
    else_: Steps = Field(default=(), alias="else")


def _case(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


class SwitchStep(Named):
    """Goes the way named by a value."""

    switch: Expression
    cases: Annotated[Mapping[str, Steps], Field(min_length=1)]
    else_: Steps = Field(default=(), alias="else")

    @model_validator(mode="before")
    @classmethod
    def _cases_are_words(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("cases"), dict):
            return {**data, "cases": {_case(key): steps for key, steps in data["cases"].items()}}
        return data


class ModelBody(Part):
    """An instruction to the model, and the slots its answer fills."""

    instruction: Annotated[str, Field(min_length=1)]
    into: (
        Annotated[Mapping[SlotName, Annotated[Answer | SlotType, WrapValidator(_answer)]], Field(min_length=1)]
        | None
    ) = None
    otherwise: Steps | None = None


def _model_body(value: Any, handler: Any) -> ModelBody:
    return ModelBody.model_validate({"instruction": value} if isinstance(value, str) else value)


class ModelStep(Named):
    """Lets the model write the reply, or read something out of what the customer wrote."""

    model: Annotated[ModelBody | str, WrapValidator(_model_body)]


class CallStep(Named):
    """Calls a tool. `confirm` are the words in which the customer is asked first, if the tool wants that; `declined`
    the steps after a no."""

    call: ToolName
    with_: Mapping[str, Any] = Field(default={}, alias="with")
    into: SlotName | None = None
    confirm: Text | None = None
    declined: Steps | None = None
    otherwise: Steps | None = None


class FlowStep(Named):
    """Runs another flow and comes back."""

    flow: Name


class HandoffBody(Part):
    """Why a human is needed, and what the customer is told."""

    reason: Annotated[str, Field(min_length=1)]
    say: Text | None = None
    tags: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    priority: Literal["normal", "high", "urgent"] = "normal"
    desk: Annotated[str, Field(min_length=1)] | None = None
    gather: Name | None = None


def _handoff_body(value: Any, handler: Any) -> HandoffBody:
    return HandoffBody.model_validate({"reason": value} if isinstance(value, str) else value)


class HandoffStep(Named):
    """Gives the conversation to a human; the flow is over."""

    handoff: Annotated[HandoffBody | str, WrapValidator(_handoff_body)]


class GotoStep(Named):
    """Goes on at the step of that name, in the same flow."""

    goto: Name


class EndStep(Named):
    """Ends this flow."""

    end: Literal[True]


Kind: TypeAlias = (
    SayStep
    | AskStep
    | SetStep
    | IfStep
    | SwitchStep
    | ModelStep
    | CallStep
    | FlowStep
    | HandoffStep
    | GotoStep
    | EndStep
)
KINDS: Mapping[str, type[Part]] = {
    "say": SayStep,
    "ask": AskStep,
    "set": SetStep,
    "if": IfStep,
    "switch": SwitchStep,
    "model": ModelStep,
    "call": CallStep,
    "flow": FlowStep,
    "handoff": HandoffStep,
    "goto": GotoStep,
    "end": EndStep,
}


def _step(value: Any, handler: Any) -> Any:
    if isinstance(value, Named):
        return value
    if value == "end":
        return EndStep.model_validate({"end": True})
    if not isinstance(value, dict):
        hint = f"; write `{value}: …`" if isinstance(value, str) and value in KINDS else ""
        raise ValueError(f"a step is a line such as `say: Hello`; only the word `end` may stand alone{hint}")
    found = [kind for kind in KINDS if kind in value]
    if len(found) == 1:
        return KINDS[found[0]].model_validate(value)
    if found:
        raise ValueError(
            f"a step needs exactly one of {', '.join(found)}; begin a new line with `- ` for the other"
        )
    guess = next((hint for key in value if (hint := did_you_mean(key, KINDS))), "")
    raise ValueError(f"a step needs exactly one of: {', '.join(KINDS)}{guess}")


Step = Annotated[Kind | Literal["end"], WrapValidator(_step)]
Steps = tuple[Step, ...]


class _Block(Part):
    otherwise: Steps


class FlowFile(Part):
    """One flow, as written in one file."""

    flow: Name
    title: Text | None = None
    description: str = ""
    start: tuple[Trigger, ...] = ()
    model: bool = True
    steps: Annotated[Steps, Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _not_too_deep(cls, data: Any) -> Any:
        level = [data]
        for _ in range(MAX_NESTING * 3):
            inner = [value.values() if isinstance(value, dict) else value for value in level]
            level = [item for values in inner for item in values if isinstance(item, dict | list)]
            if not level:
                return data
        raise ValueError(f"steps are nested more than {MAX_NESTING} levels deep; use sub-flows")


_parts: tuple[type[Part], ...] = (*KINDS.values(), ModelBody, _Block, FlowFile)
for _part in _parts:
    _part.model_rebuild()

__all__ = ["KINDS", "RESERVED", "FlowFile"]
