"""Logs: one line each, as JSON or text, for our own loggers and every library's, and never a secret in them.

Rules:

1. Every line goes through one handler, and that handler redacts the finished line: known values and known shapes.
2. An exception is its class, its message and where it happened; never a local variable, never a source line.
3. Libraries are heard from WARNING on.
"""

from __future__ import annotations

import logging
import re
import sys
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import PurePath
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog

REDACTED = "[redacted]"

LIBRARIES = (
    *("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio", "httpx", "httpx2", "httpcore", "httpcore2"),
    *("openai", "slack", "slack_bolt", "slack_sdk", "telegram", "aiohttp", "websockets", "urllib3"),
)

Level = Literal["debug", "info", "warning", "error"]

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{12,}", rf"\1\2{REDACTED}"),
        (r"\bsk-[A-Za-z0-9_-]{8,}", REDACTED),
        (r"\bwhsec_[A-Za-z0-9+/=_-]+", REDACTED),
        (r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{6,}", REDACTED),
        (r"\b(bot)?\d{5,}:[A-Za-z0-9_-]{20,}", rf"\1{REDACTED}"),
        (r"\bv1,[A-Za-z0-9+/]{20,}={0,2}", REDACTED),
        (r"\b(v0|sha1|sha256)=[0-9a-fA-F]{20,}", rf"\1={REDACTED}"),
        (r"(://)[^/\s:@\"\\]*:[^/\s@\"\\]+@", rf"\1{REDACTED}@"),
        (
            r"(?i)([?&](?:[a-z_-]*token|key|api[_-]?key|secret|sig|signature|password)=)[^&\s\"'<>\\]+",
            rf"\1{REDACTED}",
        ),
    )
)
_SECRET_NAME = re.compile(r"(?i)(password|secret|api_?key|authorization|signature|(^|[_-])token)$")


class Redactor:
    """Takes secrets out of text: those it was told, and whatever has the shape of one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        for pattern, replacement in _SHAPES:
            text = pattern.sub(replacement, text)
        return text

    def values(self, value: Any) -> Any:
        """The same structure, redacted wherever text stands; values under a telling name go as a whole."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {
                str(name): REDACTED if _SECRET_NAME.search(str(name)) and inner else self.values(inner)
                for name, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.values(inner) for inner in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self(str(value))


def _forms(secret: str) -> Iterable[str]:
    """A secret as it may stand in a line: plain, without its prefix, quoted for URLs and for JSON."""
    bare = secret.strip()
    if len(bare) < 6:
        return ()
    forms = {bare, urllib.parse.quote(bare, safe=""), urllib.parse.quote_plus(bare)}
    forms.add(bare.encode("unicode_escape").decode().replace('"', '\\"'))
    if bare.startswith("whsec_") and len(bare) > 12:
        forms.add(bare.removeprefix("whsec_"))
    return forms


def setup(
    level: Level = "info",
    format: Literal["json", "text"] = "text",
    *,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Sets up all logging of the process; calling it again replaces it (a reload with other secrets)."""
    redactor = Redactor(secrets)
    handler = _Handler(stream or sys.stderr, redactor)
    handler.setFormatter(_formatter(format, redactor))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    _quieten(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: `get("outbox").warning("not delivered", id=…, error=…)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _quieten(level: Level) -> None:
    """Libraries keep no handlers of their own and speak from WARNING on."""
    floor = max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()])
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(floor)


def _formatter(format: Literal["json", "text"], redactor: Redactor) -> logging.Formatter:
    def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        cleaned: MutableMapping[str, Any] = redactor.values(event)
        return cleaned

    renderer: Callable[..., Any] = structlog.processors.JSONRenderer(ensure_ascii=False)
    if format == "text":
        renderer = _text
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=list(_SHARED),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
    )


def _text(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    """`2026-01-31T10:00:00Z warning  outbox: not delivered id=… error=…`; control characters are made visible."""
    head = f"{event.pop('timestamp', '')} {event.pop('level', ''):8} {event.pop('logger', '')}: {event.pop('event', '')}"
    return " ".join([head, *(f"{name}={_visible(value)}" for name, value in event.items())]).translate(_CONTROL)


_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def _visible(value: Any) -> str:
    return repr(value) if isinstance(value, str) and (" " in value or not value) else str(value)


def _error(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """`exc_info` as `error` (class and message, with the cause) and `where` (the innermost frames)."""
    info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if not info:
        return event
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else sys.exception()
    if error is None:
        return event
    event["error"] = _said(error)
    if (cause := error.__cause__) is not None:
        event["cause"] = _said(cause)
    event["where"] = _where(error.__traceback__)
    return event


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


def _where(traceback: TracebackType | None, frames: int = 4) -> str:
    """The innermost frames, innermost first: "engine/turn.py:12 decide < worker.py:88 run"."""
    places: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{'/'.join(PurePath(code.co_filename).parts[-2:])}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return " < ".join(reversed(places[-frames:]))


_SHARED: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.PositionalArgumentsFormatter(),
    _error,
)


class _Handler(logging.StreamHandler[TextIO]):
    """Redacts the finished line once more; a line that cannot be written is dropped, never printed elsewhere."""

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        super().__init__(stream)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        line = self._redactor(super().format(record))
        return line.encode("utf-8", "backslashreplace").decode()

    def handleError(self, record: logging.LogRecord) -> None:
        """The default prints the arguments as they are, secrets included."""
