"""Which addresses are public, and that a client connects to nothing else."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import httpx2
import pytest

from supportbot.errors import ChannelRefused
from supportbot.web import egress

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "93.184.215.14",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
]
PUBLIC += ["64:ff9b::808:808", "2002:0808:0808::1"]
PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255", "192.0.0.8", "192.0.0.192", "198.18.0.1", "192.0.2.1", "203.0.113.9"),
    *("192.88.99.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:7f00:1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::", "2002:a9fe:a9fe::"),
    *("2001::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1", "4000::1", "", "localhost", "8.8.8.8.8", "0x7f.1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert egress.is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_any_other_kind_is_not(address: str) -> None:
    assert not egress.is_public(address)


class Names:
    """A resolver with scripted answers; `asked` counts. The last answer stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def listener(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on 127.0.0.1 that gives everybody the same bytes; its port and the requests it saw."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(65_536))
        writer.write(answer)
        with suppress(OSError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()
        await server.wait_closed()


def response(body: bytes, *headers: str) -> bytes:
    head = ["HTTP/1.1 200 OK", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


async def test_a_private_address_is_never_connected_to() -> None:
    async with listener(response(b"secret")) as (port, seen), egress.client(False) as client:
        for host in (
            "127.0.0.1",
            "localhost",
            "127.1",
            "2130706433",
            "0x7f000001",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
        ):
            with pytest.raises((ChannelRefused, httpx2.ConnectError)) as caught:
                await client.get(f"http://{host}:{port}/")
            assert isinstance(caught.value, ChannelRefused) or host in ("127.1", "2130706433", "0x7f000001")
        assert seen == []


async def test_the_refusal_names_the_host_and_the_key_that_allows_it() -> None:
    async with egress.client(False, resolve=Names(["10.0.0.7"])) as client:
        with pytest.raises(ChannelRefused, match=r"hook\.example is not .*`allow_private: true`"):
            await client.get("http://hook.example/path?token=abc")


async def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    async with egress.client(False, resolve=Names(["8.8.8.8", "127.0.0.1"])) as client:
        with pytest.raises(ChannelRefused):
            await client.get("http://mixed.example/")


async def test_a_name_that_changes_its_address_after_the_check_gains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The public check is told that 127.0.0.1 is public, so that a real connection shows where it goes."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr(egress, "is_public", lambda address: address == "127.0.0.1")
    async with listener(response(b"ok")) as (port, _), egress.client(False, resolve=names) as client:
        assert (await client.get(f"http://rebind.example:{port}/")).text == "ok"
        assert names.asked == 1
        with pytest.raises(ChannelRefused):
            await client.get(f"http://rebind.example:{port}/")
        assert names.asked == 2


async def test_an_operators_private_address_is_reached_under_its_name() -> None:
    async with (
        listener(response(b"ok")) as (port, seen),
        egress.client(True, resolve=Names(["127.0.0.1"])) as client,
    ):
        assert (await client.get(f"http://desk.internal:{port}/in")).text == "ok"
        assert f"host: desk.internal:{port}".encode() in seen[0].lower()


async def test_tls_greets_the_server_by_name_and_not_by_address() -> None:
    async with listener(b"") as (port, seen), egress.client(True, resolve=Names(["127.0.0.1"])) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"https://desk.internal:{port}/in")
        assert b"desk.internal" in seen[0]


async def test_the_next_address_is_tried_when_the_first_does_not_answer() -> None:
    names = Names(["127.0.0.9", "127.0.0.1"])
    async with listener(response(b"ok")) as (port, _), egress.client(True, resolve=names) as client:
        assert (await client.get(f"http://desk.internal:{port}/")).text == "ok"


async def test_a_name_that_does_not_resolve_is_a_connection_error() -> None:
    async def nothing(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    async with egress.client(False, resolve=nothing) as client:
        with pytest.raises(httpx2.ConnectError, match="could not be resolved"):
            await client.get("http://nowhere.example/")


async def test_redirects_are_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
    async with listener(moved) as (port, seen), egress.client(True) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 302
        assert len(seen) == 1


async def test_an_answer_is_read_up_to_a_megabyte() -> None:
    async with listener(response(b"x" * 1_000_000)) as (port, _), egress.client(True) as client:
        assert len((await client.get(f"http://127.0.0.1:{port}/")).content) == 1_000_000
    async with listener(response(b"x" * 1_000_001)) as (port, _), egress.client(True) as client:
        with pytest.raises(ChannelRefused, match=r"1,000,000 bytes"):
            await client.get(f"http://127.0.0.1:{port}/")


async def test_a_compressed_bomb_stays_compressed() -> None:
    packed = gzip.compress(b"\0" * 50_000_000)
    async with (
        listener(response(packed, "content-encoding: gzip")) as (port, seen),
        egress.client(True) as client,
    ):
        assert (await client.get(f"http://127.0.0.1:{port}/")).content == packed
        assert b"accept-encoding: identity" in seen[0].lower()


async def test_proxies_and_netrc_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with listener(response(b"direct")) as (port, _), egress.client(True) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).text == "direct"


async def test_no_url_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("httpx2").setLevel(logging.NOTSET)
    with caplog.at_level(logging.DEBUG):
        async with listener(response(b"ok")) as (port, _), egress.client(True) as client:
            await client.get(f"http://127.0.0.1:{port}/?token=abcdef")
    assert "abcdef" not in caplog.text
