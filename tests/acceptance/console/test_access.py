"""Signing in, sessions, roles and forged requests, over HTTP with the real store."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import argon2
import httpx2
import pytest
from console_house import PASSWORD, Browser, House, house, told

from supportbot.console import limits, signing_in
from supportbot.console.access import own_path
from supportbot.console.signing_in import WRONG

NEW = "nine quiet boats in fog"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as open:
        yield open


@pytest.fixture
async def browser(here: House) -> AsyncIterator[Browser]:
    async with here.browser() as one:
        yield one


# --- signing in and out ---


async def test_a_sign_in_that_never_ends_is_cut_off(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_in, "BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(here.url.rpartition(":")[2]))
    lines = ("POST /console/sign-in HTTP/1.1", "Host: here", "Sec-Fetch-Site: same-origin", "Content-Length: 1000")
    writer.write("\r\n".join((*lines, "Content-Type: application/x-www-form-urlencoded", "", "login=")).encode())
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page_and_back(here: House, browser: Browser) -> None:
    await here.account("ana")
    found = await browser.get("/console/queue?sort=old")
    assert (found.status_code, found.headers["location"]) == (
        303,
        "/console/sign-in?next=/console/queue%3Fsort%3Dold",
    )
    page = await browser.get(found.headers["location"])
    assert page.status_code == 200 and 'name="next" value="/console/queue?sort=old"' in page.text
    assert 'autocomplete="current-password"' in page.text and "create-user" not in page.text
    done = await browser.sign_in(" Ana ", next="/console/queue?sort=old")
    assert (done.status_code, done.headers["location"]) == (303, "/console/queue?sort=old")
    assert (await browser.get("/console/queue")).text == "page of ana"
    assert (await browser.get("/console/sign-in")).headers["location"] == "/console"
    assert await here.audit() == [("ana", "sign-in", "account:ana")]


async def test_a_script_is_told_to_go_to_the_sign_in_page(browser: Browser) -> None:
    current = {"hx-request": "true", "hx-current-url": f"{browser.house.url}/console/queue?page=2"}
    found = await browser.get("/console/queue/part", **current)
    assert found.status_code == 404
    found = await browser.get("/console/for/agent", **current)
    assert (found.status_code, found.headers["hx-redirect"]) == (
        401,
        "/console/sign-in?next=/console/queue%3Fpage%3D2",
    )
    assert (await browser.get("/console/stream", accept="text/event-stream")).status_code == 401


@pytest.mark.parametrize("login", ["ana", "nobody", "gone", "sso", "", "x" * 3000, "\x00", "ana'--"])
async def test_every_failure_is_the_same_sentence(here: House, browser: Browser, login: str) -> None:
    await here.account("ana")
    gone = await here.account("gone")
    await here.store.console.set_disabled(gone.id, True)
    await here.store.console.create("sso", subject="https://id.example|1", now=1.0)
    password = PASSWORD if login == "gone" else "wrong"
    found = await browser.sign_in(login, password)
    assert (found.status_code, told(found)) == (403, WRONG)
    assert "set-cookie" not in found.headers and browser.token == ""


async def test_without_any_account_the_page_says_how_to_make_one(browser: Browser) -> None:
    assert "supportbot console create-user" in (await browser.get("/console/sign-in")).text


async def test_signing_out_ends_the_session_on_the_server_too(here: House, browser: Browser) -> None:
    await here.account("ana")
    await browser.sign_in("ana")
    stolen = browser.token
    done = await browser.post("/console/sign-out")
    assert (done.status_code, done.headers["location"]) == (303, "/console/sign-in")
    assert browser.token == ""
    async with here.browser() as thief:
        thief.client.cookies.set("supportbot_session", stolen)
        assert (await thief.get("/console/queue")).status_code == 303
    assert [action for _, action, _ in await here.audit()] == ["sign-in", "sign-out"]


async def test_a_session_that_somebody_else_put_there_is_never_signed_in(here: House, browser: Browser) -> None:
    await here.account("ana")
    await here.account("mallory")
    async with here.browser() as attacker:
        await attacker.sign_in("mallory")
        planted = attacker.token
        for token in (planted, "A" * 43):
            browser.client.cookies.clear()
            browser.client.cookies.set("supportbot_session", token, domain="127.0.0.1", path="/console")
            await browser.sign_in("ana")
            assert len(browser.token) == 43 and browser.token != token
            attacker.client.cookies.clear()
            attacker.client.cookies.set("supportbot_session", token)
            assert (await attacker.get("/console/queue")).status_code == 303


async def test_each_sign_in_has_another_token_and_another_csrf_token(here: House, browser: Browser) -> None:
    await here.account("ana")
    seen = set()
    for _ in range(3):
        await browser.sign_in("ana")
        seen |= {browser.token, await browser.csrf()}
    assert len(seen) == 6
    assert len(await here.store.console.sessions(1, now=here.clock(), idle=60)) == 1


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [
        ("", {"supportbot_session": "/console", "supportbot_device": "/console"}),
        ("http://10.0.0.7:8080", {"supportbot_session": "/console", "supportbot_device": "/console"}),
        ("https://bot.acme.example", {"__Host-supportbot_session": "/", "__Host-supportbot_device": "/"}),
    ],
)
async def test_the_cookies_have_every_attribute_that_protects_them(
    tmp_path: Path, public_url: str, expected: dict[str, str]
) -> None:
    async with house(tmp_path, public_url=public_url) as here, here.browser() as browser:
        await here.account("ana")
        done = await browser.client.post(
            "/console/sign-in",
            data={"login": "ana", "password": PASSWORD},
            headers={"origin": public_url or here.url},
        )
        found = {}
        for line in done.headers.get_list("set-cookie"):
            name = line.partition("=")[0]
            parts = {
                part.strip().partition("=")[0].lower(): part.strip().partition("=")[2] for part in line.split(";")
            }
            found[name] = parts["path"]
            assert "httponly" in parts and parts["samesite"] == "lax" and "domain" not in parts
            assert ("secure" in parts) == public_url.startswith("https")
            assert int(parts["max-age"]) in (12 * 3600, 90 * 86_400)
        assert found == expected
        value = re.search(r"supportbot_session=([^;]+)", "".join(done.headers.get_list("set-cookie")))
        assert value is not None and len(value[1]) == 43
        page = await browser.get("/console/queue", cookie=f"{next(iter(expected))}={value[1]}")
        assert page.text == "page of ana"


@pytest.mark.parametrize(
    "next",
    [
        "https://evil.example/",
        "//evil.example/console",
        "/\\evil.example",
        "/console\\@evil.example",
        "/console/../evil",
        "/console/%2e%2e/evil",
        "/console/%252e%252e/evil",
        "/consoleevil",
        "javascript:alert(1)",
        "/console\r\nset-cookie: a=b",
        "/console/sign-out",
        "/console/oidc/start",
        "console",
        "/console/" + "x" * 2000,
        "",
    ],
)
async def test_nobody_is_led_away_from_the_console(here: House, browser: Browser, next: str) -> None:
    await here.account("ana")
    assert (await browser.sign_in("ana", next=next)).headers["location"] == "/console"
    assert own_path(next) == "/console"
    assert own_path("/console/queue?a=%2F#b") == "/console/queue?a=%2F#b"


async def test_a_sign_in_form_on_another_site_signs_nobody_in(here: House, browser: Browser) -> None:
    await here.account("mallory")
    form = {"login": "mallory", "password": PASSWORD}
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": here.url, "sec-fetch-site": "cross-site"},
        {"origin": here.url, "sec-fetch-site": "same-site"},
        {"origin": here.url.replace("127.0.0.1", "localhost")},
        {},
    ):
        found = await browser.client.post("/console/sign-in", data=form, headers=headers)
        assert found.status_code == 403 and "set-cookie" not in found.headers, headers
    good = await browser.client.post("/console/sign-in", data=form, headers={"sec-fetch-site": "same-origin"})
    assert good.status_code == 303


# --- guessing ---


async def test_guessing_is_stopped_with_a_wait_and_the_right_password_does_not_get_through_either(
    here: House, browser: Browser
) -> None:
    await here.account("ana")
    answers = [await browser.sign_in("ana", f"wrong {number}") for number in range(limits.FREE + 1)]
    assert [one.status_code for one in answers] == [403] * limits.FREE + [429]
    assert told(answers[-1]) == "Too many tries: wait 2 seconds, then try again."
    assert answers[-1].headers["retry-after"] == "2"
    assert (await browser.sign_in("ana")).status_code == 429
    here.clock.moved += 3
    assert (await browser.sign_in("ana")).status_code == 303
    assert [action for _, action, _ in await here.audit()] == ["sign-in.failed"] * limits.FREE + ["sign-in"]


async def test_many_guesses_at_once_are_no_way_around(here: House, browser: Browser) -> None:
    await here.account("ana")
    answers = await asyncio.gather(*(browser.sign_in("ana", f"wrong {number}") for number in range(20)))
    assert sorted(one.status_code for one in answers) == [403] * limits.FREE + [429] * (20 - limits.FREE)


async def test_the_owner_gets_in_beside_somebody_who_guesses_from_another_address(
    here: House, browser: Browser
) -> None:
    await here.account("ana")
    async with here.browser("127.0.0.66") as attacker:
        for _ in range(limits.FREE + 3):
            await attacker.sign_in("ana", "wrong")
        assert (await attacker.sign_in("ana")).status_code == 429
    assert (await browser.sign_in("ana")).status_code == 303


async def test_a_browser_that_signed_in_before_gets_in_even_from_the_attackers_address(
    here: House, browser: Browser
) -> None:
    await here.account("ana")
    await browser.sign_in("ana")
    await browser.post("/console/sign-out")
    async with here.browser() as attacker:
        for number in range(limits.FREE_ADDRESS + 2):
            last = await attacker.sign_in(f"login{number}", "wrong")
        assert last.status_code == 429
        attacker.client.cookies.set("supportbot_device", "A" * 22 + "." + "0" * 64)
        assert (await attacker.sign_in("ana")).status_code == 429, "such a cookie cannot be made up"
    assert (await browser.sign_in("ana")).status_code == 303
    await here.store.console.set_password(1, argon2.PasswordHasher().hash(NEW))
    browser.client.cookies.delete("supportbot_session")
    assert (await browser.sign_in("ana", NEW)).status_code == 429, "it died with the old password"


# --- forged acts ---


async def test_an_act_is_done_with_the_token_as_a_field_or_a_header(here: House, browser: Browser) -> None:
    await here.account("ana")
    await browser.sign_in("ana")
    token = await browser.csrf()
    assert (await browser.post("/console/for/agent", {"detail": "x"})).text == "done by ana: x"
    by_header = await browser.post("/console/for/agent", {"detail": "y"}, csrf="", x_csrf_token=token)
    assert by_header.text == "done by ana: y"
    upload = await browser.client.post(
        "/console/for/agent",
        data={"csrf": token, "detail": "z"},
        files={"file": ("a.txt", b"content")},
        headers={"origin": here.url},
    )
    assert upload.text == "done by ana: z"
    rows = await here.store.console.audit(action="act")
    assert [(row.account, row.object, row.detail, row.address) for row in rows] == [
        ("ana", "thing", detail, "127.0.0.1") for detail in "zyx"
    ]


async def test_an_act_without_the_right_token_is_refused(here: House, browser: Browser) -> None:
    await here.account("ana")
    await here.account("bob")
    await browser.sign_in("ana")
    async with here.browser() as other:
        await other.sign_in("bob")
        others = await other.csrf()
    own = await browser.csrf()
    await browser.sign_in("ana")
    for token in ("x", own, others, own[:-1], "é" * 43, browser.token):
        found = await browser.post("/console/for/agent", csrf=token)
        assert found.status_code == 403 and "nothing was done" in told(found), token
    assert (await browser.post("/console/for/agent", csrf="")).status_code == 403
    upload = await browser.client.post(
        "/console/for/agent", files={"csrf": ("csrf", await browser.csrf())}, headers={"origin": here.url}
    )
    assert upload.status_code == 403, "a file is no token"
    assert [action for _, action, _ in await here.audit(action="act")] == []


async def test_an_act_from_another_site_is_refused_even_with_the_token(here: House, browser: Browser) -> None:
    await here.account("ana")
    await browser.sign_in("ana")
    token = await browser.csrf()
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": here.url + ".evil.example"},
        {"origin": here.url.replace("http", "https")},
        {"origin": here.url, "sec-fetch-site": "cross-site"},
        {"origin": here.url, "sec-fetch-site": "none"},
        {},
    ):
        found = await browser.client.post("/console/for/agent", data={"csrf": token}, headers=headers)
        assert found.status_code == 403, headers
        assert "sec-fetch-site" in headers or "set web.public_url" in told(found)
    script = await browser.client.post("/console/for/agent", headers={"hx-request": "true", "x-csrf-token": token})
    assert (script.status_code, script.headers["content-type"]) == (403, "text/plain; charset=utf-8")
    assert [action for _, action, _ in await here.audit(action="act")] == []


async def test_behind_a_proxy_the_public_address_counts(tmp_path: Path) -> None:
    async with house(tmp_path, public_url="http://bot.acme.example") as here, here.browser() as browser:
        await here.account("ana")
        form = {"login": "ana", "password": PASSWORD}
        for origin, expected in (("http://bot.acme.example", 303), ("http://evil.example", 403)):
            found = await browser.client.post("/console/sign-in", data=form, headers={"origin": origin})
            assert found.status_code == expected


async def test_no_act_is_done_by_a_get(here: House, browser: Browser) -> None:
    await here.account("ana", "admin")
    await browser.sign_in("ana")
    for path in ("/console/sign-out", "/console/accounts/1/disable", "/console/accounts/1/password"):
        assert (await browser.get(path)).status_code == 405
    assert (await browser.get("/console/queue")).status_code == 200


# --- roles ---


@pytest.mark.parametrize(("role", "open"), [("agent", 1), ("lead", 2), ("admin", 3)])
async def test_what_is_above_ones_role_is_not_there(here: House, browser: Browser, role: str, open: int) -> None:
    await here.account("ana", role)  # type: ignore[arg-type]
    await browser.sign_in("ana")
    paths = [f"/console/for/{one}" for one in ("agent", "lead", "admin")]
    assert [(await browser.get(path)).status_code for path in paths] == [200] * open + [404] * (3 - open)
    assert [(await browser.post(path)).status_code for path in paths] == [200] * open + [404] * (3 - open)
    nowhere = await browser.get("/console/nowhere")
    for path in ("/console/accounts", "/console/accounts/1", "/console/audit"):
        found = await browser.get(path)
        assert found.status_code == (200 if role == "admin" else 404)
        if role != "admin":
            assert found.text == nowhere.text, "nothing tells it from a page that is not there"


async def test_another_role_counts_at_the_next_click(here: House, browser: Browser) -> None:
    ana = await here.account("ana", "lead")
    await browser.sign_in("ana")
    assert (await browser.get("/console/for/lead")).status_code == 200
    await here.store.console.set_role(ana.id, "agent")
    assert (await browser.get("/console/for/lead")).status_code == 404


# --- sessions end ---


async def test_a_session_ends_when_nobody_does_anything(tmp_path: Path) -> None:
    async with house(tmp_path, "{session: 12h, idle: 2h}") as here, here.browser() as browser:
        await here.account("ana")
        await browser.sign_in("ana")
        for _ in range(3):
            here.clock.moved += 7000
            assert (await browser.get("/console/queue")).status_code == 200, "whoever works stays signed in"
        here.clock.moved += 7201
        assert (await browser.get("/console/queue")).status_code == 303


async def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(tmp_path: Path) -> None:
    async with house(tmp_path, "{session: 12h, idle: 2h}") as here, here.browser() as browser:
        await here.account("ana")
        await browser.sign_in("ana")
        seen = []
        for _ in range(3):
            here.clock.moved += 3000
            seen.append((await browser.get("/console/stream")).status_code)
        assert seen == [200, 200, 303]


async def test_a_page_is_there_although_the_store_can_write_nothing(here: House, browser: Browser) -> None:
    await here.account("ana")
    await browser.sign_in("ana")
    await here.store.write(
        lambda db: db.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN SELECT raise(ABORT, 'full'); END"
        )
    )
    here.clock.moved = 600.0
    assert (await browser.get("/console/queue")).text == "page of ana"


async def test_a_session_ends_after_its_time_whatever_is_done(tmp_path: Path) -> None:
    async with house(tmp_path, "{session: 3h, idle: 2h}") as here, here.browser() as browser:
        await here.account("ana")
        await browser.sign_in("ana")
        seen = []
        for _ in range(4):
            here.clock.moved += 3000
            seen.append((await browser.get("/console/queue")).status_code)
        assert seen == [200, 200, 200, 303]


async def test_a_stream_learns_that_its_session_has_ended(here: House, browser: Browser) -> None:
    ana = await here.account("ana", "lead")
    await browser.sign_in("ana")
    digest = hashlib.sha256(browser.token.encode()).hexdigest()
    found = await here.store.console.session(digest, now=here.clock(), idle=7200)
    assert found is not None
    from supportbot.types.console import Visit

    visit = Visit(found[1], found[0])
    assert await here.access.holds(visit)
    await here.store.console.set_role(ana.id, "agent")
    assert not await here.access.holds(visit)
    await here.store.console.set_role(ana.id, "lead")
    await here.store.console.end_sessions(ana.id)
    assert not await here.access.holds(visit)


async def test_a_session_is_written_to_the_database_at_most_once_a_minute(here: House, browser: Browser) -> None:
    await here.account("ana")
    await browser.sign_in("ana")

    async def seen() -> float:
        return (await here.store.console.sessions(1, now=here.clock(), idle=7200))[0].seen_at

    first = await seen()
    here.clock.moved += 50
    await browser.get("/console/queue")
    assert await seen() == first
    here.clock.moved += 15
    await browser.get("/console/queue")
    assert await seen() > first


# --- admins ---


async def test_an_admin_makes_an_account_whose_password_is_shown_once_and_must_be_changed(
    here: House, browser: Browser
) -> None:
    await here.account("root", "admin")
    await browser.sign_in("root")
    made = await browser.post("/console/accounts", {"login": "Ana", "name": "Ana A.", "role": "lead"})
    shown = re.search(r'id="one-time" value="([a-z0-9-]{23})"', made.text)
    assert made.status_code == 200 and shown is not None and made.headers["cache-control"] == "no-store"
    password = shown[1]
    for path in ("/console/accounts", "/console/accounts/2", "/console/audit"):
        assert password not in (await browser.get(path)).text
    async with here.browser() as hers:
        done = await hers.sign_in("ana", password, next="/console/queue")
        assert done.headers["location"] == "/console/account/password"
        for path in ("/console/queue", "/console/account", "/console/for/lead"):
            assert (await hers.get(path)).headers["location"] == "/console/account/password"
        assert (await hers.post("/console/for/agent")).status_code == 303
        page = await hers.get("/console/account/password")
        assert "choose your own" in page.text
        before = hers.token
        for form, sentence in (
            ({"current": "x", "new": NEW, "again": NEW}, "The current password is wrong."),
            ({"current": password, "new": "short", "again": "short"}, "too short"),
            ({"current": password, "new": NEW, "again": NEW + "x"}, "not the same"),
            ({"current": password, "new": password, "again": password}, "is the old one"),
        ):
            refused = await hers.post("/console/account/password", form)
            assert refused.status_code in (400, 403) and sentence in told(refused)
        done = await hers.post("/console/account/password", {"current": password, "new": NEW, "again": NEW})
        assert (done.status_code, done.headers["location"]) == (303, "/console")
        assert hers.token != before and (await hers.get("/console/for/lead")).status_code == 200
        hers.client.cookies.clear()
        assert (await hers.sign_in("ana", password)).status_code == 403
        assert (await hers.sign_in("ana", NEW)).status_code == 303
    actions = [(who, action) for who, action, _ in await here.audit(object="account:ana")]
    assert actions == [
        ("root", "account.create"),
        ("ana", "sign-in"),
        ("ana", "account.password.failed"),
        ("ana", "account.password"),
        ("ana", "sign-in.failed"),
        ("ana", "sign-in"),
    ]


async def test_a_changed_password_ends_the_other_sessions_and_not_ones_own(here: House, browser: Browser) -> None:
    await here.account("ana")
    await browser.sign_in("ana")
    async with here.browser() as other:
        await other.sign_in("ana")
        done = await browser.post("/console/account/password", {"current": PASSWORD, "new": NEW, "again": NEW})
        assert done.headers["location"] == "/console/account"
        assert (await browser.get("/console/queue")).status_code == 200
        assert (await other.get("/console/queue")).status_code == 303


async def test_the_current_password_cannot_be_guessed_from_an_open_session(here: House, browser: Browser) -> None:
    await here.account("ana")
    await browser.sign_in("ana")
    codes = []
    for number in range(limits.FREE + 1):
        form = {"current": f"guess {number}", "new": NEW, "again": NEW}
        codes.append((await browser.post("/console/account/password", form)).status_code)
    assert codes == [403] * limits.FREE + [429]


async def test_disabling_somebody_signs_them_out_at_once(here: House, browser: Browser) -> None:
    await here.account("root", "admin")
    ana = await here.account("ana")
    await browser.sign_in("root")
    async with here.browser() as hers:
        await hers.sign_in("ana")
        assert (await browser.post(f"/console/accounts/{ana.id}/disable")).status_code == 303
        assert (await hers.get("/console/queue")).status_code == 303
        assert told(await hers.sign_in("ana")) == WRONG
        await browser.post(f"/console/accounts/{ana.id}/enable")
        assert (await hers.sign_in("ana")).status_code == 303
        await browser.post(f"/console/accounts/{ana.id}/sessions")
        assert (await hers.get("/console/queue")).status_code == 303
        reset = await browser.post(f"/console/accounts/{ana.id}/password")
        assert reset.status_code == 200 and 'id="one-time"' in reset.text
        assert told(await hers.sign_in("ana")) == WRONG
    actions = [action for who, action, _ in await here.audit(object="account:ana") if who == "root"]
    assert actions == ["account.disable", "account.enable", "account.sessions", "account.password"]


async def test_the_last_admin_can_neither_be_demoted_nor_disabled(here: House, browser: Browser) -> None:
    root = await here.account("root", "admin")
    await browser.sign_in("root")
    for path, form in (
        (f"/console/accounts/{root.id}", {"name": "Root", "role": "agent"}),
        (f"/console/accounts/{root.id}/disable", {}),
    ):
        found = await browser.post(path, form)
        assert (found.status_code, told(found)) == (
            409,
            "root is the last admin: make somebody else an admin first.",
        )
    second = await here.account("second", "admin")
    assert (
        await browser.post(f"/console/accounts/{root.id}", {"name": "Root", "role": "agent"})
    ).status_code == 303
    assert (await browser.get("/console/accounts")).status_code == 404
    assert (await here.store.console.account(second.id)).role == "admin"
    assert ("root", "account.role", "account:root") in await here.audit()


@pytest.mark.parametrize(
    ("form", "status", "sentence"),
    [
        ({"login": "root", "role": "agent"}, 409, "There is an account 'root' already: choose another login."),
        ({"login": "a b", "role": "agent"}, 400, "A login has up to 64 small letters"),
        ({"login": "", "role": "agent"}, 400, "A login has up to 64 small letters"),
        ({"login": "<script>", "role": "agent"}, 400, "A login has up to 64 small letters"),
        ({"login": "ana", "role": "king"}, 400, "There is no such role."),
        ({"login": "ana", "role": "agent", "name": "x" * 81}, 400, "The name is too long"),
        ({"login": "ana", "role": "agent", "name": "a\x1b[31m"}, 400, "cannot be shown"),
    ],
)
async def test_a_mistake_in_a_new_account_is_one_sentence(
    here: House, browser: Browser, form: dict[str, str], status: int, sentence: str
) -> None:
    await here.account("root", "admin")
    await browser.sign_in("root")
    found = await browser.post("/console/accounts", form)
    assert found.status_code == status and sentence in told(found)
    assert len(await here.store.console.accounts()) == 1


async def test_accounts_that_are_not_there_are_404(here: House, browser: Browser) -> None:
    await here.account("root", "admin")
    await browser.sign_in("root")
    for id in ("7", "9" * 40, "-1", "x"):
        assert (await browser.get(f"/console/accounts/{id}")).status_code == 404
        assert (await browser.post(f"/console/accounts/{id}/disable")).status_code == 404


async def test_names_are_shown_as_they_are_and_never_as_markup(here: House, browser: Browser) -> None:
    await here.account("root", "admin")
    await browser.sign_in("root")
    name = "<img src=x onerror=alert(1)>\"'"
    assert (await browser.post("/console/account", {"name": name})).status_code == 303
    for path in ("/console/account", "/console/accounts", "/console/accounts/1", "/console/audit"):
        page = (await browser.get(path)).text
        assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in (await browser.get("/console/account")).text
    assert (
        told(await browser.post("/console/account", {"name": "  "})) == "A name is needed: customers may see it."
    )


async def test_everybody_chooses_a_theme_and_ends_their_other_sessions(here: House, browser: Browser) -> None:
    await here.account("ana")
    await browser.sign_in("ana")
    async with here.browser() as other:
        await other.sign_in("ana")
        assert (await browser.get("/console/account")).text.count("another browser") == 1
        await browser.post("/console/account/sessions")
        assert (await other.get("/console/queue")).status_code == 303
    await browser.post("/console/account/theme", {"theme": "dark"})
    assert 'data-theme="dark"' in (await browser.get("/console/account")).text
    await browser.post("/console/account/theme", {"theme": '"><script>'})
    assert "data-theme" not in (await browser.get("/console/account")).text


async def test_whoever_comes_by_single_sign_on_has_no_password_to_change_or_reset(
    here: House, browser: Browser
) -> None:
    await here.account("root", "admin")
    sso = await here.store.console.create("sso", subject="https://id.example|1", now=1.0)
    await browser.sign_in("root")
    assert (await browser.post(f"/console/accounts/{sso.id}/password")).status_code == 409
    assert (await here.store.console.account(sso.id)).own_password is False


# --- the audit page, secrets, hashes ---


async def test_the_audit_page_filters_and_turns_pages(here: House, browser: Browser) -> None:
    await here.account("root", "admin")
    await browser.sign_in("root")
    for number in range(120):
        await browser.house.store.console.record(
            here.access.row(_request(), "ana", f"act.{number % 2}", f"thing:{number}", "<b>detail</b>")
        )
    page = await browser.get("/console/audit?account=ana")
    assert page.text.count("<td>act.") == 50 and "&lt;b&gt;detail" in page.text and "<b>detail" not in page.text
    seen, path = 0, "/console/audit?account=ana&action=act.1"
    for _ in range(5):
        page = await browser.get(path)
        seen += page.text.count("<td>act.1")
        assert "<td>act.0" not in page.text
        older = re.search(r'href="([^"]+before=\d+)"', page.text)
        if older is None:
            break
        path = older[1].replace("&amp;", "&")
    assert seen == 60
    assert "thing:7" in (await browser.get("/console/audit?object=thing:7")).text
    for odd in ("before=x", "before=" + "9" * 30, "before=-1", "account=%00", "action=%25", "before=\u00b2"):
        assert (await browser.get(f"/console/audit?{odd}")).status_code == 200


async def test_neither_a_password_nor_a_token_is_in_the_log_or_the_database(here: House, browser: Browser) -> None:
    await here.account("root", "admin")
    secrets = [PASSWORD, "guessed wrong once", "typed into the wrong field"]
    await browser.sign_in("root", secrets[1])
    await browser.sign_in(secrets[2], "x")
    await browser.sign_in("root")
    secrets += [browser.token, browser.client.cookies.get("supportbot_device") or ""]
    made = await browser.post("/console/accounts", {"login": "ana", "role": "agent"})
    secrets += re.findall(r'id="one-time" value="([^"]+)"', made.text)
    await browser.post("/console/account/password", {"current": PASSWORD, "new": NEW, "again": NEW})
    secrets += [NEW, browser.token, browser.client.cookies.get("supportbot_device") or ""]
    assert len(secrets) == 9 and all(secrets)
    kept = here.kept() + "\n".join(here.log).encode()
    assert b"root" in kept and b"$argon2id$" in kept
    assert [secret for secret in secrets if secret.encode() in kept] == []
    assert "$argon2" not in "\n".join(here.log)


async def test_a_hash_with_old_parameters_is_made_anew_at_the_next_sign_in(here: House, browser: Browser) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    ana = await here.store.console.create("ana", password=weak, now=1.0)
    assert (await browser.sign_in("ana", "wrong")).status_code == 403
    assert await here.store.console.password(ana.id) == weak
    assert (await browser.sign_in("ana")).status_code == 303
    strong = await here.store.console.password(ana.id)
    assert strong.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert (await browser.sign_in("ana")).status_code == 303


async def test_a_forms_size_is_limited(here: House, browser: Browser) -> None:
    await here.account("ana")
    await browser.sign_in("ana")
    many = {f"f{number}": "x" for number in range(500)}
    assert (await browser.post("/console/for/agent", many)).status_code == 400
    assert (await browser.post("/console/for/agent", {"x": "y" * 300_000})).status_code == 400
    large = await browser.client.post(
        "/console/for/agent", files={"file": ("a", b"x" * 1_100_000)}, headers={"origin": here.url}
    )
    assert large.status_code == 413
    assert (await browser.sign_in("ana", "x" * 10_000)).status_code == 400
    assert [action for _, action, _ in await here.audit(action="act")] == []


async def test_every_page_has_the_headers_that_protect_it(here: House, browser: Browser) -> None:
    await here.account("root", "admin")
    pages: list[httpx2.Response] = [await browser.get("/console/sign-in")]
    await browser.sign_in("root")
    for path in ("account", "account/password", "accounts", "accounts/1", "audit"):
        pages.append(await browser.get(f"/console/{path}"))
    for page in pages:
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "form-action 'self'" in policy
        assert page.headers["cache-control"] == "no-store" and page.headers["referrer-policy"] == "same-origin"
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|javascript:", page.text)
        for field in re.findall(r"<(?:input|select|textarea)[^>]*>", page.text):
            id = re.search(r'\bid="([^"]+)"', field)
            hidden = 'type="hidden"' in field
            assert hidden or (id is not None and f'for="{id[1]}"' in page.text), f"{field} has no label"


def _request():  # type: ignore[no-untyped-def]
    from starlette.requests import Request

    return Request({"type": "http", "headers": [], "client": ("192.0.2.1", 1)})
