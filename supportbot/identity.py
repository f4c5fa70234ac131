"""Identities that the company's own site has signed: checked where a message comes in, before it is stored.

A proof is a JSON Web Token (RFC 7519) signed with HS256 and one of the configured secrets. `sub` is the customer's id in
the company's systems, `exp` is needed, `name` may be there; every other claim that is plain data is kept beside them. A
proof that does not hold proves nothing: its message is taken like any other, and the log says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jwt

from supportbot.config.settings import IdentitySettings
from supportbot.types import Identity, Message

LONGEST = 8_000
_REGISTERED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "name"})
_MOST_CLAIMS = 20


class Proofs:
    """Checks signed identities by the settings."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._secrets = tuple(secret.get_secret_value() for secret in settings.secrets)
        self._audience = settings.audience
        self._lasts = settings.lasts

    def checked(self, message: Message, *, now: float, log: Callable[..., None]) -> Message:
        """The message with the identity in the place of its proof; with neither if that does not hold."""
        if not message.proof:
            return message if message.identity is None else replace(message, identity=None)
        found = self.identity(message.proof, now=now, log=log, channel=message.address.channel)
        return replace(message, proof="", identity=found)

    def identity(self, proof: str, *, now: float, log: Callable[..., None], channel: str = "") -> Identity | None:
        """Who it proves, None if it does not hold."""
        found = self._identity(proof, now)
        if isinstance(found, str):
            log("identity.refused", channel=channel, reason=found)
            return None
        return found

    def _identity(self, proof: str, now: float) -> Identity | str:
        """Who it proves, or why it does not."""
        if not self._secrets:
            return "no identity.secrets are configured"
        if len(proof) > LONGEST:
            return "it is too long"
        reason = ""
        for secret in self._secrets:
            try:
                claims = jwt.decode(
                    proof,
                    secret,
                    algorithms=["HS256"],
                    audience=self._audience,
                    options={"require": ["sub", "exp"], "verify_aud": self._audience is not None},
                    leeway=5,
                )
            except jwt.PyJWTError as error:
                reason = type(error).__name__
                continue
            return self._proven(claims, now)
        return reason

    def _proven(self, claims: Mapping[str, Any], now: float) -> Identity | str:
        customer = claims["sub"]
        if not isinstance(customer, str) or not customer.strip():
            return "its sub is empty"
        if _whole(customer) != customer:  # two of them must not become one
            return "its sub has half a character"
        name = claims.get("name")
        more = {
            key: _whole(value) if isinstance(value, str) else value
            for key, value in list(claims.items())[:_MOST_CLAIMS]
            if key not in _REGISTERED and isinstance(value, str | int | float | bool)
        }
        ends = min(float(claims["exp"]), now + self._lasts)
        return Identity(customer, _whole(name) if isinstance(name, str) else "", "signed", now, ends, more)


def _whole(text: str) -> str:
    """The text with "?" for half a character, as a name cut in the middle of an emoji ends in."""
    return text.encode("utf-8", "replace").decode()
