"""One run of the engine over one turn, with its effects.

Files and models get what is left of the turn's time; an action is journaled before it begins.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from supportbot.calling import Calls
from supportbot.engine import MAX_ATTEMPTS, Moment, take_turn
from supportbot.errors import (
    ChannelBusy,
    ChannelError,
    ChannelRefused,
    FileTooLarge,
    ModelError,
    NotFound,
)
from supportbot.house import House
from supportbot.journal import STARTED, Diverged, Journal, Opening, left_open
from supportbot.mediatypes import allowed, media_type
from supportbot.previews import Preview, Sign
from supportbot.protocols import Adapter, Desk
from supportbot.types import (
    AskModel,
    Attachment,
    CallTool,
    CallTools,
    Effect,
    Fetch,
    Fetched,
    LookBack,
    ModelAnswer,
    ModelFailed,
    ModelRequest,
    Outcome,
    Result,
    Search,
    SearchResult,
    TakePlace,
    TurnInput,
)

_SUMMARY_SECONDS = 10.0
_OFFLINE_SECONDS = 5.0
_FETCH_SECONDS = 15.0
_FETCH_AGAIN = 1.0


def overdue(house: House, start: TurnInput) -> bool:
    """Whether the turn's oldest message has waited longer than a customer should."""
    return house.clock() - start.pending[0].received_at >= house.notice_within


class Attempt:
    """One run of the engine over one TurnInput, with its effects."""

    def __init__(self, house: House, start: TurnInput) -> None:
        self._house = house
        self._start = start
        self._journal = Journal(house.store, start.lease, start.journal)
        self._preview = Preview(house, start, self._journal)
        self.sign = Sign()
        self._calls = Calls(house, start, self._journal, left=self._left, show=self.sign.show)
        # nobody waits for an answer to a row of the house's own, so its time begins now
        self._own = start.pending[0].message.kind in ("timer", "call")
        self._oldest = house.clock() if self._own else start.pending[0].received_at
        self._began = house.clock()
        self._waited = False

    @property
    def may_restart(self) -> bool:
        """Whether later messages can be taken in: nothing was done or shown, and there is time to answer once more."""
        free = self._waited and not self._journal.acted and not self._preview.shown
        return free and self._left() > self._house.clock() - self._began

    async def outcome(self) -> Outcome:
        moment = self._moment()
        try:
            try:
                outcome = await self._run(moment)
            except Diverged as error:
                outcome = await self._run(replace(moment, unsure=moment.unsure or error.detail))
        finally:
            handle = await self._preview.end()
        return replace(outcome, preview=handle)

    def _moment(self) -> Moment:
        now = self._house.clock()
        opening = Journal.opening_of(self._start.journal)
        if opening is None:
            rows = tuple(row.position for row in self._start.pending)
            opening = Opening(now, f"h_{secrets.token_hex(16)}", rows, secrets.token_hex(16))
        self._journal.open(opening)
        late = not self._own and overdue(self._house, self._start)
        given_up = late or self._start.tries > MAX_ATTEMPTS
        return Moment(
            # a turn that is only ended asks for nothing, so its handoff may count from now, not from before a downtime
            now=now if given_up else opening.now,
            handoff_id=opening.handoff_id,
            secret=opening.secret,
            attempt=self._start.tries,
            overdue=late,
            unsure=left_open(self._start.journal) if given_up else "",
        )

    async def _run(self, moment: Moment) -> Outcome:
        turn = take_turn(self._start, self._house.script, moment)
        try:
            effect = next(turn)
            while True:
                effect = turn.send(await self._carry_out(effect))
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome

    async def _carry_out(self, effect: Effect) -> Result:
        known = self._journal.recall(effect)
        started = known is STARTED
        if known is not None and not started:
            return known
        match effect:
            case CallTool():
                self._waited = True
                return await self._calls.one(effect, started=started)
            case CallTools():
                self._waited = True
                return await self._calls.many(effect)
            case AskModel():
                result: Result = await self._ask(effect)
            case Search():
                result = await self._search(effect)
            case Fetch():
                result = await self._fetch(effect)
            case TakePlace():
                result = await self._house.store.take_place(self._start.lease, effect, now=self._house.clock())
            case LookBack():
                result = await self._house.store.look_back(self._start.conversation.id, effect)
        self._journal.note(effect, result)
        return result

    def _left(self) -> float:
        return self._oldest + self._house.answer_within - self._house.clock()

    async def _ask(self, effect: AskModel) -> ModelAnswer | ModelFailed:
        offline = effect.rung == "offline"
        self._waited = self._waited or not offline
        seconds = _OFFLINE_SECONDS if offline else self._left()
        if effect.request.purpose in ("summary", "brief"):
            seconds = min(seconds, _SUMMARY_SECONDS)
        if seconds <= 0:
            return ModelFailed("deadline", "the time for an answer was up before the model could be asked")
        model = self._house.offline if offline else self._house.model
        self._preview.begin()
        show = self._preview.show if effect.stream and self._preview.possible else None
        try:
            request = replace(effect.request, pictures=await self._pictures(effect.request))
            async with asyncio.timeout(seconds + 1):
                return await model.complete(request, seconds=seconds, on_text=show)
        except TimeoutError:
            return ModelFailed("deadline", "the model did not answer in time")
        except ModelError as error:
            return ModelFailed(error.name, str(error), tuple(error.usage))

    async def _search(self, effect: Search) -> SearchResult:
        return SearchResult(await self._house.knowledge.search(effect.query, limit=effect.limit))

    async def _pictures(self, request: ModelRequest) -> Mapping[str, bytes]:
        """The content of the pictures that the request names and that are still kept; none if the bot shows none."""
        found: dict[str, bytes] = {}
        if not self._house.script.sees:
            return found
        for digest in dict.fromkeys(digest for message in request.messages for digest in message.images):
            with suppress(NotFound):
                found[digest] = await self._house.files.read(digest)
        return found

    async def _fetch(self, effect: Fetch) -> Fetched:
        """Keeps the file, if it is of a size and kind that is taken."""
        house, attachment = self._house, effect.attachment
        self._waited = True
        adapter: Adapter | Desk | None = house.adapters.get(self._start.conversation.address.channel)
        if effect.via:
            adapter = house.desks.get(effect.via)
        if adapter is None or not allowed(attachment.media_type, house.file_types):
            return Fetched(attachment, "not_allowed")
        if attachment.size > house.file_size:
            return Fetched(attachment, "too_large")
        try:
            async with asyncio.timeout(max(min(self._left(), _FETCH_SECONDS), 1.0)):
                content = await _content(adapter, attachment, house.file_size)
        except (ChannelError, TimeoutError) as error:
            house.log("file.failed", channel=adapter.name, error=str(error) or "it did not arrive in time")
            return Fetched(attachment, "too_large" if isinstance(error, FileTooLarge) else "failed")
        kind = media_type(content, attachment.media_type)
        if not allowed(kind, house.file_types):
            return Fetched(replace(attachment, media_type=kind), "not_allowed")
        digest = await house.files.keep(content)
        return Fetched(replace(attachment, media_type=kind, size=len(content), digest=digest))


async def _content(adapter: Adapter | Desk, attachment: Attachment, limit: int) -> bytes:
    """What the channel gives, asked twice if it is only busy. Whatever goes wrong in the adapter is a ChannelError."""
    for last in (False, True):
        try:
            content = await adapter.fetch(attachment, limit=limit)
        except ChannelBusy:
            if last:
                raise
            await asyncio.sleep(_FETCH_AGAIN)
        except (ChannelError, TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 - named boundary: somebody else's adapter may raise anything
            raise ChannelRefused(f"the adapter failed: {type(error).__name__}") from None
        else:
            if not isinstance(content, bytes):
                raise ChannelRefused("the adapter gave what is no content")
            if len(content) > limit:
                raise FileTooLarge("the adapter gave more than the limit")
            return content
    raise AssertionError("unreachable")
