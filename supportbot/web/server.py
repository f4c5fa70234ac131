"""uvicorn, as the house wants it: one port, no access log, no signals of its own, a bounded end.

Rules:

1. A connection that never finishes its request head is closed: after HEAD_SECONDS, or at HEAD_LIMIT bytes.
2. Who calls is the peer of the connection; a proxy in front is believed who it is only if it is one of `proxies`.
3. When `stop` is set, no new connection is taken, what has begun may end within `grace` seconds, then it is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Callable, Generator, Sequence

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from supportbot.errors import UsageError

GRACE = 8.0
HEAD_SECONDS = 20.0
HEAD_LIMIT = 65_536


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    started: Callable[[str, int], None],
    stop: asyncio.Event,
    grace: float = GRACE,
    proxies: Sequence[str] = (),
) -> None:
    """Serves until `stop` is set and what had begun has ended (at most `grace` seconds more).

    `proxies` are addresses and networks whose X-Forwarded-For and X-Forwarded-Proto headers are believed.
    `started(host, port)` is called once connections are taken, with the port in use (0 asks for any free one).
    Raises UsageError when the address cannot be had.
    """
    bound = _bind(host, port)
    name = bound.getsockname()
    await serve_on(app, bound, started=lambda: started(host, name[1]), stop=stop, grace=grace, proxies=proxies)


async def serve_on(
    app: ASGIApp,
    bound: socket.socket,
    *,
    started: Callable[[], None],
    stop: asyncio.Event,
    grace: float = GRACE,
    proxies: Sequence[str] = (),
) -> None:
    """The same on a bound socket, which is closed in the end."""
    server = _Server(_config(app, grace, proxies))
    running = asyncio.create_task(server.serve(sockets=[bound]))
    up = asyncio.create_task(server.up.wait())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((running, up), return_when=asyncio.FIRST_COMPLETED)
        if up.done():
            started()
        await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        up.cancel()
        stopping.cancel()
        server.end()
        try:
            await asyncio.shield(running)
        finally:
            await server.abandon()
            bound.close()


def _config(app: ASGIApp, grace: float, proxies: Sequence[str]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=[form for proxy in proxies for form in _forms(proxy)],
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(int(grace), 1),
    )


def _forms(proxy: str) -> Sequence[str]:
    """The network, and how a socket for IPv6 and IPv4 shows the callers in it."""
    network = ipaddress.ip_network(proxy)
    if isinstance(network, ipaddress.IPv6Network):
        return (str(network),)
    return (str(network), f"::ffff:{network.network_address}/{96 + network.prefixlen}")


def _bind(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:  # the system would silently take another one
        raise UsageError(f"There is no port {port}; choose one from 1 to 65535 with --port, or 0 for any.")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise UsageError(
            f"The host {host!r} and port {port} are no address of this machine; check --host."
        ) from None
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(2048)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise UsageError(_cannot_bind(error, host, port)) from None
    return bound


def _cannot_bind(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use by another program; choose another with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has; choose one above 1023 with --port."
    return f"Port {port} on {host} cannot be opened; choose others with --host and --port."


class _Server(uvicorn.Server):
    """Leaves signals to the caller, and leaves nothing behind. `up` is set once connections are taken."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self._end = asyncio.Event()

    def end(self) -> None:
        """Begins the shutdown."""
        self.should_exit = True
        self._end.set()

    async def main_loop(self) -> None:
        """Keeps the Date header fresh, and ends at once when told."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._end.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def abandon(self) -> None:
        """Waits for cancelled requests to let go, then closes what connections remain."""
        if tasks := set(self.server_state.tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=2.0)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)


class _Protocol(HttpToolsProtocol):
    """Bounds the request head in time and size, which the parser does not."""

    _head: asyncio.TimerHandle | None = None
    _head_size = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the parent has it
        super().connection_made(transport)
        self._head = self.loop.call_later(HEAD_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if self._in_head and self._head_size > HEAD_LIMIT:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self._in_head, self._head_size = True, 0
        if self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS, self.transport.abort)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unset_head_timer()
        super().on_headers_complete()

    def _unset_head_timer(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """For `asyncio.Runner(loop_factory=…)`: uvloop's loop."""
    import uvloop

    return uvloop.new_event_loop
