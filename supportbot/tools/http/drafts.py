"""Reads a tool file into requests with holes, and finds every mistake that shows before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import httpx2

from supportbot.errors import UsageError
from supportbot.toolfiles import SAFE, HttpTool, Operation, ToolFile
from supportbot.tools import arguments
from supportbot.tools.http import openapi
from supportbot.tools.http.openapi.schema import Unsupported, pointed
from supportbot.tools.http.request import (
    CONTROL,
    FILLED_IN,
    FORM,
    JSON,
    PLACEHOLDER,
    TOKEN,
    Body,
    Endpoint,
    Place,
)

At = tuple[str | int, ...]
Complain = Callable[[At, str], None]
"""Notes that something at a place in the tool file is wrong."""

_FRAMING = ("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "expect")


@dataclass(frozen=True, slots=True)
class Draft:
    """A tool as it is written: `rules` is its section of the file, `at` the section's place."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    endpoint: Endpoint
    rules: HttpTool | Operation
    at: At
    recovery: Endpoint | None = None


def drafts(file: ToolFile, folder: Path, complain: Complain) -> Iterator[Draft]:
    """The file's tools. What is wrong goes to `complain`; a ConfigError is raised for an OpenAPI file that is broken."""
    _check_service(file, complain)
    for index, tool in enumerate(file.tools):
        yield _own(file, tool, ("tools", index), complain)
    if file.openapi is not None:
        yield from _imported(file, folder, complain)


def _own(file: ToolFile, tool: HttpTool, at: At, complain: Complain) -> Draft:
    method, _, path = tool.request.partition(" ")
    schema = {"type": "object", "properties": {}, **tool.parameters}
    _check_schema(tool.name, schema, (*at, "parameters"), complain)
    properties = schema["properties"] if isinstance(schema["properties"], Mapping) else {}
    known = {*properties, *(tool.bind or {})}
    for index, name in enumerate(tool.query):
        if name not in known:
            complain((*at, "query", index), f"{name} is no argument{_meant(name, known)}")
    _check_headers(tool.headers, (*at, "headers"), complain, known)
    places = _places(path, tool)
    rest = "query" if method in (*SAFE, "DELETE") else "body"
    full = rest == "body" and (
        bool(known - places.keys()) or schema.get("additionalProperties", True) is not False
    )
    body = Body(FORM if tool.body == "form" else JSON) if full else None
    endpoint = Endpoint(
        str(file.base), method, path, places, dict(tool.headers), rest="body" if body else "query", body=body
    )
    recovery = _recovery(endpoint.base, tool, known, at, complain)
    whole = {**schema, "properties": {**{name: {} for name in tool.bind or {}}, **properties}}
    return Draft(tool.name, _described(tool.description, tool.name), whole, endpoint, tool, at, recovery)


def _places(path: str, tool: HttpTool) -> dict[str, Place]:
    """An argument that stands in the path or a header is not sent a second time, unless `query` names it."""
    in_headers = [name for template in tool.headers.values() for name in FILLED_IN.findall(template)]
    found = {name: Place("template", name) for name in in_headers}
    found |= {name: Place("query", name) for name in tool.query}
    return found | {name: Place("path", name) for name in PLACEHOLDER.findall(path)}


def _imported(file: ToolFile, folder: Path, complain: Complain) -> Iterator[Draft]:
    assert file.openapi is not None
    path = folder / file.openapi.file
    if not path.is_file():
        return complain(("openapi", "file"), f"there is no file {file.openapi.file} beside this one")
    document = openapi.read(path)
    known = openapi.operations(document)
    for operation_id, rules in file.openapi.operations.items():
        at = ("openapi", "operations", operation_id)
        if operation_id not in known:
            complain(at, f"{path.name} has no operation {operation_id}{_meant(operation_id, known)}")
            continue
        found = openapi.imported(document, known[operation_id], base=file.base, sent=_sent(file))
        for mistake in found.mistakes:
            complain(at, f"{operation_id} in {path.name}: {mistake}")
        yield from () if found.mistakes else (_operation(found, operation_id, rules, at, complain),)


def _operation(found: openapi.Imported, operation_id: str, rules: Operation, at: At, complain: Complain) -> Draft:
    name = rules.name or operation_id
    _check_schema(name, found.parameters, at, complain)
    known = found.parameters["properties"].keys()
    for bound in (rules.bind or {}).keys() - known:
        complain((*at, "bind", bound), f"{bound} is no argument of {operation_id}{_meant(bound, known)}")
    recovery = _recovery(found.endpoint.base, rules, {*known}, at, complain)
    told = rules.description or found.description
    return Draft(name, _described(told, name), found.parameters, found.endpoint, rules, at, recovery)


def _recovery(
    base: str, rules: HttpTool | Operation, known: set[str], at: At, complain: Complain
) -> Endpoint | None:
    """The request that finds out what an interrupted call came to."""
    if rules.recover in (None, "again"):
        return None
    method, _, path = str(rules.recover).partition(" ")
    names = PLACEHOLDER.findall(path)
    for name in names:
        if name not in known and name != "key":
            complain((*at, "recover"), f"{{{name}}} is neither an argument nor {{key}}{_meant(name, known)}")
    return Endpoint(base, method, path, {name: Place("path", name) for name in names})


def _described(told: str | None, name: str) -> str:
    return told or name.replace("_", " ")


def _sent(file: ToolFile) -> frozenset[tuple[str, str]]:
    """What goes with every request, and so is no argument."""
    headers = {*file.headers, *file.auth.header, file.key_header}
    return frozenset(
        {("header", name.lower()) for name in headers} | {("query", name.lower()) for name in file.auth.query}
    )


def _check_service(file: ToolFile, complain: Complain) -> None:
    auth, at = file.auth, ("auth",)
    if file.base is not None and re.search(r"[?#@]", file.base):
        complain(
            ("base",), "the base address ends before any ? or #, and has no credentials: write them under `auth`"
        )
    if file.base is not None and not _is_host(file.base):
        complain(("base",), "the base address has a host that cannot be: check how it is written")
    if auth.password is not None and auth.user is None:
        complain((*at, "password"), "a password needs a `user`")
    standing = [name for name in auth.header if name.lower() == "authorization"]
    if (auth.bearer is not None) + (auth.user is not None) + len(standing) > 1:
        complain(at, "only one of `bearer`, `user` and a header Authorization can be sent")
    secret = {name: value.get_secret_value() for name, value in auth.header.items()}
    _check_headers(secret, (*at, "header"), complain, None)
    if auth.bearer is not None and CONTROL.search(auth.bearer.get_secret_value()):
        complain((*at, "bearer"), "a header cannot have line breaks or other control characters")
    _check_headers(file.headers, ("headers",), complain, set())
    if not TOKEN.match(file.key_header):
        complain(("key_header",), f"{file.key_header!r} is no name of a header")


def _is_host(base: str) -> bool:
    try:
        httpx2.URL(base)
    except httpx2.InvalidURL:
        return False
    return True


def _check_headers(headers: Mapping[str, str], at: At, complain: Complain, known: Collection[str] | None) -> None:
    """`known` has the arguments that may stand in braces; None means that braces are nothing special."""
    for name, value in headers.items():
        if not TOKEN.match(name):
            complain((*at, name), f"{name!r} is no name of a header")
        if name.lower() in _FRAMING:
            complain((*at, name), f"the header {name} is set by the connection itself")
        if CONTROL.search(value) or value != value.strip():
            complain((*at, name), "a header cannot have line breaks, control characters or spaces at its ends")
        for argument in FILLED_IN.findall(value):
            if known is not None and argument not in known:
                why = f"is no argument{_meant(argument, known)}" if known else "is not filled in here"
                complain((*at, name), f"{{{argument}}} {why}")


def _check_schema(name: str, schema: Mapping[str, Any], at: At, complain: Complain) -> None:
    if schema.get("type") != "object" or "$ref" in schema:
        return complain(at, "the arguments have to be a schema of `type: object` with its `properties`")
    try:
        arguments.validator(name, schema)
    except UsageError as error:
        return complain(at, str(error))
    for mistake in dict.fromkeys(_mistakes(schema, schema)):
        complain(at, mistake)


def _mistakes(schema: Mapping[str, Any], node: Any) -> Iterator[str]:
    """What the check of a schema lets pass, and the check of arguments then stumbles over."""
    if isinstance(node, Mapping):
        ref = node.get("$ref")
        if isinstance(ref, str):
            try:
                pointed(schema, ref)
            except Unsupported as mistake:
                yield str(mistake)
    inner = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        if key not in ("enum", "const", "default", "examples"):
            yield from _mistakes(schema, value)


def _meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f": did you mean {close[0]}?" if close else ""
