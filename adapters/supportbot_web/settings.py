"""The options of a web chat; what is wrong is one UsageError that begins with the key's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from supportbot import UsageError
from supportbot.options import Options

KNOWN = (
    "origins",
    "title",
    "greeting",
    "accent",
    "position",
    "theme",
    "launcher",
    "prompts",
    "uploads",
    "max_upload",
    "upload_types",
    "text_limit",
    "rate",
    "keep",
    "streams",
)
_COLOUR = r"#[0-9a-fA-F]{6}"
_KIND = re.compile(r"[a-z]+/(\*|[a-z0-9][a-z0-9.+-]*)\Z")
_TAKEN = ("app", "config", "entries", "events", "files", "messages", "seen", "sessions", "typing")
"""Names that a channel cannot have: `/chat/NAME` would be another chat's."""
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_DAY = 86_400.0
_HOST = re.compile(r"[a-z0-9_][a-z0-9_.-]*\Z|\[[0-9a-f:.]+\]\Z")
_PORTS = {"http": 80, "https": 443}
_TYPES = ("image/*", "application/pdf", "text/plain", "text/csv")
Texts = Mapping[str, str]
"""By locale; "" for every other."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`origins` as browsers write them; `keep` in seconds; `rate` messages a minute of one visitor."""

    origins: tuple[str, ...]
    title: Texts
    greeting: Texts
    launcher: Texts
    accent: str
    position: str
    theme: str
    prompts: tuple[Texts, ...] | None
    """None for the flows that have a button. A text may be a flow's name."""
    uploads: bool
    max_upload: int
    upload_types: tuple[str, ...]
    text_limit: int
    rate: int
    keep: float
    streams: int


def read(name: str, options: Mapping[str, Any]) -> Settings:
    """Raises UsageError."""
    found = Options(name, options, KNOWN)
    if name in _TAKEN:
        raise UsageError(f"type: a web chat cannot be called {name!r}, /chat/{name} is in use; take another name.")
    return Settings(
        origins=tuple(_origin(found, at, one) for at, one in enumerate(found.words("origins"))),
        title=_texts(found, "title"),
        greeting=_texts(found, "greeting"),
        launcher=_texts(found, "launcher"),
        accent=found.text("accent", "#0b57d0", pattern=_COLOUR, like="a colour such as #0b57d0"),
        position=found.choice("position", ("right", "left")),
        theme=found.choice("theme", ("auto", "light", "dark")),
        prompts=_prompts(found),
        uploads=found.flag("uploads", True),
        max_upload=found.count("max_upload", 10_000_000),
        upload_types=_kinds(found),
        text_limit=found.count("text_limit", 8_000),
        rate=found.count("rate", 30),
        keep=found.count("keep", 180) * _DAY,
        streams=found.count("streams", 2_000),
    )


def chosen(texts: Texts, locale: str) -> str:
    """The text in the locale, in its language, or for everybody; "" if there is none."""
    for key in (locale, locale.partition("-")[0], ""):
        if key in texts:
            return texts[key]
    return next(iter(texts.values()), "")


def _origin(found: Options, at: int, text: str) -> str:
    origin = origin_of(text)
    if not origin or not text.strip("/").endswith(urlsplit(text).netloc) or "*" in text:
        raise UsageError(
            f"{found.place('origins')}[{at}] must be a site's origin, such as https://www.example.com, without a path."
        )
    return origin


def origin_of(address: str) -> str:
    """The origin of an address in the way browsers write it, "" if it has none."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
        host = f"[{host}]" if ":" in host else host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not _HOST.match(host) or re.search(r"[\s@\\]", address):
        return ""
    return f"{parts.scheme}://{host}{port}"


def _kinds(found: Options) -> tuple[str, ...]:
    kinds = tuple(kind.strip().lower() for kind in found.words("upload_types")) or _TYPES
    for at, kind in enumerate(kinds):
        if not _KIND.match(kind):
            raise UsageError(
                f"{found.place('upload_types')}[{at}] must be a kind of file, such as image/* or application/pdf."
            )
    return kinds


def _prompts(found: Options) -> tuple[Texts, ...] | None:
    value = found.get("prompts")
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        raise UsageError(f"{found.place('prompts')} must be a list of flows and texts.")
    return tuple(_text(one, f"{found.place('prompts')}[{at}]") for at, one in enumerate(value))


def _texts(found: Options, key: str) -> Texts:
    value = found.get(key)
    return {} if value is None else _text(value, found.place(key))


def _text(value: object, place: str) -> Texts:
    """One text for everybody, or one for each language."""
    texts: Any = {"": value} if isinstance(value, str) else value
    right = isinstance(texts, dict) and all(
        isinstance(locale, str) and (not locale or _LOCALE.match(locale)) and isinstance(text, str)
        for locale, text in texts.items()
    )
    if not right:
        raise UsageError(f"{place} must be a text, or texts by language such as {{en: Hello, de: Hallo}}.")
    return dict(texts)
