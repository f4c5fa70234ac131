"""Sends the mapping's requests, and says how the helpdesk answered.

1. Where a request goes is the operator's `url` and the mapping's path; a value fills one part of the path, encoded.
2. An answer is a success only with a 2xx, or with the statuses that the mapping names, and where it must give an id
   only if it is JSON. No redirect is followed.
3. A request that is busy (429, 5xx, no answer) or that the operator can mend (401, 403, a redirect) is tried again
   later; what the helpdesk calls wrong, or a ticket that is gone, is not.
4. No error shows a token, a path or a query.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx2

from supportbot import ChannelBusy, ChannelRefused
from supportbot.sandbox import TemplateFailed, Templates
from supportbot.webhooks import retry_after
from supportbot_helpdesk.inbound import search, text_of
from supportbot_helpdesk.mapping import Auth, HelpdeskMapping, Look, Request
from supportbot_helpdesk.words import same_words

LONGEST = 8_000
SECONDS = 12.0
"""The time of one request."""
QUICK = 2.0
"""The time of one that a delivery waits for: helpdesks wait about five seconds for us."""

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_ALONE = re.compile(r"\s*\{\{-?((?:(?!\}\}|\{\{|\{%).)*?)-?\}\}\s*\Z", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OPTION = re.compile(r"\boptions\.([a-z][a-z0-9_]*)")
_MENDABLE = frozenset((401, 402, 403, 407))
_AGAIN = frozenset((408, 409, 425, 429))
_GONE = frozenset((404, 410))
_TEMPLATES = Templates({})


class Unwritable(ValueError):
    """A request that cannot be written with these values; the sentence names the place, never the value."""


def alone(text: str) -> str | None:
    """The expression, if the text is one and nothing else."""
    match = _ALONE.match(text)
    return match[1].strip() if match else None


def filled(value: Any, values: Mapping[str, Any], place: str) -> Any:
    """A leaf, list or mapping with its templates filled in. Raises Unwritable.

    A text that is one expression keeps the expression's type; what comes to none is left out of lists and mappings.
    """
    if isinstance(value, Mapping):
        items = ((key, item, filled(item, values, f"{place}.{key}")) for key, item in value.items())
        return {key: found for key, item, found in items if found is not None or item is None}
    if isinstance(value, list | tuple):
        pairs = ((item, filled(item, values, f"{place}[{at}]")) for at, item in enumerate(value))
        return [found for item, found in pairs if found is not None or item is None]
    if not isinstance(value, str):
        return value
    expression = alone(value)
    if expression is None:
        return _rendered(value, values, place)
    return json.loads(_rendered(f"{{{{ ({expression}) | tojson }}}}", values, place))


def _rendered(template: str, values: Mapping[str, Any], place: str) -> str:
    try:
        return _TEMPLATES.render_text(template, values, name=place)
    except TemplateFailed as error:
        raise Unwritable(f"`{place}`: {error.reason}") from None


def path(request: str, values: Mapping[str, Any], place: str) -> tuple[str, str]:
    """(method, path); every expression is one part of the path. Raises Unwritable."""
    method, _, template = request.partition(" ")

    def fill(match: re.Match[str]) -> str:
        found = text_of(filled(match[0], values, place))
        if not found or found in (".", "..") or re.search(r"[/\\]", found) or _CONTROL.search(found):
            raise Unwritable(f"`{place}`: {{{{{match[1]}}}}} is empty or no part of a path")
        return quote(found.encode("utf-8", "replace"), safe="")

    return method, _TEMPLATE.sub(fill, template)


def _pairs(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in found.items():
        listed = value if isinstance(value, list) else [value]
        pairs += [(name, text_of(one)) for one in listed if one is not None]
    return pairs


def _encoded(found: Mapping[str, Any]) -> str:
    safe = [(name, value.encode("utf-8", "replace").decode()) for name, value in _pairs(found)]
    return urlencode(safe, quote_via=quote, safe="")


class Written:
    """One request as it is sent."""

    __slots__ = ("content", "headers", "method", "target")

    def __init__(self, method: str, target: str, headers: Mapping[str, str], content: bytes | None) -> None:
        self.method, self.target, self.headers, self.content = method, target, headers, content


def written(mapping: HelpdeskMapping, request: Request | Look, values: Mapping[str, Any], place: str) -> Written:
    """The request with these values; its target begins at the helpdesk's `url`. Raises Unwritable."""
    method, target = path(request.request, values, f"{place}.request")
    query = _encoded(filled(request.query, values, f"{place}.query"))
    target += f"?{query}" if query else ""
    if len(target) > LONGEST:
        raise Unwritable(f"`{place}`: the address is too long")
    headers: dict[str, tuple[str, str]] = {"accept": ("accept", "application/json")}
    content: bytes | None = None
    if isinstance(request, Request):
        if request.json_ is not None:
            body = filled(request.json_, values, f"{place}.json")
            content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
            headers["content-type"] = ("content-type", "application/json")
        elif request.form is not None:
            content = _encoded(filled(request.form, values, f"{place}.form")).encode()
            headers["content-type"] = ("content-type", "application/x-www-form-urlencoded")
    own = request.headers if isinstance(request, Request) else {}
    auth = (request.auth if isinstance(request, Request) else None) or mapping.auth
    for where, layer in (("headers", mapping.headers), (f"{place}.headers", own), ("auth.header", auth.header)):
        for name, value in filled(layer, values, where).items():
            if _CONTROL.search(text_of(value)) or not text_of(value).isascii():
                raise Unwritable(
                    f"`{where}.{name}`: a header has ASCII characters alone, and no line breaks; write it with `urlencode`"
                )
            headers[name.lower()] = (name, text_of(value))
    return Written(method, target, dict(headers.values()), content)


def credentials(auth: Auth, values: Mapping[str, Any]) -> httpx2.Auth | None:
    """Basic or bearer authentication, None for headers alone."""
    if auth.bearer is not None:
        return _Bearer(text_of(filled(auth.bearer, values, "auth.bearer")))
    if auth.user is not None:
        user = text_of(filled(auth.user, values, "auth.user"))
        return httpx2.BasicAuth(user, text_of(filled(auth.password or "", values, "auth.password")))
    return None


class _Bearer(httpx2.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx2.Request) -> Any:
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


class Api:
    """The helpdesk's API. The clients are lent: whoever made them closes them. `files` is for what customers name: of
    the operator's own network it reaches the helpdesk alone."""

    def __init__(
        self,
        name: str,
        url: str,
        mapping: HelpdeskMapping,
        client: httpx2.AsyncClient,
        *,
        files: httpx2.AsyncClient,
        hidden: Sequence[str],
    ) -> None:
        self._name = name
        self._url = url
        self._mapping = mapping
        self._client = client
        self._files = files
        self._hidden = sorted(filter(None, hidden), key=len, reverse=True)
        parts = urlsplit(url)
        self.host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    async def ask(
        self, name: str, values: Mapping[str, Any], *, on_ticket: bool = True, seconds: float = SECONDS
    ) -> str:
        """Sends the request called `name` and returns the id that it gives, "" for none.

        `on_ticket`: a 404 says that the ticket is gone. Raises ChannelBusy, ChannelRefused.
        """
        request: Request | None = getattr(self._mapping.requests, name)
        if request is None:
            raise ChannelRefused(f"the mapping of channels.{self._name} has no request `{name}`")
        if not all(values["options"].get(option) for option in request.needs):
            return ""
        status, answer = await self._exchange(request, values, f"requests.{name}", seconds)
        if status in request.none:
            return ""
        accepted = status in request.ok if request.ok else 200 <= status < 300
        if not accepted:
            raise self._failure(name, request.auth or self._mapping.auth, status, answer, on_ticket)
        given = self._id(request, values, name, answer)
        if not given and (request.gives is not None or _is_page(answer["headers"])):
            self._must_answer(name, answer)
        return given

    async def look(self, look: Look, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """{"answer"} or {"found"}: what a thin delivery left out. Raises ChannelBusy, ChannelRefused."""
        status, answer = await self._exchange(look, values, "look", QUICK)
        if not 200 <= status < 300:
            raise self._failure("look", self._mapping.auth, status, answer, True)
        self._must_answer("look", answer)
        return found(look, values, answer)

    async def content(self, url: str, values: Mapping[str, Any], limit: int) -> tuple[int, bytes, str]:
        """(status, content, where it points to) of a file; our credentials go to the helpdesk itself alone.

        More than `limit` bytes are cut after one more.
        """
        try:
            async with asyncio.timeout(SECONDS):
                base = httpx2.URL(f"{self._url}/")
                target = base.join(url)
                if target.scheme not in ("http", "https") or not target.host:
                    raise httpx2.InvalidURL("no address of the web")
                own = _origin(target) == _origin(base)
                auth = credentials(self._mapping.auth, values) if own else None
                more = filled(self._mapping.auth.header, values, "auth.header") if own else {}
                request = self._files.build_request("GET", target, headers={"accept": "*/*", **more})
                response = await self._files.send(request, auth=auth, stream=True)
                try:
                    pieces, size = [], 0
                    async for piece in response.aiter_raw():
                        pieces.append(piece)
                        size += len(piece)
                        if size > limit:
                            break
                finally:
                    await response.aclose()
                pointed = response.headers.get("location", "") if 300 <= response.status_code < 400 else ""
                return response.status_code, b"".join(pieces), str(target.join(pointed)) if pointed else ""
        except (httpx2.HTTPError, TimeoutError) as error:
            raise ChannelBusy(
                f"{self._mapping.helpdesk}: the file could not be read ({type(error).__name__})"
            ) from None
        except ChannelRefused:
            raise ChannelRefused(
                f"{self._mapping.helpdesk}: the file has a private address that is not the helpdesk's, which is not read"
            ) from None
        except (httpx2.InvalidURL, ValueError):
            raise ChannelRefused(f"{self._mapping.helpdesk}: the file has no address that can be read") from None

    async def _exchange(
        self, request: Request | Look, values: Mapping[str, Any], place: str, seconds: float
    ) -> tuple[int, Mapping[str, Any]]:
        try:
            wire = written(self._mapping, request, values, place)
            auth = credentials(
                (request.auth if isinstance(request, Request) else None) or self._mapping.auth, values
            )
        except Unwritable as error:
            raise ChannelRefused(
                f"channels.{self._name}: the mapping cannot write this request: {error}"
            ) from None
        try:
            async with asyncio.timeout(seconds):
                sent = self._client.build_request(
                    wire.method, self._url + wire.target, headers=dict(wire.headers), content=wire.content
                )
                response = await self._client.send(sent, auth=auth, follow_redirects=False)
        except (httpx2.TimeoutException, TimeoutError):
            raise ChannelBusy(f"{self.host} did not answer within {seconds:g} s.") from None
        except httpx2.HTTPError as error:
            raise ChannelBusy(f"{self.host} could not be reached or broke off ({type(error).__name__}).") from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status_code, {"body": _body(response.content), "headers": headers}

    def _failure(
        self, name: str, auth: Auth, status: int, answer: Mapping[str, Any], on_ticket: bool
    ) -> ChannelBusy | ChannelRefused:
        told = f"{self.host} answered {status} to `{name}`"
        if status in _MENDABLE:
            return ChannelBusy(
                f"{told}: it does not accept {self._options(auth)}; mend it, nothing is lost meanwhile."
            )
        if 300 <= status < 400:
            return ChannelBusy(
                f"{told}, a redirect, which is not followed: write the final address as channels.{self._name}.url."
            )
        if status in _AGAIN or status >= 500:
            return ChannelBusy(f"{told}.", retry_after=_wish(answer["headers"], time.time()))
        if status in _GONE and not on_ticket:
            return ChannelBusy(f"{told}: check channels.{self._name}.url and the options in its path.")
        if status in _GONE:
            return ChannelRefused(f"{told}: the ticket is gone.")
        return ChannelRefused(f"{told}{self._said(answer['body'])}")

    def _must_answer(self, name: str, answer: Mapping[str, Any]) -> None:
        """Raises ChannelBusy for what no API says: somebody before it has answered, such as a page about maintenance."""
        if not isinstance(answer["body"], dict | list):
            raise ChannelBusy(f"{self.host} answered `{name}` with something else than its API does.")

    def _said(self, body: Any) -> str:
        """The first words in an error that read like its reason, cut short and without our secrets."""
        words = " ".join(_words(body, 4).split())
        for secret in self._hidden:
            words = words.replace(secret, "***")
        return f': "{words[:160]}"' if words else "."

    def _options(self, auth: Auth) -> str:
        texts = [auth.bearer, auth.user, auth.password, *auth.header.values()]
        names = dict.fromkeys(name for text in texts if text for name in _OPTION.findall(text))
        return " and ".join(f"channels.{self._name}.{name}" for name in names) or "the credentials"

    def _id(self, request: Request, values: Mapping[str, Any], name: str, answer: Mapping[str, Any]) -> str:
        if request.gives is None:
            return ""
        if request.among is not None:
            exact = request.equals is not None
            wanted = text_of(filled(request.equals if exact else request.has, values, f"requests.{name}.where"))
            listed = _list(search(request.among, answer))
            fits = (one for one in listed if _fits(search(request.where, one), wanted, exact=exact))
            return text_of(search(request.gives, next(fits, None)))
        given = text_of(search(request.gives, answer))
        if not given and name in ("create", "customer") and isinstance(answer["body"], dict | list):
            raise ChannelRefused(
                f"{self.host} took `{name}`, but its answer has no id where `gives` looks for it."
            )
        return given


def found(look: Look, values: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of a look's answer the fields see."""
    if look.among is None:
        return {"answer": answer}
    listed = _list(search(look.among, answer))
    wanted = same_words(text_of(filled(look.has or "", values, "look.has")))
    likely = max(
        ((_likeness(same_words(text_of(search(look.where, one))), wanted), at) for at, one in enumerate(listed)),
        default=None,
    )
    return {"found": listed[likely[1]] if likely else None}


def _likeness(one: str, other: str) -> tuple[bool, bool, int]:
    """How well a text fits what a delivery quotes of it: helpdesks put a name before it, or cut it."""
    if not one or not other or not (one in other or other in one):
        return False, False, 0
    return one == other, other.endswith(one) or one.startswith(other), min(len(one), len(other))


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _fits(value: Any, wanted: str, *, exact: bool) -> bool:
    if not wanted:
        return False
    texts = [text_of(one) for one in value] if isinstance(value, list) else [text_of(value)]
    return wanted in texts if exact else any(wanted in text for text in texts)


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _is_page(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith("text/html")


def _body(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None


def _wish(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the helpdesk asks to wait: `Retry-After`, or when its window begins anew."""
    if (seconds := retry_after(headers.get("retry-after"), now)) is not None:
        return seconds
    reset = headers.get("x-ratelimit-reset", "")
    later = float(reset) - now if reset.isascii() and reset.isdigit() and len(reset) <= 12 else 0.0
    return later if 0 < later <= 86400 else None


def _words(value: Any, depth: int) -> str:
    if isinstance(value, str) or not depth:
        return value if isinstance(value, str) else ""
    if isinstance(value, list):
        return _words(value[0], depth - 1) if value else ""
    if not isinstance(value, dict):
        return ""
    keys = ("description", "message", "error", "errors", "details", "title")
    return next(filter(None, (_words(value[key], depth - 1) for key in keys if key in value)), "")
