"""Mistakes in a flow file, said in sentences for somebody who writes YAML and no code.

Every model of the grammar is a `Part`: what pydantic finds wrong in it is said again in plain words here, with
the place (`loc`) left as it is, because the place becomes file, line and column.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

_PLAIN = {
    "string_type": "this must be text; if it is, put it in quotes",
    "bool_type": "this must be true or false",
    "bool_parsing": "this must be true or false",
    "int_type": "this must be a whole number",
    "int_parsing": "this must be a whole number",
    "int_from_float": "this must be a whole number",
    "tuple_type": "this must be a list: lines that begin with `- `",
    "dict_type": "this must be a mapping: lines of the form `key: value`",
    "mapping_type": "this must be a mapping: lines of the form `key: value`",
    "model_type": "this must be a mapping: lines of the form `key: value`",
    "missing": "this key is missing",
    "too_short": "at least one entry is needed",
    "string_too_short": "this text is empty",
    "literal_error": "this is not one of the words that may stand here",
}


def mistake(message: str, *loc: int | str, value: Any = None) -> ValidationError:
    """An error to raise inside a validator; `loc` is the place below what is being validated."""
    return _collected([_line(message, loc, value)])


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`; did you mean …?`, or "" if nothing is close."""
    close = get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""


class Part(BaseModel):
    """A mapping in a flow file: frozen, no unknown keys, errors in plain words."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    @model_validator(mode="wrap")
    @classmethod
    def _in_plain_words(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            lines = _causes(error.errors(include_url=False))
            raise _collected([_plain(cls, line) for line in lines]) from None

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """The keys as they are written in YAML."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())


def _collected(lines: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data("flow", lines)


def _causes(lines: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without "too short" for a list whose entries are there but wrong."""
    return [line for line in lines if line["type"] != "too_short" or not _has_inner(line, lines)]


def _has_inner(outer: ErrorDetails, lines: list[ErrorDetails]) -> bool:
    size = len(outer["loc"])
    return any(len(line["loc"]) > size and line["loc"][:size] == outer["loc"] for line in lines)


def _line(message: str, loc: tuple[int | str, ...], value: Any) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("flow", message), loc=loc, input=value)


def _plain(part: type[Part], line: ErrorDetails) -> InitErrorDetails:
    return _line(_sentence(part, line), line["loc"], line["input"])


def _sentence(part: type[Part], line: ErrorDetails) -> str:
    kind, key = line["type"], line["loc"][-1] if line["loc"] else ""
    if kind == "extra_forbidden":
        guess = did_you_mean(key, part.keys())
        return f"the key `{key}` is not known here{guess or '; known are ' + ', '.join(part.keys())}"
    if kind == "missing":
        return f"the key `{key}` is missing"
    if kind == "literal_error":
        return f"this must be one of {line['ctx']['expected']}"
    if kind == "value_error":
        return str(line["ctx"]["error"])
    return _PLAIN.get(kind, line["msg"])
