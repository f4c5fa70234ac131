"""The composition root: opens every room, runs the loops, closes in the right order.

Closing: channels stop taking messages, running turns finish, the outbox sends what is in flight, then the store
closes. Whatever does not finish in its time is found again at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from supportbot import assembly, console, deskroom, identity, logs
from supportbot.changes import Changes
from supportbot.clockwork import Clockwork
from supportbot.config import BotFiles, load
from supportbot.console.room import MOST_FILES, Room
from supportbot.engine import Script
from supportbot.errors import ChannelRefused, StoreError
from supportbot.files import FileStore
from supportbot.house import House
from supportbot.jobs import Jobs
from supportbot.outbox import Outbox, Sender
from supportbot.protocols import Adapter, ChannelContext, Model
from supportbot.queues.local import LocalQueue
from supportbot.stores import SqliteStore
from supportbot.stores.migrations import behind
from supportbot.toolroom import ToolRoom
from supportbot.types import Act, Address, Capabilities, Message, Outcome, Outgoing, Receipt
from supportbot.types.console import Account, AccountChange
from supportbot.waits import Wait, Waits
from supportbot.web import control, egress
from supportbot.webhooks import RETRY_DELAYS, SignedEndpoint, outgoing_object
from supportbot.worker import Worker

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute

NOTIFY = "@notify"
_LONGEST_ASIDE = 65_536
_FORM = 1_000_000
"""Bytes of a form beside its files."""


class Notifier:
    """Posts every handoff, from any channel, to `handoff.notify_url`."""

    capabilities = Capabilities(events=True, retry_delays=RETRY_DELAYS)

    def __init__(self, url: str, secret: str, *, allow_private: bool) -> None:
        self._client = egress.client(allow_private)
        self._endpoint = SignedEndpoint(url, secret, self._client)

    def pace(self, address: Address) -> float:
        return 0.0

    async def send(self, outgoing: Outgoing) -> str:
        await self._endpoint.post(outgoing.id, outgoing_object(outgoing))
        return ""

    async def close(self) -> None:
        await self._client.aclose()


class Bot:
    """One bot. `async with bot:` opens it; then it answers what its channels and `receive` bring.

    `model` replaces the configured one ("offline" for none), `database` the configured file; `channels` are adapters
    beside the configured ones (`only_channels` leaves those out), as the terminal is, `routes` further pages on the one
    port.
    """

    drain_turns = 9.0
    """Seconds that running turns have to finish when the bot closes; what does not is answered after the restart."""
    drain_outbox = 4.0

    def __init__(
        self,
        files: BotFiles,
        *,
        model: Model | str | None = None,
        database: Path | None = None,
        channels: Mapping[str, Adapter] | None = None,
        only_channels: bool = False,
        routes: Sequence[BaseRoute] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.files = files
        self.database = database or assembly.database(files)
        self._clock = clock
        self._routes = tuple(routes)
        self._log = logs.get("supportbot").info
        configured = {} if only_channels else assembly.adapters(files)
        self.adapters: dict[str, Adapter] = {**configured, **(channels or {})}
        self.changes = Changes()
        self.desks = deskroom.desks(files, self.adapters, self.changes)
        self._terms = deskroom.terms(files, self.adapters)
        self._articles = assembly.articles(files)
        self._model = self._chosen(model)
        self._tools = ToolRoom(files, self._log, model=self._model is not None)
        self._notifier = self._make_notifier()
        self._kept = FileStore(self.database.with_name("files"))
        self._waits = Waits()
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._opened = contextlib.AsyncExitStack()
        self._proofs = identity.Proofs(files.config.identity)

    @classmethod
    def from_config(
        cls, path: str | Path = "config.yaml", *, env: Mapping[str, str] | None = None, **options: Any
    ) -> Self:
        """Reads and checks the files; opens nothing yet. ConfigError and UsageError say what to mend."""
        return cls(load(Path(path), env=os.environ if env is None else env), **options)

    def now(self) -> float:
        """Seconds since the epoch, by the clock of the house."""
        return self._clock()

    @property
    def has_model(self) -> bool:
        return self._model is not None

    def _chosen(self, model: Model | str | None) -> Model | None:
        if model == "offline":
            return None
        if model is None:
            return assembly.model(self.files, lambda text: self._log("model.notice", notice=text))
        assert not isinstance(model, str)
        return model

    def _make_notifier(self) -> Notifier | None:
        handoff = self.files.config.handoff
        if handoff.notify_url is None or handoff.notify_secret is None:
            return None
        return Notifier(
            handoff.notify_url, handoff.notify_secret.get_secret_value(), allow_private=handoff.allow_private
        )

    # opening and closing

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Takes the database, starts the channels and the loops. Raises StoreBusy, StoreNewer, StoreFull.

        What was opened before an error is closed again.
        """
        async with contextlib.AsyncExitStack() as opened:
            await self._open(opened)
            self._opened = opened.pop_all()

    async def close(self) -> None:
        await self._opened.aclose()

    async def _open(self, opened: contextlib.AsyncExitStack) -> None:
        """Opens room by room; they close in the opposite order, also when one of them fails at it."""
        if self._model is not None:
            opened.push_async_callback(self._model.close)
        self.store, self.queue = self._rooms()
        if old := await asyncio.to_thread(behind, self.database):
            self._log("store.migrating", migrations=old)
        await self.store.open()
        opened.push_async_callback(self.store.close)
        opened.push_async_callback(self.queue.close)
        await asyncio.to_thread(assembly.warm, self.files, with_model=self.has_model)
        senders: dict[str, Sender] = dict(self.adapters)
        senders |= {deskroom.CHANNEL + name: desk for name, desk in self.desks.items()}
        if self._notifier is not None:
            senders[NOTIFY] = self._notifier
            opened.push_async_callback(self._notifier.close)
        self._own_files = await self._keep_own_files()
        opened.push_async_callback(self._tools.close)
        await self._tools.open(self._tools_changed)
        self.outbox = Outbox(self.store, senders, self._waits, clock=self._clock, log=self._log)
        self.house = self._house()
        await self.queue.restore(await self.store.pending())
        self.worker = Worker(self.house, slots=self.files.config.limits.workers)
        context = self._context()
        for adapter in self.adapters.values():
            opened.push_async_callback(adapter.stop)
            await adapter.start(context)
        opened.push_async_callback(self._drain)
        self.jobs = Jobs(self.house, self.receive)
        keep = self.files.config.privacy.keep_finished, self.files.config.attachments.keep
        clockwork = Clockwork(self.house, self.worker, keep_finished=keep[0], keep_files=keep[1])
        loops = {"outbox": self.outbox.run(), "worker": self.worker.run(), "jobs": self.jobs.run()}
        loops |= clockwork.loops()
        self._loops = {name: asyncio.create_task(loop, name=name) for name, loop in loops.items()}

    async def _keep_own_files(self) -> Mapping[str, str]:
        contents = assembly.own_files(self.files)
        return {path: await self._kept.keep(content) for path, content in contents.items()}

    def _context(self) -> ChannelContext:
        config = self.files.config
        return ChannelContext(
            self,
            egress.client,
            self._log,
            self._kept,
            self,
            lambda channel: self.store.shelf(channel, clock=self._clock),
            lambda proof: self._proofs.identity(proof, now=self._clock(), log=self._log),
            typing=self._typing,
            bot_name=config.bot.name,
            locale=config.bot.locale,
            menu=assembly.menu(self.files),
            public_url=(config.web.public_url or "").rstrip("/"),
        )

    async def _drain(self) -> None:
        """No more turns are begun; what runs finishes, what is ready is sent."""
        for loop in self._loops.values():
            loop.cancel()
        await asyncio.gather(*self._loops.values(), return_exceptions=True)
        await asyncio.gather(self.worker.drain(self.drain_turns), self.jobs.drain(self.drain_turns))
        await self.outbox.drain(self.drain_outbox)

    def _rooms(self) -> tuple[SqliteStore, LocalQueue]:
        queue = LocalQueue(clock=self._clock)
        events = {name for name, adapter in self.adapters.items() if adapter.capabilities.events}
        store = SqliteStore(
            self.database,
            enqueue=queue.enqueue,
            events=events,
            notify=self._notifier is not None,
            committed=self._committed,
        )
        queue.attach(store)
        return store, queue

    def _committed(self, conversation: str, outcome: Outcome) -> None:
        """Pages that show the conversation, or the line, look again."""
        self.changes.tell(f"c:{conversation}")
        if outcome.handoff is not None or outcome.posts:
            self.changes.tell("queue")

    def _house(self) -> House:
        limits = self.files.config.limits
        return House(
            store=self.store,
            queue=self.queue,
            outbox=self.outbox,
            waits=self._waits,
            adapters=self.adapters,
            desks=self.desks,
            model=self._model or assembly.offline(),
            offline=assembly.offline(),
            knowledge=self._articles,
            tools=self._tools.box,
            files=self._kept,
            own_files=self._own_files,
            script=self._script(),
            clock=self._clock,
            log=self._log,
            file_size=self.files.config.attachments.max_size,
            file_types=self.files.config.attachments.types,
            answer_within=limits.turn_deadline,
            notice_within=limits.answer_deadline,
        )

    def _script(self) -> Script:
        return assembly.script(self.files, self._tools.box, self._articles, self._terms, has_model=self.has_model)

    def _tools_changed(self) -> None:
        """An MCP server has come, or offers other tools now; turns that run go on with what they have."""
        if hasattr(self, "house"):
            self.house.script = self._script()

    # the inbox, as adapters see it

    async def receive(self, message: Message, *, entry: Mapping[str, Any] | None = None) -> Receipt:
        """Stores a message durably; its answer goes out by its channel."""
        message = self._proofs.checked(message, now=self._clock(), log=self._log)
        adapter = self.adapters.get(message.address.channel)
        if adapter is None:
            raise ChannelRefused(f"there is no channel {message.address.channel!r}")
        now = self._clock()
        talk = message.kind in ("message", "message.edited", "message.deleted", "event")
        wait = 0.0 if not talk else self._burst_wait(message.address.channel, adapter)
        receipt = await self.store.receive(message, now=now, ready_at=now + wait, entry=entry)
        self.changes.tell(f"c:{receipt.conversation}")
        return receipt

    def wait_for(self, message: Message) -> Wait:
        return self._waits.wait_for(message)

    async def answers(self, message: Message) -> tuple[Outgoing, ...]:
        return await self.store.replies_to(message.address.channel, message.id)

    async def customer(self, address: Address) -> str:
        found = await self.store.find(address.channel, address.chat, address.thread)
        return found.customer.id if found is not None else ""

    async def set_aside(self, channel: str, id: str, content: str, reason: str) -> None:
        self._log("channel.set_aside", channel=channel, id=id, reason=reason)
        await self.store.set_aside(channel, id, content[:_LONGEST_ASIDE], reason[:500], now=self._clock())

    async def act(self, desk: str, act: Act) -> bool:
        """Stores what a human agent did at a desk, as a message to the customer's conversation; see `DeskInbox`."""
        message = await deskroom.message(self.store, desk, act)
        if message is None:
            return False
        await self.receive(message)
        return True

    def _burst_wait(self, name: str, adapter: Adapter) -> float:
        settings = self.files.config.channels.get(name)
        configured = settings.burst_wait if settings is not None else None
        return adapter.capabilities.burst_wait if configured is None else configured

    async def _typing(self, address: Address) -> None:
        found = await self.store.find(address.channel, address.chat, address.thread)
        if found is not None:
            self.changes.tell(f"typing:{found.id}")

    # the web

    def app(self) -> Starlette:
        """The HTTP application of the one port."""
        from supportbot.web.app import build

        routes = [route for adapter in self.adapters.values() for route in adapter.routes()]
        routes += [*self._console(), *self._routes]
        larger = {path: most for adapter in self.adapters.values() for path, most in adapter.body_limits.items()}
        larger[f"{console.PATH}/c/"] = self.files.config.attachments.max_size * MOST_FILES + _FORM
        limit = self.files.config.web.body_limit
        return build(
            routes, ready=self.ready, body_limit=limit, larger=larger, pages={console.PATH: console.problem}
        )

    def _console(self) -> Sequence[BaseRoute]:
        config = self.files.config
        if not config.console.enabled:
            return ()
        room = Room(
            store=self.store,
            receive=self.receive,
            files=self._kept,
            config=config,
            clock=self._clock,
            log=self._log,
            changes=self.changes,
            adapters=self.adapters,
            desks=self.desks,
            http=egress.client,
            public_url=(config.web.public_url or "").rstrip("/"),
            bot_name=config.bot.name,
            sensitive=self.files.flows.sensitive,
        )
        return console.routes(room)

    async def ready(self) -> Mapping[str, str]:
        """Each part that must work, with "ok" or what is wrong."""
        try:
            async with asyncio.timeout(2):
                await self.store.next_timer()
        except (StoreError, TimeoutError) as error:
            return {"store": str(error) or "the store does not answer", "config": "ok"}
        stopped = [name for name, loop in self._loops.items() if loop.done()]
        loops = f"{', '.join(stopped)} stopped: restart the server" if stopped else "ok"
        return {"store": "ok", "migrations": "ok", "config": "ok", "loops": loops}

    async def serve(
        self,
        host: str,
        port: int,
        *,
        stop: asyncio.Event,
        started: Callable[[str, int], None] = lambda host, port: None,
    ) -> None:
        """Answers over HTTP until `stop` is set, then drains. Call it inside `async with bot`."""
        from supportbot.web.server import serve

        async with control.listening(self.database.with_suffix(".sock"), self, self._change_account):
            closing = asyncio.create_task(self._closing(stop))
            try:
                proxies = self.files.config.web.proxies
                await serve(self.app(), host, port, started=started, stop=stop, proxies=proxies)
            finally:
                closing.cancel()

    async def _change_account(self, change: AccountChange) -> Account:
        return await self.store.console.apply(change, now=self._clock())

    async def _closing(self, stop: asyncio.Event) -> None:
        """Streams would hold the server up: they end first."""
        await stop.wait()
        self.changes.close()
        for adapter in self.adapters.values():
            adapter.closing()
