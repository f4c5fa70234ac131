"""The JSON Schema of a structured answer: every slot is required, and null where the customer did not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supportbot.dialogue.slots import SlotSpec

_HINTS = {"date": "A date as YYYY-MM-DD.", "email": "An email address.", "phone": "A telephone number."}


def schema_of(into: Mapping[str, SlotSpec]) -> dict[str, Any]:
    """A strict object schema for the slots."""
    return {
        "type": "object",
        "properties": {slot: _property(spec) for slot, spec in into.items()},
        "required": list(into),
        "additionalProperties": False,
    }


def _property(spec: SlotSpec) -> dict[str, Any]:
    kind = {"number": "number", "yes_no": "boolean"}.get(spec.type, "string")
    found: dict[str, Any] = {"type": [kind, "null"]}
    if spec.type == "choice":
        found["enum"] = [*(choice.value for choice in spec.choices), None]
    if spec.pattern is not None:
        found["description"] = f"Text that matches {spec.pattern.text}"
    elif spec.type in _HINTS:
        found["description"] = _HINTS[spec.type]
    return found
