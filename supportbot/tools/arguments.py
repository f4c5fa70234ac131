"""Reads and checks the arguments of a call."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from typing import Any, Protocol

import jsonschema
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from supportbot.errors import UsageError

MAX_TEXT = 1_000_000
SHOWN = 3


class Unusable(Exception):
    """Arguments that do not fit; `error` is "bad_json" or "bad_arguments", `str()` a sentence for the model."""

    def __init__(self, error: str, sentence: str) -> None:
        super().__init__(sentence)
        self.error = error


class Validator(Protocol):
    """The part of a jsonschema validator used here."""

    def iter_errors(self, instance: Any) -> Any: ...


def validator(name: str, schema: Mapping[str, Any]) -> Validator:
    """A compiled validator that fetches nothing from the network. Raises UsageError if `schema` is no JSON Schema."""
    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(dict(schema))
    except SchemaError as error:
        raise UsageError(f"The parameters of tool {name} are no JSON Schema: {error.message[:300]}") from None
    return kind(dict(schema), registry=Registry())


def parsed(arguments: str | Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as an object; no text at all means none. Raises Unusable."""
    if not isinstance(arguments, str):
        return dict(arguments)
    if len(arguments) > MAX_TEXT:
        raise Unusable("bad_json", f"The arguments are longer than {MAX_TEXT} characters.")
    try:
        value = json.loads(arguments, parse_constant=_refuse, parse_float=_finite) if arguments.strip() else {}
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise Unusable(
            "bad_json", f"The arguments are not valid JSON: {error.msg} at character {error.pos}."
        ) from None
    except RecursionError:
        raise Unusable("bad_json", "The arguments are nested too deeply.") from None
    except ValueError:  # NaN, a number of too many digits, or half a surrogate pair
        raise Unusable("bad_json", "The arguments have a number or character that JSON does not allow.") from None
    if not isinstance(value, dict):
        raise Unusable("bad_arguments", f"The arguments have to be a JSON object, not {_called(value)}.")
    return value


def check_free(arguments: Mapping[str, Any], bound: Mapping[str, str]) -> None:
    """Raises Unusable if an argument is given that the server puts in."""
    names = {_plain(name) for name in bound}
    taken = sorted(name for name in arguments if _plain(name) in names)
    if taken:
        raise Unusable("bad_arguments", f"The arguments do not fit: {', '.join(taken)} cannot be given by you.")


def _plain(name: str) -> str:
    """The name as a lenient server may read it."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())


def check(validator: Validator, arguments: dict[str, Any]) -> None:
    """Raises Unusable with one sentence that names the first mistakes."""
    try:
        errors = sorted(validator.iter_errors(arguments), key=lambda error: list(map(str, error.absolute_path)))
    except (RecursionError, Unresolvable):
        raise Unusable("bad_arguments", "The arguments cannot be checked against the tool's parameters.") from None
    if errors:
        told = "; ".join(_sentence(error) for error in errors[:SHOWN])
        more = f"; and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
        raise Unusable("bad_arguments", f"The arguments do not fit: {told}{more}.")


def _sentence(error: ValidationError) -> str:
    """What is wrong at one place; of alternatives, what is wrong with each, or with the one that nearly fits."""
    nearest = jsonschema.exceptions.best_match([error]) or error
    path = ".".join(map(str, nearest.absolute_path))
    reasons = dict.fromkeys(_short(cause.message) for cause in nearest.context or (nearest,))
    told = ", or ".join(list(reasons)[:SHOWN])
    return f"{path}: {told}" if path else told


def _short(message: str) -> str:
    return message if len(message) <= 200 else f"{message[:90]} … {message[-90:]}"


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _called(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
