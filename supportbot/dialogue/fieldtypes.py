"""Single values in a flow file: names, expressions, patterns; a wrong one is told in one sentence."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from supportbot.dialogue.expr import compile_expr
from supportbot.dialogue.patterns import compile_pattern

RESERVED = frozenset(
    {"user", "bot", "persona", "channel", "locale", "slots", "value", "today", "error", "identity"}
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_TOOL = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")
_COMMAND = re.compile(r"/[a-z][a-z0-9_-]{0,31}\Z")


def _named(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"`{name}` is not a usable name: begin with a small letter, then a-z, 0-9 and _")
    return name


def _slot(name: str) -> str:
    if _named(name) in RESERVED:
        raise ValueError(f"`{name}` is a name the bot uses itself; choose another one for the slot")
    return name


def _tool(name: str) -> str:
    if not _TOOL.match(name):
        raise ValueError(f"`{name}` is not a tool's name: use letters, digits, _ and -")
    return name


def _command(word: str) -> str:
    if not _COMMAND.match(word):
        raise ValueError(f"`{word}` is not a command: write / and a word in small letters, such as /order")
    return word


def _expression(text: str) -> str:
    compile_expr(text)
    return text


def _pattern(text: str) -> str:
    compile_pattern(text)
    return text


def scalar(value: Any) -> Any:
    """A word that may look like a number to YAML; refuses what looks like a truth value."""
    if isinstance(value, bool):
        word = "yes, on or true" if value else "no, off or false"
        raise ValueError(f"YAML reads a bare {word} as a truth value; put the word in quotes")
    return str(value) if isinstance(value, int | float) else value


Name = Annotated[str, AfterValidator(_named), Field(json_schema_extra={"pattern": "^[a-z][a-z0-9_]*$"})]
Command = Annotated[str, AfterValidator(_command)]
SlotName = Annotated[str, AfterValidator(_slot)]
ToolName = Annotated[str, AfterValidator(_tool)]
Expression = Annotated[str, AfterValidator(_expression)]
Regex = Annotated[str, AfterValidator(_pattern)]
