"""Who the bot is, as the persona's YAML file says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from supportbot import texts
from supportbot.types import ModelParameters

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")


def _plain(kind: str, message: str) -> PydanticCustomError:
    # the message goes through a formatter of its own, which reads braces
    return PydanticCustomError(kind, "{message}", {"message": message})


def _language(value: Any) -> Any:
    if isinstance(value, bool):
        raise _plain("language", 'YAML reads this as yes or no: write the language in quotes, such as "no"')
    if isinstance(value, str) and not _LANGUAGE.match(value):
        raise _plain("language", f"{value!r} is not a language code such as en, de or pt-BR")
    return value


def _no_repeats(values: tuple[str, ...]) -> tuple[str, ...]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise _plain("repeated", f"{value!r} stands here twice")
    return values


def _by_language(value: Any) -> Any:
    if isinstance(value, Mapping) and not value:
        raise _plain("empty", "give the text in at least one language")
    return value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]
Language = Annotated[str, BeforeValidator(_language)]
LocaleText = Annotated[Text | dict[Language, Text], BeforeValidator(_by_language)]
"""A text in every language, or one for each language."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Example(_Part):
    """One exchange that shows how the bot answers."""

    customer: Text
    reply: Text


class Sampling(_Part):
    """How the model writes; what is left out, or null, is left to the provider."""

    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    max_tokens: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    stop: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(default=(), max_length=4)
    seed: int | None = None


class HandoffWords(_Part):
    """What customers say when they want a human, for each language, beside the shipped phrases."""

    phrases: dict[Language, tuple[Text, ...]] = Field(default_factory=dict)


def _known_texts(values: dict[str, Any]) -> dict[str, Any]:
    for key, value in values.items():
        if key not in texts.TEXTS:
            near = get_close_matches(key, texts.TEXTS, n=1)
            hint = f": did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(texts.TEXTS))}"
            raise _plain("unknown_text", f"there is no text {key!r}{hint}")
        for text in [value] if isinstance(value, str) else value.values():
            _known_placeholders(key, text)
    return values


def _known_placeholders(key: str, text: str) -> None:
    known = texts.placeholders(texts.TEXTS[key]["en"])
    for name in sorted(texts.placeholders(text) - known):
        allowed = ", ".join(f"{{{each}}}" for each in sorted(known)) or "none"
        raise _plain("placeholder", f"the text {key!r} cannot have {{{name}}}; its placeholders: {allowed}")


class Persona(_Part):
    """One persona. `languages` has the default first; `system` and `context` name templates, None means the shipped."""

    name: Text
    role: Text = "customer support"
    tone: Text = "friendly, brief and concrete"
    languages: Annotated[tuple[Language, ...], AfterValidator(_no_repeats)] = Field(default=("en",), min_length=1)
    dos: tuple[Text, ...] = ()
    donts: tuple[Text, ...] = ()
    examples: tuple[Example, ...] = ()
    model: Sampling = Sampling()
    system: Text | None = None
    context: Text | None = None
    handoff: HandoffWords = HandoffWords()
    tools: tuple[Text, ...] | None = None
    """The tools that the model may use, by name or pattern such as find_*; None: all that are not private."""
    images: bool = False
    """The model is shown the pictures that customers send; it must be one that takes them."""
    texts: Annotated[dict[str, LocaleText], AfterValidator(_known_texts)] = Field(default_factory=dict)

    @property
    def parameters(self) -> ModelParameters:
        """The sampling in the form that models take."""
        return ModelParameters(**dict(self.model))
