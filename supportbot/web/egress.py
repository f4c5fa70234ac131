"""Clients for addresses that somebody else wrote: they reach the public internet and nothing behind it.

Rules:

1. A name is resolved here, once per connection; every address it has is checked, and the connection goes to one of
   exactly these. So a name that changes its address between check and use gains nothing.
2. An address is public only if what it stands for is: addresses that carry another one (IPv4-mapped, 6to4, NAT64)
   are judged by the one inside.
3. No redirect is followed, no proxy or netrc of the environment is used, no URL is logged, and an answer is read up
   to a limit, as it came (never unpacked). TLS name and Host header stay the name.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

import httpcore2
import httpx2

from supportbot.errors import ChannelRefused

MAX_ANSWER = 1_000_000
"""Bytes of an answer's body that are read, unless more is asked for."""

TIMEOUT = httpx2.Timeout(15.0, connect=10.0)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> its addresses as text; raises OSError when there are none."""

_GLOBAL6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_NEVER4 = tuple(
    map(
        IPv4Network,
        # what `is_global` of every supported Python version may still let through
        ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"),
    )
)
_NEVER6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))


def is_public(address: str) -> bool:
    """Whether the address (text, as `getaddrinfo` gives it) lies in the public internet, and nowhere else."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _public4(parsed) if isinstance(parsed, IPv4Address) else _public6(parsed)


def _public4(address: IPv4Address) -> bool:
    if address.is_multicast or not address.is_global:
        return False
    return not any(address in network for network in _NEVER4)


def _public6(address: IPv6Address) -> bool:
    inside = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        inside = IPv4Address(int(address) & 0xFFFFFFFF)
    if inside is not None:
        return _public4(inside)
    if address.scope_id or address not in _GLOBAL6 or not address.is_global:
        return False
    return not any(address in network for network in _NEVER6)


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of the host, in the system's order of preference."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def client(
    allow_private: bool,
    *,
    most: int = MAX_ANSWER,
    resolve: Resolve = resolve,
    hosts: Iterable[str] = (),
    keep: bool = True,
) -> httpx2.AsyncClient:
    """A client that keeps the rules above; `allow_private` is for addresses that the operator wrote, `hosts` are
    addresses (URLs) in their own network that may be reached beside the public ones. Without `keep` each request has a
    connection of its own: one that was kept may be closed by the other side just as it is used, and then nobody knows
    whether the request arrived.

    A request to a private address raises ChannelRefused, and so does an answer of more than `most` bytes. Close the
    client after use.
    """
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx2.AsyncClient(
        transport=_Transport(_Backend(allow_private, resolve, frozenset(map(_end, hosts))), most, keep),
        timeout=TIMEOUT,
        trust_env=False,
        follow_redirects=False,
        headers={"accept-encoding": "identity", "user-agent": "supportbot"},
    )


def _end(url: str) -> tuple[str, int]:
    """(host, port) of a URL."""
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


class _Backend(httpcore2.AsyncNetworkBackend):
    """Connects to checked addresses only."""

    def __init__(self, allow_private: bool, resolve: Resolve, hosts: frozenset[tuple[str, int]]) -> None:
        self._allow_private = allow_private
        self._hosts = hosts
        self._resolve = resolve
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the seam of httpcore2
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first address of `host` that takes one."""
        ends = time.monotonic() + (10.0 if timeout is None else timeout)
        addresses = await self._addresses(host, port, ends)
        for left in range(len(addresses), 1, -1):
            share = max(ends - time.monotonic(), 0.1) / left
            try:
                return await self._inner.connect_tcp(addresses[-left], port, share, None, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        last = max(ends - time.monotonic(), 0.1)
        return await self._inner.connect_tcp(addresses[-1], port, last, None, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the seam of httpcore2
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise ChannelRefused("Unix sockets are no address to send to.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int, ends: float) -> Sequence[str]:
        try:
            async with asyncio.timeout(max(ends - time.monotonic(), 0.1)):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise httpcore2.ConnectTimeout(f"the name {host} could not be resolved in time") from None
        except (OSError, UnicodeError):
            addresses = ()
        if not addresses:
            raise httpcore2.ConnectError(f"the name {host} could not be resolved")
        allowed = self._allow_private or (host.lower().strip("[]"), port) in self._hosts
        if not allowed and not all(map(is_public, addresses)):
            raise ChannelRefused(
                f"{host} is not an address in the public internet, so nothing is sent there; "
                "if this is your own network, write `allow_private: true` beside the URL."
            )
        return addresses


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Reading all certificates takes a tenth of a second; once is enough."""
    return httpx2.create_ssl_context()


class _Transport(httpx2.AsyncHTTPTransport):
    """The library's transport over our backend. Should its inner name `_pool` change, every request fails: closed."""

    def __init__(self, backend: httpcore2.AsyncNetworkBackend, most: int, keep: bool) -> None:
        self._most = most
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_trusted(),
            max_connections=100,
            max_keepalive_connections=20 if keep else 0,
            keepalive_expiry=5.0,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        # Nothing compressed was asked for; unpacking an answer of a few bytes could fill the memory.
        response.headers.pop("content-encoding", None)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Capped(response.stream, request.url.host, self._most)
        return response


class _Capped(httpx2.AsyncByteStream):
    """A body that ends with ChannelRefused when it is longer than `most` bytes."""

    def __init__(self, inner: httpx2.AsyncByteStream, host: str, most: int) -> None:
        self._inner = inner
        self._most = most
        self._host = host

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._inner:
            size += len(piece)
            if size > self._most:
                raise ChannelRefused(
                    f"{self._host} sent an answer of more than {self._most:,} bytes; the rest was not read."
                )
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
