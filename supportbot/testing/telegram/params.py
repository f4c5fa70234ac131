"""The parameters of a Bot API request, whether they came as a form, as JSON, in the query, or with files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from supportbot.testing.telegram.rules import Refused

_OBJECTS = frozenset(
    [
        "reply_markup",
        "entities",
        "caption_entities",
        "reply_parameters",
        "allowed_updates",
        "commands",
        "scope",
        "link_preview_options",
    ]
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a multipart request."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Params:
    """The values by name; the readers convert them as the API does."""

    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A string, empty if it is not there."""
        value = self.values.get(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> int | None:
        """A whole number, None if it is not there."""
        value = self.values.get(name)
        if value in (None, ""):
            return None
        try:
            return int(value)
        except (TypeError, ValueError):
            raise Refused(f"invalid {name} specified") from None

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("true", "yes", "1")

    def object(self, name: str) -> Any:
        """A JSON value, None if it is not there."""
        return self.values.get(name)

    def upload(self, name: str) -> Upload | str:
        """An uploaded file, or the string that stands for one."""
        value = self.values.get(name)
        if isinstance(value, str) and value.startswith("attach://"):
            value = self.values.get(value.removeprefix("attach://"))
        return value if isinstance(value, Upload) else str(value or "")


async def read_params(request: web.Request) -> Params:
    """The parameters of the request; raises `Refused` if an object in them is no JSON."""
    values: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        content = await request.text()
        values |= _decoded("body", content) if content else {}
    elif request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name:
                continue
            content_type = part.headers.get("content-type", "application/octet-stream")
            content_bytes = bytes(await part.read())
            if part.filename:
                values[part.name] = Upload(part.filename, content_type, content_bytes)
            else:
                values[part.name] = content_bytes.decode()
    else:
        values |= dict(await request.post())
    return Params({name: _decoded(name, value) if name in _OBJECTS else value for name, value in values.items()})


def _decoded(name: str, value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise Refused(f"can't parse {name.replace('_', ' ')} JSON object") from None
