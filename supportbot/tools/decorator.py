"""`@tool`: makes a Tool from a function with type hints."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack, overload

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from supportbot.errors import ToolError
from supportbot.protocols import Tool, ToolContext
from supportbot.types import Limit

_ARGS = re.compile(r"^(?:Args|Arguments|Parameters):[ \t]*$", re.MULTILINE)
_ARG = re.compile(r"\*{0,2}(\w+)(?: *\([^)]*\))?:[ \t]*(.*)\Z")


class _Untitled(GenerateJsonSchema):
    """JSON Schema without the titles that repeat each field's name: they cost tokens and tell nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class _Shape:
    """A function's parameters: `model` checks them, `fields` maps the model's fields to them, `context` is bound."""

    model: type[BaseModel]
    fields: Mapping[str, str]
    context: tuple[str, ...]


class ToolOptions(TypedDict, total=False):
    """What `@tool` takes beside the name; each as in `Tool`."""

    effects: bool
    private: bool
    public: bool
    timeout: float
    bound: Mapping[str, str]
    requires: Literal["", "verified"]
    confirm: bool | str | Mapping[str, str]
    approve: Literal["", "human"]
    limits: Sequence[Limit]
    long: bool
    progress: str | Mapping[str, str]
    recover: Callable[[dict[str, Any], ToolContext], Any]


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...


@overload
def tool(*, name: str = "", **options: Unpack[ToolOptions]) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    function: Callable[..., Any] | None = None, /, *, name: str = "", **options: Unpack[ToolOptions]
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """A Tool from a function, sync or async, as `@tool` or `@tool(effects=True)`.

    Its name is the function's, its description the docstring's first paragraph, and its parameters the type hints,
    described by the docstring's `Args:` lines. A parameter annotated ToolContext is bound by the server: the model
    neither sees nor fills it. `options` are those of `Tool`. Raises TypeError for parameters that no JSON object can
    fill, and for options that there are not.
    """
    if function is not None:
        return _made(function, name, options)
    return lambda decorated: _made(decorated, name, options)


def _made(function: Callable[..., Any], name: str, options: ToolOptions) -> Tool:
    name = name or function.__name__
    summary, described = _documented(inspect.getdoc(function) or "")
    shape = _shape(function, name, described)
    more: dict[str, Any] = {**options, "limits": tuple(options.get("limits", ()))}
    return Tool(
        name=name,
        description=summary or name.replace("_", " "),
        parameters=_schema(shape.model),
        call=_bound(function, shape),
        **more,
    )


def _bound(function: Callable[..., Any], shape: _Shape) -> Callable[[dict[str, Any], ToolContext], Any]:
    """The function as `call(arguments, context)`, async if the function is."""

    def filled(arguments: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        try:
            checked = shape.model.model_validate(arguments)
        except ValidationError as error:
            raise ToolError(_readable(error)) from None
        given = {shape.fields[field]: getattr(checked, field) for field in checked.model_fields_set}
        return given | dict.fromkeys(shape.context, context)

    if inspect.iscoroutinefunction(function):

        async def call_async(arguments: dict[str, Any], context: ToolContext) -> Any:
            return await function(**filled(arguments, context))

        return call_async
    return lambda arguments, context: function(**filled(arguments, context))


def _shape(function: Callable[..., Any], name: str, described: Mapping[str, str]) -> _Shape:
    hints = typing.get_type_hints(function, include_extras=True)
    definitions: dict[str, Any] = {}
    fields: dict[str, str] = {}
    context: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(
                f"tool {name}: parameter {parameter} cannot be filled by name; give it a name of its own"
            )
        hint = hints.get(parameter.name, Any)
        if hint is ToolContext:
            context.append(parameter.name)
            continue
        # A neutral field name with the parameter's as alias: "copy" or "_id" are fine as parameters, not as fields.
        field = f"argument_{len(fields)}"
        fields[field] = parameter.name
        default = ... if parameter.default is parameter.empty else parameter.default
        definitions[field] = (
            hint,
            Field(default, alias=parameter.name, description=described.get(parameter.name)),
        )
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=False, protected_namespaces=())
    try:
        model = create_model(name, __config__=config, **definitions)
        model.model_json_schema()
    except PydanticUserError as error:
        raise TypeError(
            f"tool {name}: no JSON Schema for its parameters: {error.message.splitlines()[0]}"
        ) from None
    return _Shape(model, fields, tuple(context))


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, schema_generator=_Untitled)
    schema.pop("title", None)
    for definition in schema.get("$defs", {}).values():
        definition.pop("title", None)
    return {"type": "object", "properties": {}} | schema


def _readable(error: ValidationError) -> str:
    """The first mistakes as one sentence each, without the values."""
    mistakes = error.errors(include_url=False, include_input=False, include_context=False)[:3]
    return "; ".join(
        f"{'.'.join(map(str, mistake['loc'])) or 'arguments'}: {mistake['msg']}" for mistake in mistakes
    )


def _documented(doc: str) -> tuple[str, dict[str, str]]:
    """A Google-style docstring's first paragraph, on one line, and its parameters' descriptions."""
    found = _ARGS.search(doc)
    head = doc[: found.start()] if found else doc
    summary = " ".join(head.strip().split("\n\n")[0].split())
    return summary, _arguments(doc[found.end() :]) if found else {}


def _arguments(section: str) -> dict[str, str]:
    """`name: text` lines, each with the deeper indented lines that go on; ends where the indentation does."""
    described: dict[str, str] = {}
    indent, current = 0, ""
    for line in section.lstrip("\n").split("\n"):
        depth = len(line) - len(line.lstrip())
        if not line.strip():
            continue
        if not depth:
            break
        indent = indent or depth
        match = _ARG.match(line.strip()) if depth <= indent else None
        if match:
            current = match.group(1)
            described[current] = match.group(2).strip()
        elif current:
            described[current] = f"{described[current]} {line.strip()}".strip()
    return described
