"""Single sign-on: against an independent provider (`oidc-provider-mock`), and against one that lies."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from console_house import PASSWORD, Browser, House, house, told
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from supportbot.web import server

TRIED = "The single sign-on did not work: try again, or ask an admin to look at the log."
PEOPLE = (
    {"sub": "u1", "name": "Ana A.", "preferred_username": "Ana", "groups": ["everybody", "heads", "support"]},
    {"sub": "u2", "name": "Bob", "email": "root@acme.example", "groups": "support"},
    {"sub": "u3", "name": "Eve", "groups": []},
)
ROLES = "role_claim: groups, roles: {support: agent, heads: lead, bosses: admin}"


def settings(issuer: str, more: str = ROLES) -> str:
    return f"{{oidc: {{issuer: '{issuer}', client_id: console, client_secret: s3cret-of-console, allow_private: true, {more}}}}}"


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    """The issuer of a real provider in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    people = [part for person in PEOPLE for part in ("--user-claims", json.dumps(person))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *people]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(httpx2.HTTPError), httpx2.Client(trust_env=False) as client:
                client.get(f"{issuer}/.well-known/openid-configuration")
                break
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.1)
        yield issuer
    finally:
        process.kill()
        process.communicate()


async def by_mock(browser: Browser, sub: str, *, next: str = "") -> httpx2.Response:
    """Signs in over the provider's form; the answer of our callback."""
    begun = await browser.get(f"/console/oidc/start?next={next}")
    assert begun.status_code == 303, begun.text
    async with httpx2.AsyncClient(trust_env=False) as client:
        given = await client.post(begun.headers["location"], data={"sub": sub})
    assert given.status_code == 302, given.text
    back = urlsplit(given.headers["location"])
    assert back.path == "/console/oidc/callback"
    return await browser.get(f"{back.path}?{back.query}")


# --- an independent provider ---


async def test_somebody_signs_in_and_is_the_same_account_the_next_time(tmp_path: Path, mock: str) -> None:
    async with house(tmp_path, settings(mock)) as here, here.browser() as browser:
        page = await browser.get("/console/sign-in?next=/console/queue")
        assert 'href="/console/oidc/start?next=%2Fconsole%2Fqueue"' in page.text
        done = await by_mock(browser, "u1", next="/console/queue")
        assert (done.status_code, done.headers["location"]) == (303, "/console/queue")
        assert (await browser.get("/console/queue")).text == "page of ana"
        (ana,) = await here.store.console.accounts()
        assert (ana.login, ana.name, ana.role, ana.subject) == ("ana", "Ana A.", "lead", f"{mock}|u1")
        first = browser.token
        await browser.post("/console/sign-out")
        await by_mock(browser, "u1")
        assert browser.token not in ("", first) and len(await here.store.console.accounts()) == 1
        assert await here.audit() == [
            ("single sign-on", "account.create", "account:ana"),
            ("ana", "sign-in", "account:ana"),
            ("ana", "sign-out", "account:ana"),
            ("ana", "sign-in", "account:ana"),
        ]
        assert "s3cret-of-console" not in "\n".join(here.log)
        assert first.encode() not in here.kept() and b"s3cret-of-console" not in here.kept()


async def test_an_account_is_never_found_by_its_email_or_login(tmp_path: Path, mock: str) -> None:
    async with house(tmp_path, settings(mock)) as here, here.browser() as browser:
        root = await here.account("root@acme.example", "admin")
        ana = await here.account("ana", "admin")
        await by_mock(browser, "u2")
        assert (await browser.get("/console/for/agent")).status_code == 200
        assert (await browser.get("/console/for/lead")).status_code == 404
        await by_mock(browser, "u1")
        accounts = {one.login: one for one in await here.store.console.accounts()}
        assert accounts["root@acme.example"] == root and accounts["ana"] == ana
        assert accounts["root@acme.example-2"].role == "agent" and accounts["ana-2"].subject == f"{mock}|u1"


async def test_whoever_has_no_role_there_is_not_let_in(tmp_path: Path, mock: str) -> None:
    async with house(tmp_path, settings(mock)) as here, here.browser() as browser:
        refused = await by_mock(browser, "u3")
        assert (refused.status_code, told(refused)) == (403, "You have no role in this console: ask an admin.")
        assert browser.token == "" and await here.store.console.accounts() == ()


async def test_without_a_mapping_everybody_has_the_default_role_and_keeps_what_an_admin_gives(
    tmp_path: Path, mock: str
) -> None:
    async with house(tmp_path, settings(mock, "default_role: agent")) as here, here.browser() as browser:
        await by_mock(browser, "u3")
        (eve,) = await here.store.console.accounts()
        assert eve.role == "agent" and eve.login == "u3"
        await here.store.console.set_role(eve.id, "lead")
        await by_mock(browser, "u3")
        assert (await browser.get("/console/for/lead")).status_code == 200


async def test_the_role_follows_the_provider_but_the_last_admin_stays(tmp_path: Path, mock: str) -> None:
    async with house(tmp_path, settings(mock)) as here, here.browser() as browser:
        await by_mock(browser, "u1")
        (ana,) = await here.store.console.accounts()
        await here.store.console.set_role(ana.id, "admin")
        await by_mock(browser, "u1")
        assert (await here.store.console.account(ana.id)).role == "admin"
        assert any("last admin" in line for line in here.log)
        await here.account("root", "admin")
        await by_mock(browser, "u1")
        assert (await here.store.console.account(ana.id)).role == "lead"


async def test_a_disabled_account_is_not_let_in_by_single_sign_on(tmp_path: Path, mock: str) -> None:
    async with house(tmp_path, settings(mock)) as here, here.browser() as browser:
        await by_mock(browser, "u2")
        (bob,) = await here.store.console.accounts()
        await here.store.console.set_disabled(bob.id, True)
        assert (await browser.get("/console/queue")).status_code == 303
        assert told(await by_mock(browser, "u2")) == "This account is disabled: ask an admin."
        assert (await browser.get("/console/queue")).status_code == 303


async def test_nobody_can_sign_in_with_a_password_at_an_account_of_single_sign_on(
    tmp_path: Path, mock: str
) -> None:
    async with house(tmp_path, settings(mock)) as here, here.browser() as browser:
        await by_mock(browser, "u1")
        browser.client.cookies.clear()
        for password in ("", PASSWORD):
            assert (await browser.sign_in("ana", password)).status_code == 403


async def test_an_answer_that_another_browser_brings_signs_nobody_in(tmp_path: Path, mock: str) -> None:
    async with house(tmp_path, settings(mock)) as here, here.browser() as mallory, here.browser() as victim:
        begun = await mallory.get("/console/oidc/start")
        async with httpx2.AsyncClient(trust_env=False) as client:
            given = await client.post(begun.headers["location"], data={"sub": "u2"})
        back = urlsplit(given.headers["location"])
        for _ in range(2):
            refused = await victim.get(f"{back.path}?{back.query}")
            assert refused.status_code == 403 and "was not begun here" in told(refused)
            await victim.get("/console/oidc/start")  # now it has begun one of its own
        assert victim.token == ""
        assert (await mallory.get(f"{back.path}?{back.query}")).status_code == 303
        again = await mallory.get(f"{back.path}?{back.query}")
        assert again.status_code == 403, "an answer counts once"


async def test_a_no_of_the_provider_is_told(tmp_path: Path, mock: str) -> None:
    async with house(tmp_path, settings(mock)) as here, here.browser() as browser:
        begun = await browser.get("/console/oidc/start")
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        refused = await browser.get(f"/console/oidc/callback?error=access_denied&state={state}")
        assert told(refused) == "The single sign-on says no (access_denied)."
        begun = await browser.get("/console/oidc/start")
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        refused = await browser.get(f"/console/oidc/callback?error=%3Cscript%3E&state={state}")
        assert told(refused) == "The single sign-on says no (an error)."


async def test_without_a_configuration_there_is_no_single_sign_on(tmp_path: Path) -> None:
    async with house(tmp_path) as here, here.browser() as browser:
        assert (await browser.get("/console/oidc/start")).status_code == 404
        assert "single sign-on" not in (await browser.get("/console/sign-in")).text


async def test_a_provider_in_the_own_network_must_be_allowed(tmp_path: Path, mock: str) -> None:
    text = settings(mock).replace("allow_private: true", "allow_private: false")
    async with house(tmp_path, text) as here, here.browser() as browser:
        refused = await browser.get("/console/oidc/start")
        assert (refused.status_code, told(refused)) == (403, TRIED)
        assert any("allow_private: true" in line and "console.oidc" in line for line in here.log)


async def test_a_provider_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        issuer = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with house(tmp_path, settings(issuer)) as here, here.browser() as browser:
            assert told(await browser.get("/console/oidc/start")) == TRIED
            assert (await browser.get("/console/sign-in")).status_code == 200


# --- a provider that lies ---


@dataclass
class Liar:
    """A provider whose every word can be changed."""

    issuer: str = ""
    words: dict[str, Any] = field(default_factory=dict)
    """What discovery says beside, or instead of, the truth."""
    claims: dict[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    head: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))
    shown: list[Any] = field(default_factory=list)
    """Further public keys, before the own one."""
    algorithm: str = "RS256"
    kid: str = "k1"
    asked: dict[str, list[str]] = field(default_factory=dict)
    posted: list[tuple[dict[str, str], str]] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    userinfo: dict[str, Any] = field(default_factory=lambda: {"sub": "u1", "groups": ["bosses"]})

    def app(self) -> Starlette:
        async def discovery(request: Request) -> Response:
            self.fetched.append("discovery")
            return JSONResponse(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize?tenant=7",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                    **self.words,
                }
            )

        async def keys(request: Request) -> Response:
            self.fetched.append("keys")
            algorithm = jwt.algorithms.get_default_algorithms()[self.algorithm]
            own = algorithm.to_jwk(self.key.public_key(), as_dict=True) | {"kid": self.kid}  # type: ignore[attr-defined]
            return JSONResponse({"keys": [*self.shown, own]})

        async def token(request: Request) -> Response:
            form = {name: str(value) for name, value in (await request.form()).items()}
            self.posted.append((form, request.headers.get("authorization", "")))
            challenge = urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
            if [challenge.rstrip("=")] != self.asked["code_challenge"]:
                return JSONResponse({"error": "invalid_grant"}, 400)
            return JSONResponse({"id_token": self.token(), "access_token": "at", "token_type": "Bearer"})

        async def userinfo(request: Request) -> Response:
            assert request.headers["authorization"] == "Bearer at"
            return JSONResponse(self.userinfo)

        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", discovery),
                Route("/keys", keys),
                Route("/token", token, methods=["POST"]),
                Route("/userinfo", userinfo),
            ]
        )

    def token(self) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            **{"iss": self.issuer, "sub": "u1", "aud": "console", "iat": now, "exp": now + 300},
            **{"nonce": self.asked["nonce"][0], "groups": ["support"], "preferred_username": "ana"},
            **self.claims,
        }
        kept = {name: value for name, value in claims.items() if name not in self.without}
        head = {"kid": self.kid, **self.head}
        return jwt.encode(kept, self.key, self.algorithm, {k: v for k, v in head.items() if v is not None})

    async def sign_in(self, browser: Browser) -> httpx2.Response:
        begun = await browser.get("/console/oidc/start")
        if begun.status_code != 303:
            return begun
        self.asked = parse_qs(urlsplit(begun.headers["location"]).query)
        return await browser.get(f"/console/oidc/callback?code=c&state={self.asked['state'][0]}")


@contextlib.asynccontextmanager
async def lying(**more: Any) -> AsyncIterator[Liar]:
    liar = Liar(**more)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        server.serve(
            liar.app(), "127.0.0.1", 0, started=lambda host, number: port.set_result(number), stop=stop, grace=2
        )
    )
    liar.issuer = f"http://127.0.0.1:{await port}"
    try:
        yield liar
    finally:
        stop.set()
        await serving


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    async with lying() as one:
        yield one


@contextlib.asynccontextmanager
async def console(folder: Path, liar: Liar, more: str = ROLES) -> AsyncIterator[tuple[House, Browser]]:
    async with house(folder, settings(liar.issuer, more)) as here, here.browser() as browser:
        yield here, browser


async def test_the_request_has_state_nonce_and_pkce_and_the_secret_goes_by_basic(
    tmp_path: Path, liar: Liar
) -> None:
    async with console(tmp_path, liar) as (here, browser):
        assert (await liar.sign_in(browser)).status_code == 303
        assert {
            name: values[0]
            for name, values in liar.asked.items()
            if name not in ("state", "nonce", "code_challenge")
        } == {
            "tenant": "7",
            "response_type": "code",
            "client_id": "console",
            "redirect_uri": f"{here.url}/console/oidc/callback",
            "scope": "openid profile email",
            "code_challenge_method": "S256",
        }
        ((form, authorization),) = liar.posted
        assert authorization.startswith("Basic ") and "client_secret" not in form
        assert len(form["code_verifier"]) == 43
        cookies = "".join((await browser.get("/console/oidc/start")).headers.get_list("set-cookie"))
        assert "HttpOnly" in cookies and "SameSite=lax" in cookies and "Max-Age=600" in cookies
        seen = {value for values in liar.asked.values() for value in values} | {form["code_verifier"]}
        assert len(seen) == 10, "state, nonce, challenge and verifier are four different values"


async def test_the_secret_goes_in_the_form_where_the_provider_wants_it_so(tmp_path: Path, liar: Liar) -> None:
    liar.words = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    async with console(tmp_path, liar) as (_, browser):
        assert (await liar.sign_in(browser)).status_code == 303
        ((form, authorization),) = liar.posted
        assert (form["client_id"], form["client_secret"], authorization) == ("console", "s3cret-of-console", "")


@pytest.mark.parametrize("algorithm", ["ES256", "RS512", "PS256"])
async def test_other_good_algorithms_are_taken(tmp_path: Path, algorithm: str) -> None:
    key: Any = ec.generate_private_key(ec.SECP256R1())
    if algorithm != "ES256":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    async with lying(algorithm=algorithm, key=key) as liar, console(tmp_path, liar) as (_, browser):
        assert (await liar.sign_in(browser)).status_code == 303


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"claims": {"nonce": "another"}}, "another nonce"),
        ({"without": ("nonce",)}, "another nonce"),
        ({"claims": {"iss": "https://evil.example"}}, "InvalidIssuerError"),
        ({"claims": {"aud": "other"}}, "InvalidAudienceError"),
        ({"claims": {"aud": ["other"]}}, "InvalidAudienceError"),
        ({"claims": {"aud": ["console", "other"], "azp": "other"}}, "azp"),
        ({"claims": {"exp": 1_000_000_000}}, "ExpiredSignatureError"),
        ({"claims": {"iat": 4_000_000_000}}, "ImmatureSignatureError"),
        ({"without": ("exp",)}, "MissingRequiredClaimError"),
        ({"without": ("sub",)}, "MissingRequiredClaimError"),
        ({"claims": {"sub": ""}}, "no sub"),
        ({"claims": {"sub": "x" * 300}}, "no sub"),
        ({"head": {"kid": "k2"}}, "KeyError"),
    ],
)
async def test_a_token_that_does_not_hold_signs_nobody_in(
    tmp_path: Path, liar: Liar, change: dict[str, Any], why: str
) -> None:
    for name, value in change.items():
        setattr(liar, name, value)
    async with console(tmp_path, liar) as (here, browser):
        refused = await liar.sign_in(browser)
        assert (refused.status_code, told(refused)) == (403, TRIED)
        assert any(why in line for line in here.log), here.log
        assert browser.token == "" and await here.store.console.accounts() == ()


async def test_a_token_signed_by_nobody_or_by_what_everybody_knows_signs_nobody_in(
    tmp_path: Path, liar: Liar
) -> None:
    genuine = Liar.token
    async with console(tmp_path, liar) as (here, browser):
        public = liar.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

        def forged(how: str) -> str:
            head, body, signature = genuine(liar).split(".")
            claims = jwt.decode(genuine(liar), options={"verify_signature": False})
            if how == "none":
                return jwt.encode(claims, None, "none", {"kid": "k1"})
            if how == "hmac":
                coded = _b64(json.dumps({"alg": "HS256", "kid": "k1"}).encode()) + "." + body
                return f"{coded}.{_b64(hmac.new(public, coded.encode(), 'sha256').digest())}"
            if how == "other key":
                other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
                return jwt.encode(claims, other, "RS256", {"kid": "k1"})
            if how == "changed":
                return f"{head}.{_b64(json.dumps(claims | {'groups': ['bosses']}).encode())}.{signature}"
            return how

        for how in ("none", "hmac", "other key", "changed", "", "a.b.c", "x" * 10_000):
            liar.token = lambda how=how: forged(how)  # type: ignore[method-assign, misc]
            refused = await liar.sign_in(browser)
            assert (refused.status_code, told(refused)) == (403, TRIED), how
        assert await here.store.console.accounts() == ()


async def test_a_shared_key_among_the_providers_keys_is_no_key(tmp_path: Path, liar: Liar) -> None:
    liar.shown = [{"kty": "oct", "k": _b64(b"known to everybody, as it stands here"), "kid": "k0", "alg": "HS256"}]
    async with console(tmp_path, liar) as (_, browser):
        assert (await liar.sign_in(browser)).status_code == 303
        claims = jwt.decode(liar.token(), options={"verify_signature": False})
        liar.token = lambda: jwt.encode(  # type: ignore[method-assign]
            claims | {"nonce": liar.asked["nonce"][0]},
            b"known to everybody, as it stands here",
            "HS256",
            {"kid": "k0"},
        )
        assert (await liar.sign_in(browser)).status_code == 403


@pytest.mark.parametrize(
    "words",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": 7},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
        {"jwks_uri": "not an address"},
    ],
)
async def test_a_provider_that_describes_itself_wrongly_is_not_used(
    tmp_path: Path, liar: Liar, words: dict[str, Any]
) -> None:
    liar.words = words
    async with console(tmp_path, liar) as (_, browser):
        refused = await browser.get("/console/oidc/start")
        assert (refused.status_code, told(refused)) == (403, TRIED)


async def test_a_new_key_is_fetched_when_a_token_names_it_but_not_for_every_made_up_one(
    tmp_path: Path, liar: Liar
) -> None:
    async with console(tmp_path, liar) as (here, browser):
        await liar.sign_in(browser)
        liar.key, liar.kid = rsa.generate_private_key(public_exponent=65537, key_size=2048), "k2"
        assert (await liar.sign_in(browser)).status_code == 403
        here.clock.moved += 61
        assert (await liar.sign_in(browser)).status_code == 303
        liar.head = {"kid": "made up"}
        for _ in range(5):
            await liar.sign_in(browser)
        assert liar.fetched.count("keys") == 2


async def test_the_role_may_stand_in_userinfo_of_the_same_person_only(tmp_path: Path, liar: Liar) -> None:
    liar.words, liar.without = {"userinfo_endpoint": f"{liar.issuer}/userinfo"}, ("groups",)
    async with console(tmp_path, liar) as (here, browser):
        liar.userinfo["sub"] = "u2"
        assert (await liar.sign_in(browser)).status_code == 403
        liar.userinfo["sub"] = "u1"
        assert (await liar.sign_in(browser)).status_code == 303
        assert [one.role for one in await here.store.console.accounts()] == ["admin"]


async def test_names_and_logins_of_the_provider_are_taken_only_as_far_as_they_can_be(
    tmp_path: Path, liar: Liar
) -> None:
    async with console(tmp_path, liar) as (here, browser):
        liar.claims = {"preferred_username": "<script>", "name": "<b>" + "x" * 300, "sub": "Weird Sub|1"}
        assert (await liar.sign_in(browser)).status_code == 303
        liar.claims = {"preferred_username": ["a"], "name": "a\x00b", "sub": "2" * 255}
        assert (await liar.sign_in(browser)).status_code == 303
        first, second = await here.store.console.accounts()
        assert (first.login, len(first.name), second.login, second.name) == ("agent", 80, "agent-2", "agent-2")
        assert "<b>x" not in (await browser.get("/console/account")).text


async def test_two_callbacks_at_once_make_one_account(tmp_path: Path, liar: Liar) -> None:
    async with console(tmp_path, liar) as (here, browser):
        begun = await browser.get("/console/oidc/start")
        liar.asked = parse_qs(urlsplit(begun.headers["location"]).query)
        path = f"/console/oidc/callback?code=c&state={liar.asked['state'][0]}"
        cookie = re.sub(";.*", "", begun.headers["set-cookie"])
        done = await asyncio.gather(*(browser.get(path, cookie=cookie) for _ in range(4)))
        assert {one.status_code for one in done} == {303}
        assert len(await here.store.console.accounts()) == 1


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
