"""What an operator may write about tools: the rules of any tool, a file of HTTP tools, an MCP server.

1. A rule that is left out stays as the tool itself has it.
2. Where a request goes is written here and nowhere else: an argument can fill a part of a path, never a host.
3. What the server puts into an argument is written as a path into the call's context: see `BOUND`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from supportbot.quantities import DURATION_SCHEMA, Dollars, Wait, Whole, seconds
from supportbot.shapes import Secret, Section, Text, Url, misplaced

BOUND = (
    "customer.id",
    "customer.name",
    "identity.customer",
    "identity.name",
    "conversation",
    "channel",
    "locale",
    "key",
)
"""What an argument may be bound to, beside `identity.claims.NAME`, `slots.NAME` and `secrets.NAME`."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SAFE = ("GET", "HEAD")
"""Methods that change nothing."""

_BOUND = re.compile(r"(identity\.claims|slots|secrets)\.[A-Za-z_][\w-]*\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")
_REQUEST = re.compile(rf"({'|'.join(METHODS)}) (/[^\s?#]*)\Z")
_ARGUMENT = re.compile(r"\{([^{}]*)\}")
_SERVER = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")


def _bound(text: str) -> str:
    if text not in BOUND and not _BOUND.match(text):
        raise ValueError(f"must be one of {', '.join(BOUND)}, or identity.claims.NAME, slots.NAME, secrets.NAME")
    return text


def _tool_name(text: str) -> str:
    if not _NAME.match(text):
        raise ValueError("must be a name of letters, digits, _ and -, at most 64, that begins with a letter or _")
    return text


def _request(text: str) -> str:
    if not _REQUEST.match(text):
        raise ValueError(
            "must be a method and a path, such as `GET /orders/{order_number}`; what follows a ? is written as `query`"
        )
    return text


def _server_name(text: str) -> str:
    if not _SERVER.match(text):
        raise ValueError("must be a name of small letters, digits, _ and - that begins with a letter")
    return text


_SPAN_SCHEMA: dict[str, Any] = {"anyOf": [*DURATION_SCHEMA["anyOf"], {"const": "ever"}]}


def _ever(value: object) -> object:
    return 0.0 if value == "ever" else seconds(value)


ToolName = Annotated[str, AfterValidator(_tool_name)]
ServerName = Annotated[str, AfterValidator(_server_name)]
Request = Annotated[str, AfterValidator(_request)]


class LimitRule(Section):
    """How often, or for how much money, a tool may act."""

    times: Annotated[Whole, Field(ge=1)] | None = None
    """At most so many calls."""
    money: Dollars | None = None
    """At most so much, in the unit of the argument that `of` names."""
    of: str = ""
    """The argument that has the amount."""
    per: Text = "customer"
    """customer, tool (all customers together), or an argument: calls with the same value there count together."""
    every: Annotated[float, BeforeValidator(_ever), WithJsonSchema(_SPAN_SCHEMA)] = 86400.0
    """The time in which they count together; `ever` for always."""

    @model_validator(mode="after")
    def _something_is_limited(self) -> LimitRule:
        if self.times is None and self.money is None:
            raise misplaced("a limit needs `times` or `money`", "per")
        if (self.money is None) != (not self.of):
            raise misplaced("`money` and `of` (the argument that has the amount) go together", "money")
        return self


class Rules(Section):
    """What holds for a tool; what is left out stays as the tool has it."""

    effects: bool | None = None
    """It changes something: it runs at most once."""
    private: bool | None = None
    """Only flows may call it."""
    public: bool | None = None
    """Anyone may read what it gives."""
    timeout: Wait | None = None
    """How long one call may take."""
    long: bool | None = None
    """It takes minutes: the turn ends without it, and goes on when it is done."""
    bind: Mapping[Text, Annotated[str, AfterValidator(_bound)]] | None = None
    """Arguments that the server puts in and the model does not see, such as {customer_id: identity.customer}."""
    requires: Literal["verified", "nothing"] | None = None
    """verified: the customer must have proven who they are."""
    confirm: bool | Text | Mapping[str, Text] | None = None
    """The customer is asked first, with the exact arguments; or in your own words, with {{ argument }} for each."""
    approve: Literal["human", "nothing"] | None = None
    """human: a person must allow each call."""
    limits: tuple[LimitRule, ...] | None = None
    """How often it may act."""
    progress: Text | Mapping[str, Text] | None = None
    """What the customer sees while it runs, a text or one per language."""


class _Http(Rules):
    """What an HTTP tool has beside the rules."""

    description: Text | None = None
    """What the model is told of it."""
    result: Text | None = None
    """What of the answer is the result, as a JMESPath expression."""
    errors: Mapping[Annotated[int, Field(ge=400, le=599)], Text] = Field(default_factory=dict)
    """What is said at a status, such as {404: "There is no such parcel."}."""
    recover: Request | Literal["again"] | None = None
    """How to find out what an interrupted call came to: a request (404 means: not done), or `again` if the other side
    does what has the same key only once."""


class HttpTool(_Http):
    """One HTTP tool."""

    name: ToolName
    """Its name, for the model and for flows."""
    request: Request
    """Method and path, with arguments in braces: `GET /orders/{order_number}`."""
    parameters: Mapping[str, Any] = Field(default_factory=dict, validate_default=True)
    """The arguments: a JSON Schema of an object, or just its `properties` (all of them needed). No others are taken, unless
    the schema says so itself (`additionalProperties`)."""
    query: tuple[Text, ...] = ()
    """Arguments that go into the query; of a GET all that are not in the path do."""
    headers: Mapping[Text, Text] = Field(default_factory=dict)
    """Headers of its own, with arguments in braces."""
    body: Literal["json", "form"] = "json"
    """How the other arguments are sent."""

    @field_validator("parameters")
    @classmethod
    def _as_schema(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        if ("type" in value and isinstance(value["type"], str)) or "$ref" in value or "properties" in value:
            return (
                value
                if "additionalProperties" in value or "$ref" in value
                else {**value, "additionalProperties": False}
            )
        schema = {"type": "object", "properties": dict(value), "required": list(value)}
        return {**schema, "additionalProperties": False}

    @model_validator(mode="after")
    def _path_is_filled(self) -> HttpTool:
        known = {*self.parameters.get("properties", {}), *(self.bind or {})}
        for name in _ARGUMENT.findall(self.request):
            if name not in known:
                raise misplaced(
                    f"the path has {{{name}}}, which is no argument: name it in `parameters`", "request"
                )
        return self


class Operation(_Http):
    """One operation of an OpenAPI description."""

    name: ToolName | None = None
    """Its name here; the operationId if it is left out."""


class OpenApi(Section):
    """Tools out of an OpenAPI description; only the operations that are named."""

    file: Text
    """The description, a YAML or JSON file beside this one."""
    operations: Annotated[Mapping[Text, Operation], Field(min_length=1)]
    """operationId -> its rules; {} for none of your own."""


class Auth(Section):
    """How the other side knows us; one of the keys."""

    bearer: Secret | None = None
    """Sent as `Authorization: Bearer …`."""
    header: Mapping[Text, Secret] = Field(default_factory=dict)
    """Sent as these headers."""
    query: Mapping[Text, Secret] = Field(default_factory=dict)
    """Sent in the query."""
    user: Text | None = None
    """The name for basic authentication."""
    password: Secret | None = None
    """The password for it."""


class ToolFile(Section):
    """A file of tools that are HTTP requests to one service."""

    base: Url | None = None
    """The address that all paths stand below; of an OpenAPI description its first server if it is left out."""
    auth: Auth = Auth()
    """How the other side knows us."""
    headers: Mapping[Text, Text] = Field(default_factory=dict)
    """Headers of every request."""
    timeout: Wait = 10.0
    """How long one try may take."""
    retries: Annotated[Whole, Field(ge=0, le=5)] = 2
    """How often a request that changes nothing, or never arrived, is tried again."""
    key_header: Text = "Idempotency-Key"
    """The header in which every request that changes something has its key."""
    tools: tuple[HttpTool, ...] = ()
    """Tools written out here."""
    openapi: OpenApi | None = None
    """Tools out of an OpenAPI description."""

    @model_validator(mode="after")
    def _has_tools(self) -> ToolFile:
        if not self.tools and self.openapi is None:
            raise misplaced("this file has no tools: write them under `tools` or name an `openapi` file", "base")
        if self.tools and self.base is None:
            raise misplaced("`tools` need the `base` address that their paths stand below", "tools")
        return self


class McpServer(Section):
    """An MCP server whose tools the bot may use."""

    command: tuple[Text, ...] = ()
    """The program that speaks MCP over its standard input and output, with its arguments; `python` is the one that runs
    the bot."""
    env: Mapping[Text, Secret] = Field(default_factory=dict)
    """Its environment, beside PATH and HOME."""
    url: Url | None = None
    """Or the address of a server that speaks streamable HTTP."""
    headers: Mapping[Text, Secret] = Field(default_factory=dict)
    """Headers of every request to it, such as Authorization."""
    allow: Annotated[Mapping[Text, Rules], Field(min_length=1)]
    """The tools that may be used, by their names there, each with its rules ({} for none)."""
    prefix: str = ""
    """What stands before the names of its tools here."""
    timeout: Wait = 15.0
    """How long one call may take, and the first connection."""

    @model_validator(mode="before")
    @classmethod
    def _allowed_as_list(cls, data: Any) -> Any:
        allow = data.get("allow") if isinstance(data, dict) else None
        if isinstance(allow, list) and all(isinstance(name, str) for name in allow):
            return {**data, "allow": {name: {} for name in allow}}
        return data

    @model_validator(mode="after")
    def _one_way(self) -> McpServer:
        if bool(self.command) == (self.url is not None):
            raise misplaced(
                "an MCP server has either a `command` or a `url`", "command" if self.command else "url"
            )
        return self
