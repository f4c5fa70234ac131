"""JSON Schemas of the YAML files, for editors, and what they say about which keys are known where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

Schema = Mapping[str, Any]
Path = tuple[str | int, ...]
_LIMIT = 200  # alternatives looked at in one place; flows nest in themselves


@cache
def of(model: type[BaseModel]) -> Schema:
    """The model's JSON Schema; {} for a model that has none."""
    try:
        return model.model_json_schema()
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return {}


def known_keys(model: type[BaseModel], data: Any, path: Path) -> tuple[str, ...]:
    """The keys that the mapping at `path` in `data` may have, in the model's order."""
    root = of(model)
    here = _alternatives(root, root)
    value = data
    for step in path:
        here = [found for schema in _fitting(here, value) for found in _below(root, schema, step)][:_LIMIT]
        value = value[step]
    return tuple(dict.fromkeys(key for schema in _fitting(here, value) for key in schema.get("properties", {})))


def section_of(model: type[BaseModel], key: str, *, top: bool) -> str | None:
    """The one section of the file that has this key, "" for the file's top; None if there is none, or several.

    `top` says that the key stands at the top now, where it is not known.
    """
    root = of(model)
    places = root.get("properties", {})
    if not top and key in places:
        return ""
    sections = [
        name
        for name, schema in places.items()
        for found in _alternatives(root, schema)
        if key in found.get("properties", {})
    ]
    return sections[0] if len(sections) == 1 else None


def _alternatives(root: Schema, schema: Any, depth: int = 0) -> list[Schema]:
    """The schema without references and choices: every form that a value may have."""
    if not isinstance(schema, Mapping) or depth > 10:
        return []
    if "$ref" in schema:
        target = root.get("$defs", {}).get(str(schema["$ref"]).rsplit("/", 1)[-1])
        return _alternatives(root, target, depth + 1)
    forms: list[Schema] = [schema] if "properties" in schema or "items" in schema or "type" in schema else []
    if isinstance(schema.get("additionalProperties"), Mapping) and schema not in forms:
        forms.append(schema)
    for choice in ("anyOf", "oneOf", "allOf"):
        for option in schema.get(choice, ()):
            forms.extend(_alternatives(root, option, depth + 1))
    return forms[:_LIMIT]


def _fitting(forms: list[Schema], value: Any) -> list[Schema]:
    """Those whose required keys the mapping has, or whose most telling key it has; all if there are none."""
    if not isinstance(value, dict):
        return forms
    complete = [form for form in forms if form.get("required") and set(form["required"]) <= value.keys()]
    return complete or forms


def _below(root: Schema, form: Schema, step: str | int) -> Iterator[Schema]:
    if isinstance(step, int):
        prefix = form.get("prefixItems", ())
        yield from _alternatives(root, prefix[step] if step < len(prefix) else form.get("items"))
        return
    found = form.get("properties", {}).get(step)
    yield from _alternatives(root, form.get("additionalProperties") if found is None else found)
