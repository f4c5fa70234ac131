"""A proxy in front of the server is believed who a caller is if it was named, and nobody else is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from supportbot.web import server

CLAIMS = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}


async def _caller(request: Request) -> Response:
    assert request.client is not None
    return JSONResponse([request.client.host, request.url.scheme])


async def told(proxies: Sequence[str], headers: Mapping[str, str]) -> list[str]:
    """(address, scheme) of a caller from 127.0.0.1, as the application sees it."""
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        server.serve(
            Starlette(routes=[Route("/", _caller)]),
            "127.0.0.1",
            0,
            started=lambda _, number: port.set_result(number),
            stop=stop,
            proxies=proxies,
        )
    )
    try:
        async with httpx2.AsyncClient(trust_env=False) as client:
            found: list[str] = (await client.get(f"http://127.0.0.1:{await port}/", headers=headers)).json()
            return found
    finally:
        stop.set()
        await serving


@pytest.mark.parametrize("proxies", [(), ("127.0.0.2",), ("10.0.0.0/8", "::1", "2001:db8::/32")])
async def test_what_somebody_says_of_themselves_is_not_believed(proxies: Sequence[str]) -> None:
    assert await told(proxies, CLAIMS) == ["127.0.0.1", "http"]


@pytest.mark.parametrize("proxies", [("127.0.0.1",), ("10.0.0.0/8", "127.0.0.0/8")])
async def test_a_named_proxy_is_believed(proxies: Sequence[str]) -> None:
    assert await told(proxies, CLAIMS) == ["203.0.113.7", "https"]
    assert await told(proxies, {}) == ["127.0.0.1", "http"]


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("1.2.3.4, 203.0.113.7", "203.0.113.7"),  # what the caller claims stands to the left
        ("1.2.3.4, 203.0.113.7, 127.0.0.9", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("", "127.0.0.1"),
    ],
)
async def test_of_many_addresses_the_last_one_that_is_no_proxy_counts(forwarded: str, address: str) -> None:
    assert (await told(("127.0.0.0/8",), {"X-Forwarded-For": forwarded}))[0] == address


@pytest.mark.parametrize(
    ("proxy", "forms"),
    [
        ("10.0.0.0/8", ("10.0.0.0/8", "::ffff:10.0.0.0/104")),
        ("10.0.0.1", ("10.0.0.1/32", "::ffff:10.0.0.1/128")),
        ("2001:db8::/32", ("2001:db8::/32",)),
    ],
)
def test_a_proxy_is_known_on_a_socket_for_both_kinds_of_addresses(proxy: str, forms: tuple[str, ...]) -> None:
    assert server._forms(proxy) == forms
