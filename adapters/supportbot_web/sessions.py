"""Who a page is: opaque tokens, and the chats that they open.

1. The browser holds 256 random bits; the shelf holds their SHA-256, so that a copy of the database opens no chat.
2. A session belongs to the origin that asked for it: the same token from another site's page is refused.
3. A customer whose site has signed who they are has one chat, on every device. The first time they take the anonymous
   chat of their page along; a token that a customer signed in with is void from then on.
4. What ends a session and what prolongs it go one after the other: a token that is void stays so.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass

from supportbot import Identity, Shelf

SIGNED_LASTS = 24 * 3600.0
_RENEW = 24 * 3600.0
_NAME_LIMIT = 200
_TOKEN_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Session:
    """`key` is where it stands on the shelf, `customer` the proven id ("" for somebody anonymous), times in seconds
    since the epoch."""

    key: str
    chat: str
    origin: str
    customer: str
    name: str
    until: float

    @property
    def identified(self) -> bool:
        return bool(self.customer)


class Sessions:
    """`keep` is how many seconds an anonymous chat can be come back to, counted from the last visit."""

    def __init__(self, shelf: Shelf, keep: float, clock: Callable[[], float]) -> None:
        self._shelf = shelf
        self._keep = keep
        self._fresh = keep - min(_RENEW, keep / 2)
        self._clock = clock
        self._one = asyncio.Lock()

    async def find(self, token: str, origin: str) -> Session | None:
        """None if there is none (any more), or it belongs to another origin; "" is no page of another site."""
        if not token or len(token) > _TOKEN_LIMIT:
            return None
        session = await self._read(_key(token))
        if session is None or origin not in ("", session.origin):
            return None
        return await self.kept(session)

    async def kept(self, session: Session) -> Session | None:
        """The session, prolonged if its time is getting short and its customer is anonymous; None if it is over."""
        now = self._clock()
        if session.identified or session.until - now > self._fresh:
            return session if session.until > now else None
        async with self._one:
            found = await self._read(session.key)
            return None if found is None else await self._put(found, now + self._keep)

    async def stands(self, session: Session) -> bool:
        """Whether it was not ended meanwhile."""
        return await self._read(session.key) is not None

    async def open(self, origin: str, identity: Identity | None, before: Session | None) -> tuple[str, Session]:
        """A new session and its token; `before` is the one that the page had, which is over if `identity` is given."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        if identity is None:
            anonymous = Session(_key(token), _new_chat(), origin, "", "", 0.0)
            return token, await self._put(anonymous, now + self._keep)
        async with self._one:
            chat = await self._chat_of(identity.customer, before)
        known = Session(_key(token), chat, origin, identity.customer, identity.name[:_NAME_LIMIT], 0.0)
        return token, await self._put(known, now + SIGNED_LASTS)

    async def end(self, session: Session) -> None:
        async with self._one:
            await self._shelf.remove(session.key)

    async def _chat_of(self, customer: str, before: Session | None) -> str:
        # read again: another customer may have signed in with it meanwhile, and their chat is not to be shared
        along = await self._read(before.key) if before is not None else None
        place = "customer:" + hashlib.sha256(customer.encode("utf-8", "replace")).hexdigest()
        found = await self._shelf.get(place)
        if found is not None:
            chat = str(found["chat"])
        else:
            chat = along.chat if along is not None and not along.identified else _new_chat()
            await self._shelf.put(place, {"chat": chat})
        if along is not None:
            await self._shelf.remove(along.key)
        return chat

    async def _read(self, key: str) -> Session | None:
        found = await self._shelf.get(key)
        return None if found is None else Session(key, **found)

    async def _put(self, session: Session, until: float) -> Session:
        value = {**asdict(session), "until": until}
        value.pop("key")
        await self._shelf.put(session.key, value, until=until)
        return Session(session.key, **value)


def _key(token: str) -> str:
    return "session:" + hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _new_chat() -> str:
    return "v_" + secrets.token_urlsafe(16)
