"""The open pages of a channel, and how they hear of what is new.

1. What is kept (entries) is read from the feed: a page is only woken. What is not kept (a preview, typing) is handed
   over, the newest of each kind; a page that is slow misses some and nothing else.
2. A preview that is under way is shown to pages that come later, until its message stands in the feed; a page that has
   the message is shown no preview of it any more.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

_MOST_PREVIEWS = 2_000
"""Kept for pages that come later; one whose message never came is forgotten after so many others."""
Passing = tuple[str, Mapping[str, Any]]
"""(event, data) of something that is not kept."""


class Page:
    """One open stream. `session` names whose it is."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.over = False
        self.ended = False
        self._passing: dict[str, Passing] = {}
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    def hand(self, event: str, data: Mapping[str, Any]) -> None:
        self._passing[event] = (event, data)
        self._event.set()

    def take(self) -> tuple[Passing, ...]:
        """What came since the last time."""
        taken = tuple(self._passing.values())
        self._passing.clear()
        return taken

    def forget(self, event: str) -> None:
        self._passing.pop(event, None)

    def has(self, handle: str) -> None:
        """The page has the message that was shown as `handle` while it was written."""
        if self._passing.get("preview", ("", {}))[1].get("handle") == handle:
            self.forget("preview")

    async def woken(self, seconds: float) -> bool:
        """Returns when something is new, or after this time; whether it was."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        news = self._event.is_set()
        self._event.clear()
        return news


class Hub:
    """All pages of the channel, by chat."""

    def __init__(self) -> None:
        self._pages: defaultdict[str, set[Page]] = defaultdict(set)
        self._previews: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._visitors: Counter[str] = Counter()
        self._closed = False

    def __len__(self) -> int:
        return self._visitors.total()

    def of_visitor(self, visitor: str) -> int:
        return self._visitors[visitor]

    def of_session(self, chat: str, session: str) -> int:
        return sum(page.session == session for page in self._pages.get(chat, ()))

    @contextlib.contextmanager
    def joined(self, chat: str, session: str, visitor: str = "") -> Iterator[Page]:
        """A page that is open for as long as the block runs; `visitor` is from where."""
        page = Page(session)
        page.ended = self._closed
        if chat in self._previews:
            page.hand("preview", self._previews[chat])
        self._pages[chat].add(page)
        self._visitors[visitor] += 1
        try:
            yield page
        finally:
            self._visitors[visitor] -= 1
            if not self._visitors[visitor]:
                del self._visitors[visitor]
            self._pages[chat].discard(page)
            if not self._pages[chat]:
                del self._pages[chat]

    def wake(self, chat: str) -> None:
        for page in self._pages.get(chat, ()):
            page.wake()

    def hand(self, chat: str, event: str, data: Mapping[str, Any]) -> None:
        """Hands something that is not kept to the chat's pages."""
        for page in self._pages.get(chat, ()):
            page.hand(event, data)

    def preview(self, chat: str, handle: str, data: Mapping[str, Any]) -> None:
        self._previews.pop(chat, None)
        if data["blocks"]:
            self._previews[chat] = data
            if len(self._previews) > _MOST_PREVIEWS:
                self._previews.popitem(last=False)
        self.hand(chat, "preview", data)

    def finished(self, chat: str) -> None:
        """A message stands in the feed now: what was shown of it is over."""
        self._previews.pop(chat, None)
        for page in self._pages.get(chat, ()):
            page.forget("preview")
            page.forget("typing")
            page.wake()

    def over(self, chat: str, session: str) -> None:
        """The session has ended: its pages are told, and closed."""
        for page in self._pages.get(chat, ()):
            if page.session == session:
                page.over = True
                page.wake()

    def close(self) -> None:
        """Ends every stream; pages come again when the server does."""
        self._closed = True
        for pages in self._pages.values():
            for page in pages:
                page.ended = True
                page.wake()

    def open(self) -> None:
        self._closed = False
