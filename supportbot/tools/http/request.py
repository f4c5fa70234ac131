"""Writes HTTP requests out of arguments.

1. An argument fills a part of the path, of the query, a header or the body; the host is the operator's.
2. In the path it stays one part: it is encoded as a whole, and nothing that a server could take for a step upwards is
   sent.
3. No control character reaches a header.
4. An error names the argument and never its value, which may be a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlencode

from supportbot.errors import ToolError

LONGEST = 8_000
"""Characters of an address; most servers take no longer one."""
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
"""An argument in a path."""
FILLED_IN = re.compile(r"\{([A-Za-z_][\w.-]*)\}")
"""An argument in a header; other braces, such as those of JSON, stand for themselves."""
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
"""The name of a header."""

Part = Literal["path", "query", "header", "template", "body"]
Style = Literal["plain", "form", "comma", "space", "pipe", "deep", "json"]
Pairs = list[tuple[str, str]]

_BETWEEN = {"comma": ",", "space": " ", "pipe": "|"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an argument goes, under which name, and how lists and objects are written there ("plain" and "form" repeat
    the name for each item; of an object "form" writes the keys, "plain" JSON). A "template" is filled by name."""

    part: Part
    name: str
    style: Style = "plain"


Placed = tuple[Place, str, Any]
"""An argument's place, name and value."""


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent as content. `whole`: the argument that is all of it. `optional`: nothing is sent if it is empty."""

    media: str = JSON
    whole: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A request with holes. `places` has the arguments by name; all others go to `rest`."""

    base: str
    method: str
    path: str
    places: Mapping[str, Place] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    rest: Literal["query", "body"] = "query"
    body: Body | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Written:
    """A request as it is sent, without what makes us known to the other side."""

    url: str
    headers: Mapping[str, str]
    content: bytes | None
    media: str = ""


def written(endpoint: Endpoint, arguments: Mapping[str, Any], *, reserved: Collection[str]) -> Written:
    """The request with these arguments; none of them gets a name in the query that is `reserved`. Raises ToolError."""
    placed = [(_place(endpoint, name), name, value) for name, value in arguments.items()]
    query = _all_pairs(placed, "query", reserved)
    path = _path(endpoint, placed)
    url = endpoint.base.rstrip("/") + path + (("&" if "?" in path else "?") + encoded(query) if query else "")
    if len(url) > LONGEST:
        raise ToolError("The arguments are too long.")
    content = _content(endpoint.body, arguments, placed)
    media = endpoint.body.media if endpoint.body is not None and content is not None else ""
    return Written(url, dict(_headers(endpoint, arguments, placed)), content, media)


def _all_pairs(placed: list[Placed], part: Part, reserved: Collection[str]) -> Pairs:
    """Names and values of all arguments in the query or a form. An object whose keys are written out cannot take the
    name of another argument, which the server may have put in."""
    own = {place.name for place, _, _ in placed if place.part == part}
    return [
        (name, value)
        for place, _, given in placed
        if place.part == part
        for name, value in pairs(place, given)
        if name not in reserved and (name == place.name or name not in own)
    ]


def encoded(query: Pairs) -> str:
    """The pairs as they stand after a `?`; a space is %20."""
    return urlencode([(_whole(name), _whole(value)) for name, value in query], quote_via=quote, safe="")


def pairs(place: Place, value: Any) -> Pairs:
    """A value as names and values of a query or a form; None has none."""
    if value is None:
        return []
    if place.style == "json":
        return [(place.name, _json(value))]
    if isinstance(value, list | tuple):
        items = [text(item) for item in value if item is not None]
        between = _BETWEEN.get(place.style)
        return [(place.name, item) for item in items] if between is None else [(place.name, between.join(items))]
    if isinstance(value, Mapping) and place.style in ("deep", "form"):
        deep = place.style == "deep"
        found = {f"{place.name}[{key}]" if deep else str(key): item for key, item in value.items()}
        return [pair for key, item in found.items() for pair in pairs(Place(place.part, key), item)]
    return [(place.name, text(value))]


def text(value: Any) -> str:
    """A value as it is written outside of JSON: true and false in small letters, whole numbers without a point."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _json(value)


def _place(endpoint: Endpoint, name: str) -> Place:
    return endpoint.places.get(name) or Place(endpoint.rest, name)


def _path(endpoint: Endpoint, placed: list[Placed]) -> str:
    given = {place.name: (name, value) for place, name, value in placed if place.part == "path"}

    def fill(match: re.Match[str]) -> str:
        name, value = given.get(match[1], (match[1], None))
        return quote(_whole(_segment(name, value)), safe="")

    return PLACEHOLDER.sub(fill, endpoint.path)


def _segment(name: str, value: Any) -> str:
    """The value as a part of a path. Some servers decode a path before they resolve it, so nothing may divide it."""
    found = ",".join(map(text, value)) if isinstance(value, list | tuple) else value
    if found is None or found == "" or isinstance(found, Mapping):
        raise ToolError(f"The argument {name} is needed and cannot be empty.")
    found = text(found)
    if found in (".", "..") or re.search(r"[/\\]", found) or CONTROL.search(found):
        raise ToolError(f"The argument {name} cannot have this value.")
    return found


def _headers(endpoint: Endpoint, arguments: Mapping[str, Any], placed: list[Placed]) -> Iterator[tuple[str, str]]:
    """Headers; one whose arguments are not all there is left out."""
    for header, template in endpoint.headers.items():
        names = FILLED_IN.findall(template)
        if all(arguments.get(name) is not None for name in names):
            yield header, FILLED_IN.sub(lambda match: _line(match[1], arguments[match[1]]), template)
    for place, name, value in placed:
        if place.part == "header" and value is not None:
            yield place.name, _line(name, value)


def _line(name: str, value: Any) -> str:
    found = ",".join(map(text, value)) if isinstance(value, list | tuple) else text(value)
    if CONTROL.search(found):
        raise ToolError(f"The argument {name} cannot have line breaks or other control characters.")
    return _whole(found.strip())


def _content(body: Body | None, arguments: Mapping[str, Any], placed: list[Placed]) -> bytes | None:
    if body is None:
        return None
    if body.whole:
        return _json(arguments[body.whole]).encode() if body.whole in arguments else None
    sent = [(place, value) for place, _, value in placed if place.part == "body"]
    if not sent and body.optional:
        return None
    if body.media == FORM:
        return encoded(_all_pairs(placed, "body", {})).encode()
    return _json({place.name: value for place, value in sent}).encode()


def _json(value: Any) -> str:
    try:
        return _whole(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except (ValueError, TypeError, RecursionError):
        raise ToolError("The arguments cannot be written as JSON.") from None


def _whole(found: str) -> str:
    """The text with half a character replaced: it could not be sent."""
    return found.encode("utf-8", "replace").decode("utf-8")
