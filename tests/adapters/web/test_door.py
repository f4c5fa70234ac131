"""Who may ask at all: origins, preflights, hosts, methods, bodies; and what stands in no answer and no log."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from starlette.requests import Request

from supportbot.errors import StoreBusy, StoreFull
from supportbot_web import door
from supportbot_web.door import visitor

from .conftest import OTHER, SHOP, Chat, opened, signed

PATHS = ("/config", "/sessions", "/entries", "/events", "/messages", "/seen", "/typing", "/files", "/files/f_1")
FOREIGN = (
    "https://evil.example",
    "http://www.shop.example",  # not the scheme that is allowed
    "https://www.shop.example:8443",
    "https://www.shop.example.evil.example",
    "https://evil.example/https://www.shop.example",
    "https://WWW.SHOP.EXAMPLE",
    "null",
    "",
    "file://",
    "self",
    "chrome-extension://abc",
    "\xff",
)


async def raw(port: int, request: bytes, seconds: float = 5.0) -> bytes:
    """What the server says to one raw request, until it closes or says no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(seconds):
            return await reader.read()
    finally:
        writer.close()


def head(chat: Chat, method: str = "GET", path: str = "/config", host: str = "", **headers: str) -> bytes:
    lines = [f"{method} {chat.adapter.base}{path} HTTP/1.1", f"host: {host or f'127.0.0.1:{chat.port}'}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1")


# --- origins -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [SHOP, OTHER])
async def test_an_allowed_origin_is_named_and_no_other(chat: Chat, origin: str) -> None:
    found = await chat.page(origin).ask("GET", "/config")
    assert found.status_code == 200
    assert found.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in found.headers
    assert "Origin" in found.headers["vary"]


@pytest.mark.parametrize("origin", FOREIGN)
async def test_pages_of_other_origins_get_nothing_done(chat: Chat, origin: str) -> None:
    page = await chat.visitor()
    for method, path in (("GET", "/config"), ("POST", "/sessions"), ("GET", "/entries"), ("POST", "/messages")):
        headers = {"Origin": origin.encode("latin-1"), "Authorization": f"Bearer {page.token}".encode()}
        body = json.dumps({"id": "0123456789abcdef", "text": "forged"})
        found = await chat.http.request(method, chat.base + path, headers=headers, content=body)
        assert found.status_code == 403, (origin, path, found.text)
        assert "access-control-allow-origin" not in found.headers
    assert chat.inbox.messages == []


@pytest.mark.parametrize("path", PATHS)
async def test_a_preflight_of_an_allowed_page_allows_what_the_widget_sends(chat: Chat, path: str) -> None:
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,last-event-id,supportbot-user",
    }
    found = await chat.http.options(chat.base + path, headers=asked)
    assert found.is_success
    assert found.headers["access-control-allow-origin"] == SHOP
    assert {"GET", "POST", "DELETE"} <= set(found.headers["access-control-allow-methods"].split(", "))
    assert found.headers["access-control-max-age"] == "600"
    assert "access-control-allow-credentials" not in found.headers


@pytest.mark.parametrize("origin", [one for one in FOREIGN if one.isascii()])
async def test_a_preflight_of_another_page_fails(chat: Chat, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    found = await chat.http.options(chat.base + "/messages", headers=asked)
    assert found.status_code == 400
    assert "access-control-allow-origin" not in found.headers


async def test_without_an_origin_header_only_what_is_no_other_sites_page_is_answered(chat: Chat) -> None:
    page = chat.page("")
    await page.start()
    assert (await page.ask("GET", "/entries")).status_code == 200
    for site, status in (("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)):
        found = await page.ask("GET", "/entries", headers={"Sec-Fetch-Site": site})
        assert found.status_code == status, site


async def test_a_page_behind_the_shops_own_proxy_needs_no_origin_header_to_read(chat: Chat) -> None:
    page = await chat.visitor()  # a POST names the origin, a GET of the same origin does not
    page.origin = ""
    assert (await page.ask("GET", "/entries", headers={"Sec-Fetch-Site": "same-origin"})).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "shop.localhost", "[::1]", "10.1.2.3"])
async def test_at_an_address_or_localhost_the_own_page_is_known_by_the_host(chat: Chat, host: str) -> None:
    for port in ("", f":{chat.port}"):
        answer = await raw(chat.port, head(chat, host=host + port, origin=f"http://{host}{port}"))
        assert answer.startswith(b"HTTP/1.1 200"), answer[:200]


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("evil.example", "http://evil.example"),  # a name that was pointed at this machine
        ("evil.example:8080", "http://evil.example:8080"),
        ("localhost.evil.example", "http://localhost.evil.example"),
        ("127.0.0.1.evil.example", "http://127.0.0.1.evil.example"),
        ("evil-localhost", "http://evil-localhost"),
        ("127.0.0.1", "http://evil.example"),
        ("127.0.0.1", "http://127.0.0.1:81"),
        ("localhost", "ftp://localhost"),
        ("", "null"),
        ("", "://"),
    ],
)
async def test_a_name_that_is_pointed_at_the_bot_makes_no_own_page(chat: Chat, host: str, origin: str) -> None:
    for method in ("GET", "POST"):
        request = head(chat, method, "/sessions" if method == "POST" else "/config", host, origin=origin)
        if not host:
            request = request.replace(f"host: 127.0.0.1:{chat.port}\r\n".encode(), b"host:\r\n")
        answer = await raw(chat.port, request)
        assert answer.startswith(b"HTTP/1.1 403"), answer[:200]
    assert chat.shelf.values == {}


@pytest.mark.parametrize("host", ["bot.example", "bot:8080", "127.0.0.1:8080"])
async def test_behind_a_proxy_the_public_url_is_the_own_origin_whatever_the_host(host: str) -> None:
    async with opened(public_url="https://Bot.example:443/") as chat:
        page = chat.page("https://bot.example")
        page.http.headers["host"] = host
        await page.start()
        assert (await page.say("hello")).status_code == 202
        page.origin = ""  # as a GET of the own page comes
        assert await page.texts() == ["hello"]
        assert (await chat.page("http://bot.example").ask("GET", "/config")).status_code == 403


# --- methods -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "DELETE", "GET", "POST", "BREW"])
async def test_no_method_causes_a_server_error(chat: Chat, path: str, method: str) -> None:
    answer = await raw(chat.port, head(chat, method, path, content_length="0"))
    status = int(answer.split()[1])
    assert status in (200, 201, 400, 401, 404, 405), answer[:200]
    if status == 405:
        assert b"\r\nallow: " in answer.lower()


# --- bodies --------------------------------------------------------------------------------------------------

NOT_OBJECTS = (b"[]", b"null", b"1", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 2_000, b"NaN", b"\x00")


@pytest.mark.parametrize("body", NOT_OBJECTS)
@pytest.mark.parametrize("path", ["/sessions", "/messages", "/seen"])
async def test_a_body_that_is_no_object_is_refused_in_one_sentence(chat: Chat, path: str, body: bytes) -> None:
    page = await chat.visitor()
    found = await page.ask("POST", path, content=body)
    assert found.status_code in (400, 413)
    assert list(found.json()) == ["error"] and found.json()["error"].endswith(".")
    assert chat.inbox.log == []


async def _pieces(size: int) -> object:
    for _ in range(size // 10_000 + 1):
        yield b"x" * 10_000


@pytest.mark.parametrize("path", ["/sessions", "/messages", "/seen", "/typing", "/files"])
async def test_a_body_that_is_too_large_is_refused_declared_or_in_pieces(chat: Chat, path: str) -> None:
    page = await chat.visitor()
    size = chat.adapter.settings.max_upload + 1 if path == "/files" else 100_000
    kind = {"Content-Type": "text/plain"}
    declared = await page.ask("POST", path, content=b"x" * size, headers=kind)
    assert declared.status_code == 413, declared.text
    pieces = await page.ask("POST", path, content=_pieces(size), headers=kind)
    assert pieces.status_code == 413
    assert chat.inbox.log == [] and chat.files.kept == {}


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "9" * 30])
async def test_a_length_that_is_none_is_refused(chat: Chat, length: str) -> None:
    answer = await raw(chat.port, head(chat, "POST", "/sessions", content_length=length) + b"{}")
    assert answer.split()[1] in (b"400", b"413")


async def test_a_body_that_does_not_come_is_given_up(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_SECONDS", 0.2)
    monkeypatch.setattr(door, "_SLOWEST", 1e9)
    page = await chat.visitor()
    request = head(
        chat, "POST", "/messages", origin=SHOP, authorization=f"Bearer {page.token}", content_length="99"
    )
    answer = await raw(chat.port, request + b'{"id":')
    assert answer.startswith(b"HTTP/1.1 408")


async def test_who_leaves_in_the_middle_of_a_body_is_no_error(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    page = await chat.visitor()
    for path in ("/messages", "/files", "/sessions"):
        _, writer = await asyncio.open_connection("127.0.0.1", chat.port)
        bearer = f"Bearer {page.token}"
        kind = {"content_type": "text/plain", "content_length": "999"}
        writer.write(head(chat, "POST", path, origin=SHOP, authorization=bearer, **kind) + b'{"id":')
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.2)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_long_text_fits_however_it_is_written() -> None:
    async with opened({"text_limit": 30_000, "rate": 600}) as chat:
        page = await chat.visitor()
        for text in ("x" * 30_000, "ж" * 30_000, "🙂" * 30_000):
            assert (await page.say(text)).status_code == 202
        escaped = json.dumps({"id": "0123456789abcdef", "text": "\x01" * 30_000})
        assert (await page.ask("POST", "/messages", content=escaped)).status_code == 202
        assert (await page.say("x" * 30_001)).status_code == 413


# --- trouble, and what is never told -------------------------------------------------------------------------


@pytest.mark.parametrize("error", [StoreFull("/secret/path: the disk is full"), StoreBusy("pid 42 has it")])
async def test_what_cannot_be_stored_is_a_503_that_says_when_and_not_why(chat: Chat, error: Exception) -> None:
    page = await chat.visitor()
    chat.inbox.error = error  # type: ignore[assignment]
    found = await page.say("hello")
    assert (found.status_code, found.headers["retry-after"]) == (503, "2")
    assert "secret" not in found.text and "42" not in found.text
    assert found.headers["access-control-allow-origin"] == SHOP


async def test_a_chat_that_has_stopped_says_so(chat: Chat) -> None:
    page = await chat.visitor()
    await chat.adapter.stop()
    for method, path in (("GET", "/config"), ("POST", "/sessions"), ("GET", "/entries"), ("GET", "/events")):
        assert (await page.ask(method, path)).status_code == 503


async def test_no_token_gets_into_the_log(chat: Chat, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    proof, wrong = signed("u-1"), signed("u-1", lasts=-100)
    page = await chat.visitor(proof)
    async with page.events() as stream:
        await stream.ready()
        await page.say("hello", headers={"Supportbot-User": wrong})
        await page.ask("GET", "/files/f_1")
        await chat.page(token=page.token + "x").ask("GET", "/entries")
        await stream.until(lambda stream: stream.texts)
    told = "".join(
        f"{record.getMessage()} {record.args}" for record in caplog.records if "httpcore" not in record.name
    )
    for secret in (page.token, proof, wrong):
        assert secret not in told and secret not in repr(chat.logged)


async def test_every_answer_has_the_security_headers_and_is_not_kept(chat: Chat) -> None:
    page = await chat.visitor()
    for found in (await page.ask("GET", "/config"), await page.ask("GET", "/entries"), await page.say("x")):
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in found.headers["content-security-policy"]


async def test_the_scripts_may_be_loaded_by_any_page_and_come_again_only_if_they_changed(chat: Chat) -> None:
    script = await chat.http.get(chat.base + "/widget.js", headers={"Origin": "https://any.example"})
    assert script.status_code == 200
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["access-control-allow-origin"] == "*"
    again = await chat.http.get(chat.base + "/widget.js", headers={"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    module = await chat.http.get(chat.base + "/app/main.js")
    assert module.status_code == 200
    for path in ("/app/../door.py", "/app/%2e%2e/door.py", "/app/", "/static/widget.js", "/app/nothing.js"):
        assert (await chat.http.get(chat.base + path)).status_code == 404


async def test_the_chats_own_page_loads_nothing_from_elsewhere(chat: Chat) -> None:
    page = await chat.http.get(chat.base)
    assert page.status_code == 200 and '<script src="/chat/widget.js"' in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "'unsafe-inline'" not in policy and "http" not in policy


# --- addresses -----------------------------------------------------------------------------------------------


def request_from(host: str | None) -> Request:
    return Request({"type": "http", "headers": [], "client": None if host is None else (host, 1)})


@pytest.mark.parametrize(
    ("host", "counts_as"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("x" * 5_000, "x" * 100),
        (None, ""),
    ],
)
def test_a_visitor_is_an_address_or_the_network_that_one_customer_has(host: str | None, counts_as: str) -> None:
    assert visitor(request_from(host)) == counts_as


async def test_a_failure_of_our_own_is_one_sentence_that_the_page_can_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened() as chat:

        async def broken(*_: object, **__: object) -> None:
            raise RuntimeError("token=abc")

        page = await chat.visitor()
        monkeypatch.setattr(chat.shelf, "entries", broken)
        answer = await page.ask("GET", "/entries")
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (500, SHOP)
        assert answer.json() == {"error": "Something went wrong here; it has been logged."}
        ((event, facts),) = chat.logged
        assert (event, facts["path"], facts["error"]) == ("web.failed", "/entries", "RuntimeError")
