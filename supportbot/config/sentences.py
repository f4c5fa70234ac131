"""One plain sentence for each kind of error that pydantic reports."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic_core.core_schema import ErrorType

Path = tuple[str | int, ...]
_BUILT_IN = frozenset(get_args(ErrorType))
_SECRET = re.compile(r"(secrets?|tokens?|passwords?|_key|^key)(_file)?\Z", re.IGNORECASE)

KINDS: Mapping[str, str] = {
    "string_type": "text",
    "string_sub_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "finite_number": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "iterable_type": "a list",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "dataclass_type": "a mapping (key: value)",
    "none_required": "empty",
    "date_type": "a date such as 2026-03-31",
    "date_parsing": "a date such as 2026-03-31",
    "date_from_datetime_parsing": "a date such as 2026-03-31",
}
"""What was expected, for errors that only say that the value is of another kind."""

_BOUNDS = {
    "greater_than": ("gt", "must be more than {}"),
    "greater_than_equal": ("ge", "must be {} or more"),
    "less_than": ("lt", "must be less than {}"),
    "less_than_equal": ("le", "must be {} or less"),
    "multiple_of": ("multiple_of", "must be a multiple of {}"),
}
_LENGTHS = {
    "string_too_short": ("min_length", "at least", "character"),
    "string_too_long": ("max_length", "at most", "character"),
    "too_short": ("min_length", "at least", "entry"),
    "too_long": ("max_length", "at most", "entry"),
}


def is_own(error: Mapping[str, Any]) -> bool:
    """Whether a validator of the model wrote the message."""
    return error["type"] not in _BUILT_IN or error["type"] in ("value_error", "assertion_error")


def own(error: Mapping[str, Any], path: Path) -> str:
    """A validator's message as it is; after the key's name if it goes on from there ("must be …")."""
    message = str(error["msg"])
    for prefix in ("Value error, ", "Assertion failed, "):
        message = message.removeprefix(prefix)
    return f"{name(path)} {message}" if message.startswith("must ") else message


def name(path: Path) -> str:
    """What a value is called in a sentence."""
    if not path:
        return "the file"
    last = path[-1]
    if isinstance(last, str):
        return f"'{clip(last)}'"
    above = path[:-1]
    return f"entry {last + 1} of {name(above)}" if above else f"entry {last + 1}"


def clip(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:39] + "…"


def shown(value: Any, path: Path, source: str) -> str:
    """The value for a sentence: as it stands in the file, and nothing at all of a secret ("")."""
    if any(isinstance(step, str) and _SECRET.search(step) for step in path):
        return ""
    if isinstance(value, dict):
        return "a mapping (key: value)"
    if isinstance(value, list):
        return "a list"
    if value is None and not source:
        return "empty"
    if source or isinstance(value, str):
        return f"'{clip(source or value)}'"
    return clip(str(value).lower() if isinstance(value, bool) else f"{value}")


def sentence(error: Mapping[str, Any], path: Path, source: str) -> str:
    """The sentence for a value that is wrong. `source` is its text in the file if the environment went into it."""
    kind, value, context = error["type"], error["input"], error.get("ctx") or {}
    seen = shown(value, path, source)
    unlike = f", not {seen}" if seen else ""
    if kind in ("literal_error", "enum"):
        return f"{name(path)} must be {context['expected']}{unlike}{_meant(value, context['expected'])}"
    if kind in KINDS:
        return f"{name(path)} {_other_kind(kind, value, seen, unlike)}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"{name(path)} {words.format(_number(context[key]))}{unlike}"
    if kind in _LENGTHS:
        return f"{name(path)} {_length(kind, value, context)}"
    if kind == "string_pattern_mismatch":
        return f"{name(path)} must have the form {context['pattern']}{unlike}"
    if is_own(error):
        return own(error, path)
    message = str(error["msg"])
    return f"{name(path)} {message[:1].lower()}{message[1:]}".replace("input should be", "must be")


def _other_kind(kind: str, value: Any, seen: str, unlike: str) -> str:
    expected = KINDS[kind]
    if value is None and seen != "''":
        if expected.startswith("a mapping"):
            return "is empty: its keys stand below it, indented"
        return f"is empty: it must be {expected}"
    if expected == "text" and isinstance(value, int | float):
        return f"must be text: put {seen or 'it'} in quotes"
    if expected == "a list" and isinstance(value, str):
        return f"must be a list: write [{seen}]" if seen else "must be a list: put it in [ ]"
    return f"must be {expected}{unlike}"


def _length(kind: str, value: Any, context: Mapping[str, Any]) -> str:
    key, words, unit = _LENGTHS[kind]
    unit = "character" if isinstance(value, str) else unit
    count = context[key]
    if count == 1 and words == "at least":
        return "must not be empty"
    units = unit if count == 1 else {"entry": "entries"}.get(unit, unit + "s")
    return f"must have {words} {count} {units}"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)


def _meant(value: Any, expected: str) -> str:
    choices = re.findall(r"'([^']*)'", expected)
    close = difflib.get_close_matches(str(value).lower(), choices, n=1) if isinstance(value, str) else []
    return f": did you mean '{close[0]}'?" if close else ""


def either(kinds: Iterable[str], path: Path, value: Any, source: str) -> str:
    """The sentence for a value that is none of several kinds."""
    words = list(dict.fromkeys(kinds))
    expected = " or ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]
    seen = shown(value, path, source)
    if seen == "empty":
        return f"{name(path)} is empty: it must be {expected}"
    return f"{name(path)} must be {expected}{f', not {seen}' if seen else ''}"


def unknown_key(key: str, known: Iterable[str], section: str | None) -> str:
    """The sentence for a key that is not one of `known`; `section` is where it belongs, "" for the file's top."""
    shown = clip(key)
    if section is not None:
        place = f"it belongs under '{section}'" if section else "begin it in the first column"
        return f"unknown key '{shown}' here: {place}"
    keys = [other for other in known if other != key]
    close = meant(key, keys)
    if close:
        return f"unknown key '{shown}': did you mean '{close}'?"
    if keys and len(keys) <= 14:
        return f"unknown key '{shown}': known here are {', '.join(keys)}"
    return f"unknown key '{shown}'"


def meant(key: str, known: Iterable[str]) -> str:
    """The known key that `key` most resembles, "" if none."""
    close = difflib.get_close_matches(key.lower(), list(known), n=1, cutoff=0.6)
    return close[0] if close else ""
