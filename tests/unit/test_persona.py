"""A persona is read as written, and a mistake in it is named."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from supportbot.persona import Persona
from supportbot.types import ModelParameters

FULL: dict[str, Any] = {
    "name": "Mia",
    "role": "customer support at Acme Home",
    "tone": "warm, brief and concrete",
    "languages": ["en", "de", "pt-BR"],
    "dos": ["Say what happens next."],
    "donts": ["Never promise a date."],
    "examples": [{"customer": "Where is my stuff?", "reply": "What is your order number?"}],
    "model": {"temperature": 0.3, "max_tokens": 500, "top_p": None, "stop": ["END"], "seed": 7},
    "system": "system.j2",
    "context": "context.j2",
    "handoff": {"phrases": {"en": ["real person"], "de": ["echter Mensch"]}},
    "texts": {"help": {"en": "Hi from {bot}"}, "overdue": "Sorry."},
}


def test_a_full_persona_is_read_as_written() -> None:
    persona = Persona.model_validate(FULL)
    assert persona.languages == ("en", "de", "pt-BR")
    assert persona.examples[0].reply == "What is your order number?"
    assert persona.handoff.phrases == {"en": ("real person",), "de": ("echter Mensch",)}
    assert persona.texts == {"help": {"en": "Hi from {bot}"}, "overdue": "Sorry."}
    assert persona.parameters == ModelParameters(temperature=0.3, max_tokens=500, stop=("END",), seed=7)


def test_a_name_is_enough() -> None:
    persona = Persona(name="Mia")
    assert persona.languages == ("en",)
    assert persona.parameters == ModelParameters()
    assert (persona.system, persona.context) == (None, None)


def test_a_persona_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Persona(name="Mia").name = "Max"


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        ({"name": " "}, ("name",), "at least 1 character"),
        ({"nmae": "x"}, ("nmae",), "not permitted"),
        ({"model": {"temperature": 2.1}}, ("model", "temperature"), "less than or equal to 2"),
        ({"model": {"temperature": -0.1}}, ("model", "temperature"), "greater than or equal to 0"),
        ({"model": {"temperature": float("nan")}}, ("model", "temperature"), ""),
        ({"model": {"top_p": 1.5}}, ("model", "top_p"), "less than or equal to 1"),
        ({"model": {"max_tokens": 0}}, ("model", "max_tokens"), "greater than or equal to 1"),
        ({"model": {"stop": ["a", "b", "c", "d", "e"]}}, ("model", "stop"), "at most 4"),
        ({"model": {"heat": 1}}, ("model", "heat"), "not permitted"),
        ({"languages": []}, ("languages",), "at least 1"),
        ({"languages": ["en", "en"]}, ("languages",), "'en' stands here twice"),
        ({"languages": ["English"]}, ("languages", 0), "'English' is not a language code such as en, de or pt-BR"),
        ({"languages": ["en", False]}, ("languages", 1), 'write the language in quotes, such as "no"'),
        ({"examples": [{"customer": "x"}]}, ("examples", 0, "reply"), "required"),
        ({"texts": {"hlep": "Hi"}}, ("texts",), "there is no text 'hlep': did you mean 'help'?"),
        ({"texts": {"help": {}}}, ("texts", "help"), "at least one language"),
        (
            {"texts": {"help": "Hi {name}"}},
            ("texts",),
            "'help' cannot have {name}; its placeholders: {bot}",
        ),
        (
            {"texts": {"overdue": {"de": "{bot}"}}},
            ("texts",),
            "'overdue' cannot have {bot}; its placeholders: none",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(
    change: dict[str, Any], where: tuple[str | int, ...], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Persona.model_validate({**FULL, **change})
    error = caught.value.errors()[0]
    assert error["loc"] == where
    assert message in error["msg"]
