"""Customers' names and languages, from a cache: nobody waits longer than half a second for them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from supportbot_slack.cache import Cache
from supportbot_slack.faults import Refusal
from supportbot_slack.fields import or_empty
from supportbot_slack.text import clean
from supportbot_slack.web import Web

SECONDS = 0.5
_KEEP, _KEEP_UNKNOWN = 6 * 3600.0, 60.0
_NAME = 200


@dataclass(frozen=True, slots=True)
class Person:
    """A name to show and a language such as "en-US", "" where they are not known."""

    name: str = ""
    locale: str = ""


class People:
    """Looks users up, one call for each at a time."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._known: Cache[str, tuple[float, Person]] = Cache()
        self._asked: dict[str, asyncio.Task[Person]] = {}

    def cached(self, user: str) -> Person | None:
        """Who that is, None if nobody looked lately."""
        until, person = self._known.get(user) or (0.0, Person())
        return person if time.monotonic() < until else None

    async def who(self, user: str) -> Person:
        """Who that is; without a name if Slack does not say so soon."""
        known = self.cached(user)
        if known is not None:
            return known
        task = self._asked.get(user)
        if task is None:
            task = self._asked[user] = asyncio.create_task(self._ask(user), name=f"slack user {user}")
            task.add_done_callback(lambda _: self._asked.pop(user, None))
        done, _ = await asyncio.wait((task,), timeout=SECONDS)
        if done:
            return Person() if task.cancelled() else task.result()
        # whoever comes next does not wait too; the answer is kept when it comes
        return self._keep(user, Person(), _KEEP_UNKNOWN)

    async def stop(self) -> None:
        """Ends what is still asked."""
        tasks = tuple(self._asked.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _ask(self, user: str) -> Person:
        try:
            answer = await self._web.call("users.info", user=user, include_locale=True)
        except Refusal:
            return self._keep(user, Person(), _KEEP_UNKNOWN)
        return self._keep(user, _person(answer.get("user")), _KEEP)

    def _keep(self, user: str, person: Person, seconds: float) -> Person:
        return self._known.put(user, (time.monotonic() + seconds, person))[1]


def _person(user: object) -> Person:
    if not isinstance(user, dict):
        return Person()
    profile = user.get("profile")
    inner = profile if isinstance(profile, dict) else {}
    name = (
        or_empty(inner.get("display_name")) or or_empty(inner.get("real_name")) or or_empty(user.get("real_name"))
    )
    return Person(clean(name)[:_NAME].strip(), or_empty(user.get("locale"))[:35])
