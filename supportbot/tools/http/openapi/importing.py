"""Reads operations out of an OpenAPI 3 description, as requests with the schema of their arguments.

1. Only what the operator names is looked at: the rest of the description may be as wrong as it likes.
2. All arguments of an operation lie in one object: parameters beside the properties of its content. Content that is
   no plain object is one argument, `body`.
3. What we send ourselves (credentials, the key, `Accept`, `Content-Type`, `Host`) is no argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from supportbot.shapes import web_address
from supportbot.toolfiles import METHODS
from supportbot.tools.http.openapi.file import Found
from supportbot.tools.http.openapi.schema import Schemas, Unsupported
from supportbot.tools.http.request import FORM, JSON, PLACEHOLDER, TOKEN, Body, Endpoint, Place, Style

LONGEST = 1024
"""Characters of what a model is told of an operation, unless the operator writes it."""
OURS = {
    *("accept", "content-type", "authorization", "host", "content-length", "transfer-encoding", "connection"),
    *("proxy-authorization", "te", "upgrade", "expect", "cookie"),
}
"""Headers, in small letters, that are never an argument."""

_STYLES: Mapping[tuple[str, str, bool], Style] = {
    ("path", "simple", False): "comma",
    ("path", "simple", True): "comma",
    ("header", "simple", False): "comma",
    ("header", "simple", True): "comma",
    ("query", "form", True): "form",
    ("query", "form", False): "comma",
    ("query", "spaceDelimited", False): "space",
    ("query", "pipeDelimited", False): "pipe",
    ("query", "spaceDelimited", True): "form",
    ("query", "pipeDelimited", True): "form",
    ("query", "deepObject", True): "deep",
    ("query", "deepObject", False): "deep",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """An operation that can be called. `mistakes` has why it cannot, in sentences."""

    endpoint: Endpoint
    parameters: Mapping[str, Any]
    description: str
    mistakes: tuple[str, ...] = ()


def imported(
    document: Mapping[str, Any], found: Found, *, base: str | None, sent: frozenset[tuple[str, str]] = frozenset()
) -> Imported:
    """The operation as a request. `base` stands for the servers of the description, `sent` has what is sent with every
    request: ("header" or "query", name in small letters)."""
    return _Reader(document, found, sent).imported(base)


class _Reader:
    """Reads one operation, and collects what is wrong with it. One use."""

    def __init__(self, document: Mapping[str, Any], found: Found, sent: frozenset[tuple[str, str]]) -> None:
        self._document = document
        self._found = found
        self._sent = sent
        self._schemas = Schemas(document)
        self._places: dict[str, Place] = {}
        self._properties: dict[str, Any] = {}
        self._required: list[str] = []
        self._mistakes: list[str] = []
        self._more: Any = False

    def imported(self, base: str | None) -> Imported:
        found = self._found
        if found.method not in METHODS:
            self._mistakes.append(f"the method {found.method} is not supported")
        if re.search(r"[#\s]", found.path):
            self._mistakes.append("its path has a # or a space in it")
        for parameter in self._parameters():
            self._attempt(self._parameter, parameter)
        for name in PLACEHOLDER.findall(found.path):
            if Place("path", name, "comma") not in self._places.values():
                self._mistakes.append(f"its path has {{{name}}}, which is none of its parameters")
        body = self._attempt(self._body, found.operation.get("requestBody"))
        address = base or self._attempt(self._server) or ""
        endpoint = Endpoint(
            address,
            found.method,
            found.path,
            self._places,
            rest="body" if body is not None else "query",
            body=body,
        )
        return Imported(endpoint, self._schema(), self._description(), tuple(self._mistakes))

    def _attempt(self, read: Any, *given: Any) -> Any:
        try:
            return read(*given)
        except Unsupported as mistake:
            self._mistakes.append(str(mistake))
        except RecursionError:
            self._mistakes.append("its schemas are nested too deeply")
        return None

    def _schema(self) -> Mapping[str, Any]:
        schema = {"type": "object", "properties": self._properties, "required": self._required}
        schema["additionalProperties"] = self._more
        return schema | ({"$defs": self._schemas.defs} if self._schemas.defs else {})

    def _description(self) -> str:
        parts = [self._found.operation.get(key) for key in ("summary", "description")]
        told = "\n\n".join(dict.fromkeys(part.strip() for part in parts if isinstance(part, str) and part.strip()))
        return told if len(told) <= LONGEST else told[: LONGEST - 1] + "…"

    def _parameters(self) -> Iterator[Mapping[str, Any]]:
        """Its own and those of its path; its own win."""
        by_name: dict[tuple[Any, Any], Mapping[str, Any]] = {}
        for owner in (self._found.item, self._found.operation):
            for written in owner.get("parameters") or ():
                parameter = self._attempt(self._schemas.resolved, written)
                if isinstance(parameter, Mapping):
                    by_name[parameter.get("in"), parameter.get("name")] = parameter
        yield from by_name.values()

    def _parameter(self, parameter: Mapping[str, Any]) -> None:
        where, name = str(parameter.get("in")), str(parameter.get("name"))
        needed = parameter.get("required") is True or where == "path"
        low = name.lower()
        if (where, low) in self._sent or (where == "header" and low in OURS):
            return
        explode = parameter.get("explode", where == "query" and parameter.get("style", "form") == "form")
        style = parameter.get("style", "form" if where == "query" else "simple")
        known = "content" in parameter or (where, style, explode) in _STYLES
        known = known and (where != "header" or TOKEN.match(name) is not None)
        if where not in ("path", "query", "header") or not known:
            if needed:
                raise Unsupported(f"its {where} parameter `{name}` is needed, and this kind is not supported")
            return
        schema = self._parameter_schema(parameter)
        written: Style = (
            "json"
            if "content" in parameter and where == "query"
            else _STYLES.get((where, style, explode), "comma")
        )
        self._add(Place(where, name, written), schema, needed)  # type: ignore[arg-type]  # one of three, see above

    def _parameter_schema(self, parameter: Mapping[str, Any]) -> Any:
        holder: Any = parameter
        if isinstance(parameter.get("content"), Mapping) and parameter["content"]:
            holder = next(iter(parameter["content"].values()))
        schema = self._schemas.schema(holder.get("schema", {}) if isinstance(holder, Mapping) else {})
        about = {"description": parameter["description"]} if isinstance(parameter.get("description"), str) else {}
        examples = {"examples": [parameter["example"]]} if "example" in parameter else {}
        return {**schema, **about, **examples} if isinstance(schema, dict) else schema

    def _add(self, place: Place, schema: Any, needed: bool) -> None:
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", place.name).strip("_") or "_"
        if name in self._properties:
            kinds = " and ".join(dict.fromkeys((self._part(name), _PARTS[place.part])))
            raise Unsupported(f"it has `{name}` more than once ({kinds}), so that they cannot be told apart")
        self._properties[name] = schema
        self._required += [name] if needed else []
        if place != Place("body", name):
            self._places[name] = place

    def _part(self, name: str) -> str:
        return _PARTS[self._places[name].part if name in self._places else "body"]

    def _body(self, written: Any) -> Body | None:
        body = self._schemas.resolved(written)
        if not isinstance(body, Mapping):
            return None
        needed = body.get("required") is True
        content = body.get("content")
        media, described = _best(content if isinstance(content, Mapping) else {})
        if not media:
            if needed:
                kinds = ", ".join(content) if isinstance(content, Mapping) else "nothing"
                raise Unsupported(f"its content is neither JSON nor a form: {kinds}")
            return None
        schema = described.get("schema", True) if isinstance(described, Mapping) else True
        flat = self._schemas.flat(schema)
        if flat is not None:
            return self._flat_body(flat, media, needed)
        if media == FORM:
            raise Unsupported("its form is no plain object")
        self._add(Place("body", "body"), self._schemas.schema(schema), needed)
        return Body(media, whole="body")

    def _flat_body(self, flat: Mapping[str, Any], media: str, needed: bool) -> Body:
        for name, schema in flat["properties"].items():
            place = Place("body", name, "form" if media == FORM else "plain")
            self._attempt(self._add, place, schema, needed and name in flat["required"])
        self._more = flat.get("additionalProperties", False)
        return Body(media, optional=not needed)

    def _server(self) -> str:
        for owner in (self._found.operation, self._found.item, self._document):
            servers = owner.get("servers")
            if isinstance(servers, list) and servers and isinstance(servers[0], Mapping):
                return _address(servers[0])
        raise Unsupported("the description names no server: write `base`")


_PARTS = {"path": "in the path", "query": "in the query", "header": "as a header", "body": "in its content"}


def _address(server: Mapping[str, Any]) -> str:
    variables = server.get("variables") or {}

    def default(match: re.Match[str]) -> str:
        variable = variables.get(match[1])
        if not isinstance(variable, Mapping) or "default" not in variable:
            raise Unsupported(f"the server's variable {match[1]} has no default: write `base`")
        return str(variable["default"])

    url = PLACEHOLDER.sub(default, str(server.get("url", "")))
    try:
        if re.search(r"[?#@]", url):
            raise ValueError
        return web_address(url)
    except ValueError:
        raise Unsupported(f"the server {url or '(none)'} is no complete address: write `base`") from None


def _best(content: Mapping[str, Any]) -> tuple[str, Any]:
    """The kind of content that we send, and its description; "" if we can send none of them."""
    for media, described in content.items():
        if media.partition(";")[0].strip().lower() in (JSON, "*/*", "application/*"):
            return JSON, described
    for media, described in content.items():
        plain = media.partition(";")[0].strip().lower()
        if plain.endswith("+json") or plain == FORM:
            return plain, described
    return "", None
