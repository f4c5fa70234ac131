"""Pages out of templates: escaped, with the headers that let nothing foreign run or be fetched.

1. Everything in a template is escaped unless `supportbot.console.html` made it; a name that is missing is an error.
2. No inline script, style or event handler anywhere, so that the policy can forbid them.
3. Pages are never stored by a cache; static files are named by their content and may be kept for ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from supportbot.console.html import markdown, plain_lines, unmarked
from supportbot.console.static import versioned
from supportbot.console.words import duration, money, reason
from supportbot.types import User
from supportbot.types.console import Role

if TYPE_CHECKING:
    from supportbot.types.console import Visit

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_THEMES = ("light", "dark")
"""Chosen by the page's script, in a cookie, so that a page never flashes in the other one."""
_MADE_BY_MACHINE = re.compile(r"[A-Za-z0-9_-]{20,}\Z")
"""An id that says nothing to a person, such as that of an anonymous visitor of a web chat."""
_NAVIGATION: tuple[tuple[str, str, Role], ...] = (
    ("/console/queue", "Queue", "agent"),
    ("/console/conversations", "Conversations", "agent"),
    ("/console/dashboard", "Dashboards", "lead"),
    ("/console/replies", "Canned replies", "agent"),
    ("/console/accounts", "Accounts", "admin"),
    ("/console/audit", "Audit", "admin"),
)


def render(
    request: Request, template: str, visit: Visit | None = None, status: int = 200, **values: Any
) -> Response:
    """A page, or a part of one, from `templates/`. Without a visit it has no navigation."""
    html = text(request, template, visit, **values)
    return Response(html, status, HEADERS, "text/html")


def problem(request: Request, status: int, sentence: str) -> Response:
    """An error as a page for people; a part of a page gets the sentence alone."""
    if "hx-request" in request.headers:
        return Response(sentence, status, HEADERS, "text/plain")
    return render(request, "problem.html", None, status, sentence=sentence)


def text(request: Request, template: str, visit: Visit | None = None, **values: Any) -> str:
    """The HTML alone."""
    chosen = request.cookies.get("supportbot_theme", "")
    return (
        _environment()
        .get_template(template)
        .render(
            request=request,
            visit=visit,
            here=request.url.path,
            theme=chosen if chosen in _THEMES else "",
            navigation=_navigation(visit),
            **values,
        )
    )


def _navigation(visit: Visit | None) -> tuple[tuple[str, str], ...]:
    if visit is None:
        return ()
    return tuple((address, label) for address, label, role in _NAVIGATION if visit.account.may(role))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        ago=ago,
        lasting=lasting,
        when=when,
        duration=duration,
        money=money,
        reason=reason,
        markdown=markdown,
        plain_lines=plain_lines,
        unmarked=unmarked,
        size=size,
        anchor=anchor,
        person=person,
    )
    environment.globals["static"] = versioned
    return environment


def when(at: float | None) -> Markup:
    """A time: UTC as sent, in the reader's own zone once the page's script has seen it."""
    return _time(at, "when", _utc(at).strftime("%Y-%m-%d %H:%M UTC") if at is not None else "")


def ago(at: float | None) -> Markup:
    """How long ago, or how long until; the page's script keeps it up to date."""
    if at is None:
        return Markup("")
    seconds = time() - at
    return _time(at, "ago", f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}")


def lasting(since: float | None) -> Markup:
    """For how long something has been so by now; the page's script keeps it up to date."""
    return _time(since, "for", duration(time() - since) if since is not None else "")


def _time(at: float | None, style: str, shown: str) -> Markup:
    if at is None:
        return Markup("")
    stamp = _utc(at)
    return Markup('<time datetime="{}" data-time="{}" title="{}">{}</time>').format(
        stamp.isoformat(timespec="seconds").replace("+00:00", "Z"), style, f"{stamp:%Y-%m-%d %H:%M:%S} UTC", shown
    )


def _utc(at: float | None) -> datetime:
    return datetime.fromtimestamp(at or 0.0, UTC)


def size(count: int) -> str:
    """Bytes as a person reads them; "" if unknown."""
    if count < 0:
        return ""
    for length, unit in ((1_000_000, "MB"), (1_000, "kB")):
        if count >= length:
            return f"{count / length:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"


def anchor(value: str) -> str:
    """A value as (part of) an element's id."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", value)


def person(user: User, otherwise: str = "") -> str:
    """What to call a customer: by name, else by their id; of one that says nothing its end, so that two are told apart."""
    if user.name or otherwise:
        return user.name or otherwise
    if _MADE_BY_MACHINE.match(user.id):
        return f"Visitor {user.id[-4:]}"
    return user.id or "Unnamed customer"
