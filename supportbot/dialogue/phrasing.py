"""Texts as they may be written in a flow file, brought into one form: {locale: (variants)}.

`Hello.` · `{en: Hello., de: Hallo.}` · `{en: [Hello., Hi.]}` · `{variants: [Hello., Hi.]}` · `{variants: {en: […]}}`
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from supportbot.dialogue.mistakes import mistake

_LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
_STRINGS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_PER_LOCALE = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"},
    "additionalProperties": {"anyOf": [{"type": "string"}, _STRINGS]},
}
_VARIANTS = {
    "type": "object",
    "properties": {"variants": {"anyOf": [_STRINGS, _PER_LOCALE]}},
    "required": ["variants"],
    "additionalProperties": False,
}

Spelled = Mapping[str, tuple[str, ...]]


def as_text(value: Any) -> Spelled:
    """A text in any of its forms, spelled out; raises a validation error at the key that is wrong."""
    if isinstance(value, dict) and "variants" in value:
        if len(value) > 1:
            raise mistake("beside `variants` nothing else may stand here")
        return _per_locale(value["variants"], ("variants",))
    if isinstance(value, list):
        raise mistake("several texts are written `{variants: [first, second]}`", value=value)
    return _per_locale(value, ())


def as_phrases(value: Any) -> Spelled:
    """One phrase, a list of phrases, or lists per language."""
    return _per_locale(value, ())


def buttons_or_text(value: Any) -> Any:
    """The body of a `say` step, with its text under `text`."""
    if not isinstance(value, dict) or not {"text", "buttons", "files", "variants"} & value.keys():
        return {"text": as_text(value)}
    if "variants" in value and "text" not in value:
        spelled = as_text({"variants": value["variants"]})
        return {**{key: part for key, part in value.items() if key != "variants"}, "text": spelled}
    return value


def _per_locale(value: Any, loc: tuple[int | str, ...]) -> Spelled:
    if not isinstance(value, dict):
        return {"": _texts(value, loc)}
    if not value:
        raise mistake("a text is missing", *loc)
    return {_locale(key, loc): _texts(text, (*loc, key)) for key, text in value.items()}


def _locale(key: Any, loc: tuple[int | str, ...]) -> str:
    if key is False:
        raise mistake('YAML reads a bare no as false; write the language "no" in quotes, or nb', *loc)
    if key == "":
        return ""
    if not isinstance(key, str) or not _LOCALE.match(key):
        raise mistake(f"`{key}` is not a language code such as en, de or pt-BR", *loc, str(key))
    return key


def _texts(value: Any, loc: tuple[int | str, ...]) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return (_text(value, loc),)
    if not value:
        raise mistake("at least one text is needed", *loc, value=value)
    return tuple(_text(text, (*loc, index)) for index, text in enumerate(value))


def _text(value: Any, loc: tuple[int | str, ...]) -> str:
    if not isinstance(value, str):
        raise mistake("this must be text; if it is, put it in quotes", *loc, value=value)
    if not value.strip():
        raise mistake("the text is empty", *loc, value=value)
    return value


Text = Annotated[
    Spelled, PlainValidator(as_text), WithJsonSchema({"anyOf": [{"type": "string"}, _VARIANTS, _PER_LOCALE]})
]
Phrases = Annotated[
    Spelled, PlainValidator(as_phrases), WithJsonSchema({"anyOf": [{"type": "string"}, _STRINGS, _PER_LOCALE]})
]
