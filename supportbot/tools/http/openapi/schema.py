"""Turns the schemas of an OpenAPI description into JSON Schema 2020-12, for the arguments of a tool.

1. What is referred to is kept once, under `$defs`, and only if it is reached.
2. What only an answer has (readOnly) is left out, and so is what says nothing to a model or a validator.
3. A pattern that Python cannot read is left out: the service checks it anyway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_MANY = ("patternProperties", "dependentSchemas")
_LIST = ("allOf", "anyOf", "oneOf", "prefixItems")
_ONE = (
    *("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"),
    *("unevaluatedProperties", "unevaluatedItems"),
)
_DROPPED = {
    *(
        "xml",
        "externalDocs",
        "discriminator",
        "readOnly",
        "writeOnly",
        "nullable",
        "example",
        "title",
        "deprecated",
    ),
    *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "examples"),
}
_FLAT = {"type", "properties", "required", "additionalProperties", "allOf", "description", "default"} | _DROPPED
_MERGED = ("properties", "required", "additionalProperties")


class Unsupported(Exception):
    """What an OpenAPI description has that cannot be used; a sentence."""


class Schemas:
    """The schemas of one operation; `defs` fills while they are translated. Raises Unsupported."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._names: dict[str, str] = {}
        self.defs: dict[str, Any] = {}

    def resolved(self, node: Any) -> Any:
        """`node`, or what its `$ref` leads to."""
        seen: set[str] = set()
        while isinstance(node, Mapping) and "$ref" in node:
            ref = str(node["$ref"])
            if ref in seen:
                raise Unsupported(f"the $ref {ref} leads back to itself")
            seen.add(ref)
            node = pointed(self._document, ref)
        return node

    def schema(self, node: Any) -> Any:
        """The schema, translated."""
        if isinstance(node, bool):
            return node
        if not isinstance(node, Mapping):
            raise Unsupported("a schema is neither a mapping nor true or false")
        if "$dynamicRef" in node or "$recursiveRef" in node:
            raise Unsupported("a schema has a $dynamicRef, which is not supported")
        found = {key: self._value(key, value) for key, value in node.items() if _is_kept(key)}
        if "$ref" in node:
            found["$ref"] = self._ref(str(node["$ref"]))
        if isinstance(found.get("properties"), dict) and isinstance(found.get("required"), list):
            hidden = {str(name) for name in node["properties"]} - found["properties"].keys()
            found["required"] = [name for name in found["required"] if name not in hidden]
        _number_limits(found)
        _patterns(found)
        examples = node.get("examples", [node["example"]] if "example" in node else None)
        if isinstance(examples, list):
            found["examples"] = examples
        return _nullable(found) if node.get("nullable") is True else found

    def flat(self, node: Any) -> Mapping[str, Any] | None:
        """An object's translated `properties`, `required` and `additionalProperties`, those of an `allOf` put together;
        None if it is not that simple."""
        node = self.resolved(node)
        if not isinstance(node, Mapping) or node.get("nullable") is True:
            return None
        if node.get("type", "object") != "object" or any(key not in _FLAT and _is_kept(key) for key in node):
            return None
        if not {"type", "properties", "allOf"} & node.keys():
            return None
        parts = [self.flat(part) for part in node.get("allOf", ())]
        own = self.schema({key: node[key] for key in _MERGED if key in node})
        found: list[Mapping[str, Any]] = [part for part in parts if part is not None]
        return _together([*found, own]) if len(found) == len(parts) else None

    def _value(self, key: str, value: Any) -> Any:
        if key == "properties" and isinstance(value, Mapping):
            return {str(name): self.schema(part) for name, part in value.items() if not self._is_read_only(part)}
        if key in _MANY and isinstance(value, Mapping):
            return {str(name): self.schema(inner) for name, inner in value.items()}
        if key in _LIST and isinstance(value, list):
            return [self.schema(inner) for inner in value]
        return self.schema(value) if key in _ONE and isinstance(value, Mapping) else value

    def _ref(self, ref: str) -> str:
        if ref not in self._names:
            target = pointed(self._document, ref)
            name = self._names[ref] = self._free(re.sub(r"[^A-Za-z0-9_.-]", "_", ref.rsplit("/", 1)[-1]) or "part")
            self.defs[name] = {}
            self.defs[name] = self.schema(target)
        return f"#/$defs/{self._names[ref]}"

    def _free(self, name: str) -> str:
        taken, number, found = set(self._names.values()), 2, name
        while found in taken:
            found, number = f"{name}_{number}", number + 1
        return found

    def _is_read_only(self, node: Any) -> bool:
        if isinstance(node, Mapping) and node.get("readOnly") is True:
            return True
        resolved = self.resolved(node)
        return isinstance(resolved, Mapping) and resolved.get("readOnly") is True


def pointed(document: Any, ref: str) -> Any:
    """What a `$ref` within the document leads to. Raises Unsupported."""
    if ref != "#" and not ref.startswith("#/"):
        raise Unsupported(f"the $ref {ref} leads out of the file: bundle the description into one file")
    found = document
    for step in unquote(ref).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            raise Unsupported(f"the $ref {ref} leads to nothing")
    return found


def is_pattern(pattern: Any) -> bool:
    """Whether Python can read a regular expression."""
    try:
        re.compile(pattern)
    except (re.error, TypeError, RecursionError, OverflowError):
        return False
    return True


def _is_kept(key: str) -> bool:
    return key != "$ref" and key not in _DROPPED and not str(key).startswith("x-")


def _number_limits(found: dict[str, Any]) -> None:
    """3.0 says with true and false whether `minimum` itself is allowed."""
    for key, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(found.get(key), bool):
            exclusive = found.pop(key)
            if exclusive and bound in found:
                found[key] = found.pop(bound)


def _patterns(found: dict[str, Any]) -> None:
    if "pattern" in found and not is_pattern(found["pattern"]):
        del found["pattern"]
    if isinstance(found.get("patternProperties"), Mapping):
        kept = {pattern: inner for pattern, inner in found["patternProperties"].items() if is_pattern(pattern)}
        found["patternProperties"] = kept


def _nullable(found: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(found.get("type"), str):
        about: dict[str, Any] = {key: found.pop(key) for key in ("description", "default") if key in found}
        return {"anyOf": [found, {"type": "null"}], **about} if found else about
    found["type"] = [found["type"], "null"]
    if isinstance(found.get("enum"), list) and None not in found["enum"]:
        found["enum"] = [*found["enum"], None]
    return found


def _together(parts: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    properties: dict[str, Any] = {}
    for part in parts:
        for name, inner in part.get("properties", {}).items():
            properties[name] = {"allOf": [properties[name], inner]} if name in properties else inner
    required = [name for part in parts for name in part.get("required", ())]
    more = [part["additionalProperties"] for part in parts if "additionalProperties" in part]
    found = {"properties": properties, "required": list(dict.fromkeys(required))}
    return found | ({"additionalProperties": more[-1]} if more else {})
