"""Single sign-on by OpenID Connect: authorization code with PKCE, state and nonce (OpenID Connect Core 1.0, RFC 7636).

1. State, nonce and PKCE verifier come from one random secret in a cookie of the browser that began; nothing is kept here,
   so nothing can be filled up, and an answer that another browser brings fits nothing.
2. The ID token counts only with the provider's signature by an asymmetric algorithm, and the right `iss`, `aud`, `azp`,
   `exp` and nonce. The provider must be the one configured, also by its own words.
3. An account belongs to (`iss`, `sub`) and to nothing else: no e-mail address and no login ever finds one.
4. The role is the highest that `roles` gives to a value of `role_claim`, looked at again at each sign-in; else
   `default_role`; without either nobody is let in. The last admin stays one.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx2
import jwt
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from supportbot.console.access import HOME, SIGN_IN, Access, own_path
from supportbot.console.people import LONGEST_NAME, login_of, login_problem, name_problem
from supportbot.console.views import render
from supportbot.errors import ChannelError, Conflict
from supportbot.types.console import ROLES, Account, AuditRow, Role

if TYPE_CHECKING:
    from supportbot.config.consolesettings import OidcSettings
    from supportbot.console.room import Room

START, CALLBACK = "/console/oidc/start", "/console/oidc/callback"
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_ERROR = re.compile(r"[a-z_]{1,60}\Z")
_LASTS, _FRESH, _LEEWAY = 600.0, 3600.0, 30.0
_AGAIN = 60.0
"""Seconds before the provider is asked for its keys once more because of one that is not known."""
_SECONDS = 15.0
_AT_ONCE = 4


class Refused(Exception):
    """Nobody is signed in; `str()` is the sentence for the person, `why` for the log."""

    def __init__(self, sentence: str, why: str = "") -> None:
        super().__init__(sentence)
        self.why = why or sentence


@dataclass(frozen=True, slots=True)
class _Provider:
    """What the provider says of itself, and when it was asked."""

    authorize: str
    token: str
    userinfo: str
    keys: tuple[Mapping[str, Any], ...]
    algorithms: tuple[str, ...]
    basic: bool
    at: float


@dataclass(frozen=True, slots=True)
class _Begun:
    """One sign-in under way: all that is derived of the secret in the browser's cookie."""

    secret: str
    next: str

    @property
    def state(self) -> str:
        return _derived("state", self.secret)

    @property
    def nonce(self) -> str:
        return _derived("nonce", self.secret)

    @property
    def verifier(self) -> str:
        return _derived("verifier", self.secret)

    @property
    def challenge(self) -> str:
        return _unpadded(hashlib.sha256(self.verifier.encode()).digest())


def routes(room: Room, access: Access) -> list[BaseRoute]:
    """None when no single sign-on is configured."""
    settings = room.config.console.oidc
    if settings is None:
        return []
    single = SingleSignOn(room, access, settings)
    return [Route(START, single.start, methods=["GET"]), Route(CALLBACK, single.callback, methods=["GET"])]


class SingleSignOn:
    """Signs people in by one provider."""

    def __init__(self, room: Room, access: Access, settings: OidcSettings) -> None:
        self._room, self._access, self._settings = room, access, settings
        self._store = room.store.console
        self._known: _Provider | None = None
        self._asking = asyncio.Lock()
        self._few = asyncio.Semaphore(_AT_ONCE)

    async def start(self, request: Request) -> Response:
        begun = _Begun(secrets.token_urlsafe(32), own_path(request.query_params.get("next", "")))
        try:
            async with asyncio.timeout(_SECONDS), self._few:
                provider = await self._provider()
        except (Refused, TimeoutError) as error:
            return self._refused(request, error)
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri(request),
            "scope": "openid profile email",
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": begun.challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if urlsplit(provider.authorize).query else "?"
        response = RedirectResponse(provider.authorize + joint + urlencode(asked), 303)
        value = f"{begun.secret}.{b64encode(begun.next.encode(), b'-_').decode().rstrip('=')}"
        self._access.set_cookie(response, self._cookie, value, _LASTS)
        return response

    async def callback(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(_SECONDS), self._few:
                begun = self._begun(request)
                account = await self._account(await self._claims(request, begun))
        except (Refused, TimeoutError) as error:
            return self._refused(request, error)
        response = RedirectResponse(begun.next, 303)
        row = self._access.row(request, account.login, "sign-in", f"account:{account.login}", "single sign-on")
        await self._access.open(request, response, account, row)
        self._access.set_cookie(response, self._cookie, "", 0)
        self._room.log("console.signed_in", login=account.login, by="oidc")
        return response

    def _refused(self, request: Request, error: Exception) -> Response:
        refused = error if isinstance(error, Refused) else Refused("The single sign-on did not answer in time.")
        self._room.log("console.single_sign_on_failed", reason=refused.why)
        response = render(request, "refused.html", status=403, sentence=str(refused), back=SIGN_IN)
        self._access.set_cookie(response, self._cookie, "", 0)
        return response

    @property
    def _cookie(self) -> str:
        return self._access.cookie_name("oidc")

    def _redirect_uri(self, request: Request) -> str:
        base = self._room.public_url or str(request.base_url)
        return base.rstrip("/") + CALLBACK

    def _begun(self, request: Request) -> _Begun:
        """What this browser began. Refused if that is not what the answer is for."""
        secret, _, after = request.cookies.get(self._cookie, "").partition(".")
        state = request.query_params.get("state", "")
        begun = _Begun(secret, _path(after))
        if not _SECRET.match(secret) or not secrets.compare_digest(state.encode(), begun.state.encode()):
            raise Refused("This sign-in was not begun here, or too long ago: begin again.", "state does not fit")
        if error := request.query_params.get("error", ""):
            told = error if _ERROR.match(error) else "an error"
            raise Refused(f"The single sign-on says no ({told}).")
        return begun

    # --- the provider ---

    async def _provider(self, *, kid: str | None = None) -> _Provider:
        """What the provider says of itself, at most an hour old, asked again for a key that is not known yet."""
        async with self._asking:
            known, now = self._known, self._room.clock()
            age = now - known.at if known is not None else _FRESH
            if known is not None and age < _FRESH and (kid is None or age < _AGAIN or _has(known.keys, kid)):
                return known
            self._known = await self._discovered(now)
            return self._known

    async def _discovered(self, now: float) -> _Provider:
        issuer = self._settings.issuer
        found = await self._json("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise Refused(_UNUSABLE, "the provider names another issuer than console.oidc.issuer")
        authorize, token = self._address(found, "authorization_endpoint"), self._address(found, "token_endpoint")
        keys = await self._json("GET", self._address(found, "jwks_uri"))
        offered = found.get("id_token_signing_alg_values_supported")
        algorithms = tuple(one for one in _ALGORITHMS if not isinstance(offered, list) or one in offered)
        methods = found.get("token_endpoint_auth_methods_supported")
        basic = not isinstance(methods, list) or "client_secret_basic" in methods
        userinfo = self._address(found, "userinfo_endpoint") if "userinfo_endpoint" in found else ""
        listed = keys.get("keys")
        known = tuple(one for one in (listed if isinstance(listed, list) else ()) if isinstance(one, dict))
        return _Provider(authorize, token, userinfo, known, algorithms, basic, now)

    def _address(self, found: Mapping[str, Any], name: str) -> str:
        """An address that the provider names; as safe as the configured one."""
        address = found.get(name)
        schemes = ("https",) if self._settings.issuer.startswith("https:") else ("https", "http")
        if not isinstance(address, str) or urlsplit(address).scheme not in schemes:
            raise Refused(_UNUSABLE, f"the provider's {name} is no {schemes[0]} address")
        return address

    async def _json(self, method: str, address: str, **options: Any) -> Mapping[str, Any]:
        """A JSON object from the provider; `Refused` for anything else."""
        place = urlsplit(address).path
        try:
            async with self._room.http(self._settings.allow_private) as client:
                response = await client.request(method, address, **options)
            payload = response.json()
        except ChannelError as error:
            raise Refused(_UNUSABLE, str(error).replace("beside the URL", "in console.oidc")) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError) as error:
            raise Refused(_UNUSABLE, f"{place}: {type(error).__name__}") from None
        if response.status_code != 200 or not isinstance(payload, dict):
            code = payload.get("error") if isinstance(payload, dict) else None
            told = code if isinstance(code, str) and _ERROR.match(code) else "no JSON object"
            raise Refused(_UNUSABLE, f"{place}: {response.status_code} {told}")
        return payload

    # --- who it is ---

    async def _claims(self, request: Request, begun: _Begun) -> Mapping[str, Any]:
        """The claims of a token that holds."""
        provider = await self._provider()
        tokens = await self._exchanged(request, begun, provider)
        token = tokens.get("id_token")
        claims = await self._verified(token if isinstance(token, str) else "", begun.nonce)
        wanted = self._settings.role_claim
        access_token = tokens.get("access_token")
        if wanted is None or wanted in claims or not provider.userinfo or not isinstance(access_token, str):
            return claims
        headers = {"authorization": f"Bearer {access_token}"}
        more = await self._json("GET", provider.userinfo, headers=headers)
        if more.get("sub") != claims["sub"]:
            raise Refused(_UNUSABLE, "userinfo tells of somebody else than the ID token")
        return {**more, **claims}

    async def _exchanged(self, request: Request, begun: _Begun, provider: _Provider) -> Mapping[str, Any]:
        """The tokens for the code."""
        settings = self._settings
        asked = {
            "grant_type": "authorization_code",
            "code": request.query_params.get("code", "")[:4_000],
            "redirect_uri": self._redirect_uri(request),
            "code_verifier": begun.verifier,
        }
        headers = {"accept": "application/json"}
        secret = settings.client_secret.get_secret_value() if settings.client_secret is not None else ""
        if secret and provider.basic:  # both parts form-encoded first (RFC 6749, 2.3.1)
            both = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
            headers["authorization"] = f"Basic {b64encode(both.encode()).decode()}"
        else:
            asked |= {"client_id": settings.client_id} | ({"client_secret": secret} if secret else {})
        return await self._json("POST", provider.token, data=asked, headers=headers)

    async def _verified(self, token: str, nonce: str) -> Mapping[str, Any]:
        try:
            head = jwt.get_unverified_header(token)
            provider = await self._provider(kid=head.get("kid"))
            claims = jwt.decode(
                token,
                _key(provider, head),
                algorithms=[head["alg"]],
                audience=self._settings.client_id,
                issuer=self._settings.issuer,
                leeway=_LEEWAY,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except (jwt.PyJWTError, KeyError, ValueError, TypeError) as error:
            raise Refused(_UNUSABLE, f"the ID token does not hold ({type(error).__name__})") from None
        given, sub = claims.get("nonce"), claims.get("sub")
        if not isinstance(given, str) or not secrets.compare_digest(given.encode(), nonce.encode()):
            raise Refused(_UNUSABLE, "the ID token has another nonce")
        if claims.get("azp", self._settings.client_id) != self._settings.client_id:
            raise Refused(_UNUSABLE, "the ID token is for another client (azp)")
        if not isinstance(sub, str) or not 0 < len(sub) <= 255:
            raise Refused(_UNUSABLE, "the ID token has no sub")
        return claims

    async def _account(self, claims: Mapping[str, Any]) -> Account:
        """The account of (iss, sub), made if there is none; with today's role."""
        subject = f"{self._settings.issuer}|{claims['sub']}"
        role = self._role(claims)
        account = await self._store.by_subject(subject)
        if account is None:
            if role is None:
                raise Refused(_NO_ROLE, "no role for a new account")
            return await self._made(claims, subject, role)
        if account.disabled:
            raise Refused("This account is disabled: ask an admin.", f"{account.login} is disabled")
        if self._settings.role_claim is None or role == account.role:
            return account
        if role is None:
            raise Refused(_NO_ROLE, f"{account.login} has no role there any more")
        return await self._with_role(account, role)

    async def _with_role(self, account: Account, role: Role) -> Account:
        row = self._row("account.role", account.login, f"{account.role} to {role}")
        try:
            await self._store.set_role(account.id, role, audit=row)
        except Conflict as conflict:
            self._room.log("console.role_kept", login=account.login, reason=str(conflict))
        return await self._store.account(account.id)

    async def _made(self, claims: Mapping[str, Any], subject: str, role: Role) -> Account:
        """A new account under a login that nobody has."""
        name = claims.get("name")
        shown = (
            name.strip()[:LONGEST_NAME] if isinstance(name, str) and not name_problem(name[:LONGEST_NAME]) else ""
        )
        wish = _wished_login(claims)
        for login in (wish, *(f"{wish[:58]}-{number}" for number in range(2, 10)), f"sso-{secrets.token_hex(8)}"):
            row = self._row("account.create", login, f"{role}, single sign-on")
            try:
                return await self._store.create(
                    login, name=shown, role=role, subject=subject, now=self._room.clock(), audit=row
                )
            except Conflict:
                if (same := await self._store.by_subject(subject)) is not None:
                    return same  # their other tab was quicker
        raise Refused("No account could be made: try again.", "no login was free")

    def _row(self, action: str, login: str, detail: str) -> AuditRow:
        return AuditRow(0, self._room.clock(), "single sign-on", action, f"account:{login}", detail, "")

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        """The highest role of the claim's values, the default without one."""
        settings = self._settings
        found: Any = claims.get(settings.role_claim) if settings.role_claim is not None else None
        values = found if isinstance(found, list) else [found]
        roles = [settings.roles[value] for value in values if isinstance(value, str) and value in settings.roles]
        return max(roles, key=ROLES.index, default=settings.default_role)


_UNUSABLE = "The single sign-on did not work: try again, or ask an admin to look at the log."
_NO_ROLE = "You have no role in this console: ask an admin."


def _key(provider: _Provider, head: Mapping[str, Any]) -> jwt.PyJWK:
    """The key that the token names, for its algorithm; the only one if it names none. KeyError if there is none such."""
    if head["alg"] not in provider.algorithms:
        raise KeyError("alg")
    fit = [
        key
        for key in provider.keys
        if key.get("use", "sig") == "sig" and key.get("alg", head["alg"]) == head["alg"]
    ]
    if "kid" in head:
        fit = [key for key in fit if key.get("kid") == head["kid"]]
    if len(fit) != 1:
        raise KeyError("kid")
    return jwt.PyJWK(dict(fit[0]), algorithm=head["alg"])


def _has(keys: tuple[Mapping[str, Any], ...], kid: str) -> bool:
    return any(key.get("kid") == kid for key in keys)


def _wished_login(claims: Mapping[str, Any]) -> str:
    for name in ("preferred_username", "email", "sub"):
        value = claims.get(name)
        login = login_of(value) if isinstance(value, str) else ""
        if login and not login_problem(login):
            return login
    return "agent"


def _derived(what: str, secret: str) -> str:
    return _unpadded(hashlib.sha256(f"supportbot {what} {secret}".encode()).digest())


def _unpadded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _path(coded: str) -> str:
    """The path out of the cookie, one of the console's own whatever stands there."""
    try:
        return own_path(b64decode(coded + "=" * (-len(coded) % 4), b"-_").decode())
    except ValueError:
        return HOME
