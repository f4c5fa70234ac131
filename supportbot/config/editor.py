"""The JSON Schemas that editors use to complete and check the YAML files while they are written.

`config.schema.json` beside this file is the config's. After a change to `Config` write it anew:
`python -c "from supportbot.config import editor; editor.write()"`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from supportbot.config.schema import of
from supportbot.config.settings import Config
from supportbot.dialogue.grammar import FlowFile
from supportbot.persona import Persona
from supportbot.toolfiles import ToolFile

FILE = Path(__file__).with_name("config.schema.json")
_VARIABLE = {"type": "string", "pattern": r"\$\{"}
_SCALARS = ("integer", "number", "boolean")


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each kind of file: config, persona, flow, and file of tools."""
    tools = _with_variables(of(ToolFile))
    return {"config": config_schema(), "persona": dict(of(Persona)), "flow": dict(of(FlowFile)), "tools": tools}


def config_schema() -> dict[str, Any]:
    """The config's JSON Schema; wherever a number or a word of a few is wanted, `${NAME}` may stand too."""
    found = _with_variables(of(Config))
    assert isinstance(found, dict)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "supportbot config.yaml"}


def config_schema_text() -> str:
    """The text of `config.schema.json`."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Writes `config.schema.json` anew."""
    FILE.write_text(config_schema_text(), encoding="utf-8")


def _with_variables(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_variables(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in _SCALARS or "enum" in schema:
        told = {key: schema[key] for key in ("title", "description", "default") if key in schema}
        rule = {key: value for key, value in schema.items() if key not in told}
        return {"anyOf": [rule, _VARIABLE], **told}
    if isinstance(schema.get("anyOf"), list) and any("pattern" in option for option in schema["anyOf"]):
        return {**schema, "anyOf": [*schema["anyOf"], _VARIABLE]}
    return {key: _with_variables(value) for key, value in schema.items()}
