"""Runs turns: claim -> begin -> decide (the engine) -> effects -> commit -> outbox.

1. A turn's deadline counts from the stored receipt of its oldest message: after `answer_within` the model gets no
   more time and the ladder goes on; after `notice_within` the watchdog ends what is pending with a notice or handoff.
2. Messages that arrive while the model is thinking are taken in before the commit, at most twice, and only while no
   action was carried out and nothing was shown.
3. Whatever escapes from a turn is caught here, logged and tried again; a message that keeps failing goes to a human.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from supportbot.dialogue import OWN_FILE
from supportbot.engine import MAX_ATTEMPTS, Moment, batch, take_turn
from supportbot.errors import (
    ChannelBusy,
    ChannelError,
    ChannelRefused,
    ModelError,
    NotFound,
    StaleLease,
    StoreError,
)
from supportbot.house import House
from supportbot.journal import Diverged, Journal, Opening, left_open
from supportbot.mediatypes import allowed, media_type
from supportbot.previews import Preview, at_work
from supportbot.protocols import Adapter, ToolContext
from supportbot.replies import fit
from supportbot.types import (
    AskModel,
    Attachment,
    CallTool,
    Effect,
    Fetch,
    Fetched,
    Inbound,
    Lease,
    ModelAnswer,
    ModelFailed,
    ModelRequest,
    Outcome,
    Reply,
    Result,
    Search,
    SearchResult,
    ToolResult,
    TurnInput,
    Usage,
)

MAX_RESTARTS = 2
_SUMMARY_SECONDS = 10.0
_OFFLINE_SECONDS = 5.0
_FETCH_SECONDS = 15.0
_FETCH_AGAIN = 1.0
_RETRY_SECONDS = (0.2, 1.0, 3.0)
_AFTER_RESCUE = 2.0
_LEASE_MARGIN = 30.0
_LET_GO_SECONDS = 1.0


class Worker:
    """Runs up to `slots` turns at once; `stop()` lets the running ones finish."""

    def __init__(self, house: House, *, slots: int = 256) -> None:
        self._house = house
        self._slots = asyncio.Semaphore(slots)
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Claims and runs turns until cancelled; a cancelled run leaves the turns it started running."""
        while True:
            await self._slots.acquire()
            try:
                lease = await self._house.queue.claim()
            except BaseException:
                self._slots.release()
                raise
            task = asyncio.create_task(self._claimed(lease), name=f"turn {lease.conversation}")
            self._running[lease.conversation] = task
            task.add_done_callback(lambda done, lease=lease: self._done(lease.conversation, done))  # type: ignore[misc]

    async def drain(self, seconds: float) -> None:
        """Waits for running turns; those that do not finish in time are cancelled and start anew after the restart."""
        tasks = list(self._running.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:  # what ignores its cancellation is left behind: its lease is worth nothing any more
            await asyncio.wait(late, timeout=_LET_GO_SECONDS)

    async def rescue(self, conversation: str) -> None:
        """Ends what is overdue in a conversation, whoever holds its turn (the watchdog's work). Asks no model."""
        house = self._house
        try:
            lease = await house.store.seize(conversation, until=house.clock() + 30)
            task = self._running.get(conversation)
            if task is not None:
                task.cancel()
            start = await house.store.begin(lease, now=house.clock())
            if start is not None and _overdue(house, start):
                await self._finish(start, await Attempt(house, _resumed(start)).outcome())
        except (StaleLease, NotFound):
            return
        except Exception as error:  # noqa: BLE001 - named boundary: turn
            house.log("turn.rescue_failed", conversation=conversation, error=type(error).__name__, exc_info=True)

    def _done(self, conversation: str, task: asyncio.Task[None]) -> None:
        self._slots.release()
        if self._running.get(conversation) is task:
            del self._running[conversation]

    async def _claimed(self, lease: Lease) -> None:
        house = self._house
        again_at: float | None = house.clock()
        try:
            again_at = await self._turn(lease)
        except asyncio.CancelledError:
            again_at = house.clock() + _AFTER_RESCUE  # whoever cancelled it ends it now
            raise
        except StaleLease:
            house.log("turn.taken_away", conversation=lease.conversation)
        except StoreError as error:
            house.log("turn.store_failed", conversation=lease.conversation, error=str(error))
            again_at = house.clock() + 1.0
        except Exception as error:  # noqa: BLE001 - named boundary: turn
            house.log(
                "turn.failed",
                conversation=lease.conversation,
                attempt=lease.attempt,
                error=type(error).__name__,
                exc_info=True,
            )
            again_at = house.clock() + _RETRY_SECONDS[min(lease.attempt, len(_RETRY_SECONDS)) - 1]
        finally:
            await house.queue.release(lease, again_at=again_at)

    async def _turn(self, lease: Lease) -> float | None:
        house = self._house
        start = await house.store.begin(lease, now=house.clock())
        if start is None:
            return None
        await self._keep(lease)
        start = _resumed(start)
        spent: tuple[Usage, ...] = ()
        for restart in range(MAX_RESTARTS + 1):
            attempt = Attempt(house, start)
            async with at_work(house, start):
                outcome = await attempt.outcome()
            if restart == MAX_RESTARTS or not attempt.may_restart:
                break
            late = await house.store.arrived(lease, after=start.pending[-1].position)
            if not _belongs(start.pending, late):
                break
            spent += outcome.usage
            start = replace(start, pending=start.pending + late, journal=())
        return await self._finish(start, replace(outcome, usage=spent + outcome.usage))

    async def _keep(self, lease: Lease) -> None:
        """Makes the lease outlast the longest turn, so that no turn is taken away while it may still answer."""
        until = self._house.clock() + self._house.notice_within + _LEASE_MARGIN
        if until > lease.expires_at:
            await self._house.queue.extend(lease, until=until)

    async def _finish(self, start: TurnInput, outcome: Outcome) -> float | None:
        """Commits, hands the replies to the outbox; when there is more work, its time."""
        house = self._house
        channel = start.conversation.address.channel
        adapter = house.adapters.get(channel)
        outcome = replace(outcome, replies=tuple(_with_files(house, reply) for reply in outcome.replies))
        if adapter is not None:
            parts = tuple(part for reply in outcome.replies for part in fit(reply, adapter.capabilities))
            outcome = replace(outcome, replies=parts)
        committed = await house.store.commit(start.lease, outcome, now=house.clock())
        house.outbox.push(committed.ready, behind=len(committed.ready) < len(outcome.replies))
        if not outcome.replies:
            consumed = set(outcome.consumed)
            ids = [row.message.id for row in start.pending if row.position in consumed]
            house.waits.nothing_for(channel, ids)
        if outcome.timers:
            house.timers_set()
        return house.clock() if committed.more else None


def _resumed(start: TurnInput) -> TurnInput:
    """A turn that was interrupted in the middle goes on with just the messages that it began with."""
    opening = Journal.opening_of(start.journal)
    if opening is None:
        return start
    known = tuple(row for row in start.pending if row.position in opening.positions)
    return replace(start, pending=known or start.pending)


def _with_files(house: House, reply: Reply) -> Reply:
    """The reply with the digests of files from the bot's own folder."""
    files = tuple(
        replace(file, digest=house.own_files.get(file.ref.removeprefix(OWN_FILE), ""), ref="")
        if file.ref.startswith(OWN_FILE)
        else file
        for file in reply.files
    )
    return replace(reply, files=files) if files else reply


def _overdue(house: House, start: TurnInput) -> bool:
    return house.clock() - start.pending[0].received_at >= house.notice_within


def _belongs(pending: tuple[Inbound, ...], late: tuple[Inbound, ...]) -> bool:
    return bool(late) and len(batch(pending + late)) > len(batch(pending))


class Attempt:
    """One run of the engine over one TurnInput, with its effects."""

    def __init__(self, house: House, start: TurnInput) -> None:
        self._house = house
        self._start = start
        self._journal = Journal(house.store, start.lease, start.journal)
        self._preview = Preview(house, start, self._journal)
        self._oldest = start.pending[0].received_at
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
                outcome = await self._run(replace(moment, unsure=error.detail))
        finally:
            handle = await self._preview.end()
        return replace(outcome, preview=handle)

    def _moment(self) -> Moment:
        now = self._house.clock()
        opening = Journal.opening_of(self._start.journal)
        if opening is None:
            rows = tuple(row.position for row in self._start.pending)
            opening = Opening(now, f"h_{secrets.token_hex(16)}", rows)
        self._journal.open(opening)
        overdue = _overdue(self._house, self._start)
        given_up = overdue or self._start.tries > MAX_ATTEMPTS
        return Moment(
            # a turn that is only ended asks for nothing, so its handoff may count from now, not from before a downtime
            now=now if given_up else opening.now,
            handoff_id=opening.handoff_id,
            attempt=self._start.tries,
            overdue=overdue,
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
        if known is not None:
            return known
        match effect:
            case CallTool():
                return await self._call(effect)
            case AskModel():
                result: Result = await self._ask(effect)
            case Search():
                result = await self._search(effect)
            case Fetch():
                result = await self._fetch(effect.attachment)
        self._journal.note(effect, result)
        return result

    def _left(self) -> float:
        return self._oldest + self._house.answer_within - self._house.clock()

    async def _ask(self, effect: AskModel) -> ModelAnswer | ModelFailed:
        offline = effect.rung == "offline"
        self._waited = self._waited or not offline
        seconds = _OFFLINE_SECONDS if offline else self._left()
        if effect.request.purpose == "summary":
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

    async def _fetch(self, attachment: Attachment) -> Fetched:
        """Keeps the file, if it is of a size and kind that is taken."""
        house = self._house
        self._waited = True
        adapter = house.adapters.get(self._start.conversation.address.channel)
        if adapter is None or not allowed(attachment.media_type, house.file_types):
            return Fetched(attachment, "not_allowed")
        if attachment.size > house.file_size:
            return Fetched(attachment, "too_large")
        try:
            async with asyncio.timeout(max(min(self._left(), _FETCH_SECONDS), 1.0)):
                content = await _content(adapter, attachment, house.file_size)
        except (ChannelError, TimeoutError) as error:
            house.log("file.failed", channel=adapter.name, error=str(error) or "it did not arrive in time")
            return Fetched(attachment, "failed")
        kind = media_type(content, attachment.media_type)
        if not allowed(kind, house.file_types):
            return Fetched(replace(attachment, media_type=kind), "not_allowed")
        digest = await house.files.keep(content)
        return Fetched(replace(attachment, media_type=kind, size=len(content), digest=digest))

    async def _call(self, effect: CallTool) -> ToolResult:
        house, start = self._house, self._start
        self._waited = True
        acts = house.tools.acts(effect.name)
        if acts and self._left() <= 0:
            return ToolResult("There was no time left to begin this action: it was not done.", error="timeout")
        await self._journal.before(effect, acts=acts)
        context = ToolContext(
            conversation=start.conversation.id,
            customer=effect.user,
            channel=start.conversation.address.channel,
            locale=effect.locale or house.script.locale,
            key=f"{start.conversation.id}.{start.lease.sequence}.{self._journal.position}",
            slots=start.states[effect.user.id].slots if effect.user.id in start.states else {},
        )
        result = await house.tools.call(effect.name, effect.arguments, context, seconds=max(self._left(), 1.0))
        await self._journal.after(effect, result, acts=acts)
        return result


async def _content(adapter: Adapter, attachment: Attachment, limit: int) -> bytes:
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
            if not isinstance(content, bytes) or len(content) > limit:
                raise ChannelRefused("the adapter gave what is no content, or more than the limit")
            return content
    raise AssertionError("unreachable")
