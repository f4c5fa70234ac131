"""What open pages of the web chat cost: memory, descriptors and CPU of each stream, and how soon a page has what is new.

    python benchmarks/streams.py [--streams 500]

A real `supportbot serve` with durable commits; each page is a socket with a session of its own. Memory stands beside
that of the same number of connections that are only kept open, latency beside the answer that a message is stored; quote
the ratios, machines are noisy. At the end all pages leave, and what the server gives back is measured too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from wires import free_port

MOST = 1_000
AT_ONCE = 25
IDLE_SECONDS = 15.0
ALONE = 200
_ENTRY = re.compile(rb'"key":"([^"]*)".*?"from":"(customer|bot)"')
_FLOW = """
flow: ping
description: Answers at once.
start: [{command: /ping}]
steps:
  - say: {en: "There you are."}
"""


@dataclass
class Server:
    """A running `supportbot serve` that has nothing but a web chat."""

    port: int
    process: psutil.Process

    def size(self) -> tuple[int, int]:
        """(bytes that are its own, descriptors)."""
        return int(self.process.memory_full_info().uss), self.process.num_fds()

    def cpu(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[Server]:
    port = free_port()
    for name in ("prompts", "flows"):
        (folder / name).mkdir(parents=True)
    (folder / "flows" / "ping.yaml").write_text(_FLOW)
    (folder / "prompts" / "persona.yaml").write_text("name: Mia\nrole: support\ntone: brief\nlanguages: [en]\n")
    config = {
        "bot": {"name": "Bench", "persona": "prompts/persona.yaml", "flows": "flows"},
        "channels": {"web": {"type": "web", "rate": 100_000, "streams": MOST, "burst_wait": "0s"}},
        # each page comes from an address of its own, as the load balancer of this bench says
        "web": {"port": port, "proxies": ["127.0.0.1"]},
        "logging": {"level": "warning", "format": "json"},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "supportbot", "serve", "--config", str(folder / "config.yaml")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(1_000):
            with contextlib.suppress(OSError):
                if (await ask(port, "GET", "/readyz"))[0] == 200:
                    break
            await asyncio.sleep(0.02)
        yield Server(port, psutil.Process(process.pid))
    finally:
        began = time.perf_counter()
        process.terminate()
        process.wait(30)
        print(f"{'stopped by SIGTERM within':<44} {time.perf_counter() - began:8.2f} s")


def head(method: str, path: str, length: int = 0, **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {length}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


async def ask(port: int, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    """One request on a connection of its own: (status, body)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        content = b"" if body is None else json.dumps(body).encode()
        writer.write(head(method, path, len(content), connection="close", **headers) + content)
        answer = await reader.read()
    finally:
        writer.close()
    top, _, rest = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), rest


@dataclass(eq=False)
class Page:
    """One page with its stream; `arrived` has when each entry came: (whose, key) -> time."""

    number: int
    token: str
    arrived: dict[tuple[str, str], float] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    writer: asyncio.StreamWriter | None = None

    async def read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            if line.startswith(b"event: ready"):
                self.ready.set()
            if found := _ENTRY.search(line):
                self.arrived.setdefault((found[2].decode(), found[1].decode()), time.perf_counter())
                self.news.set()

    async def until(self, whose: str, key: str = "") -> float:
        """When this entry came, any if no key is given."""
        async with asyncio.timeout(30):
            while True:
                for (who, which), at in self.arrived.items():
                    if who == whose and key in ("", which):
                        return at
                self.news.clear()
                await self.news.wait()


async def limited(count: int, make: object, at_once: int = AT_ONCE) -> list[object]:
    """The results of `make(0)` to `make(count - 1)`, so many at the same time."""
    places = asyncio.Semaphore(at_once)

    async def one(number: int) -> object:
        async with places:
            return await make(number)  # type: ignore[operator]

    return await asyncio.gather(*(one(number) for number in range(count)))


async def opened(port: int, number: int, tasks: set[asyncio.Task[None]]) -> Page:
    """A page with a session and a stream."""
    address = {"x-forwarded-for": f"10.0.{number // 250}.{number % 250}"}
    status, body = await ask(port, "POST", "/chat/sessions", {}, **address)
    assert status == 201, (status, body)
    page = Page(number, json.loads(body)["token"])
    reader, page.writer = await asyncio.open_connection("127.0.0.1", port)
    headers = {"authorization": f"Bearer {page.token}", "last-event-id": "0", **address}
    page.writer.write(head("GET", "/chat/events", **headers))
    tasks.add(asyncio.create_task(page.read(reader)))
    async with asyncio.timeout(30):
        await page.ready.wait()
    return page


@dataclass
class Told:
    """Seconds from the sending of a message."""

    stored: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)


async def say(port: int, page: Page, told: Told) -> None:
    id = secrets.token_hex(16)
    page.arrived.clear()
    began = time.perf_counter()
    status, body = await ask(
        port,
        "POST",
        "/chat/messages",
        {"id": id, "text": "/ping"},
        authorization=f"Bearer {page.token}",
    )
    assert status == 202, (status, body)
    told.stored.append(time.perf_counter() - began)
    told.shown.append(await page.until("customer", id) - began)
    told.answered.append(await page.until("bot") - began)


def spread(name: str, seconds: Sequence[float], base: Sequence[float] = ()) -> None:
    ordered = sorted(seconds)
    middle, last = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    ratio = f"   {middle / statistics.median(base):.2f} × the 202" if base else ""
    print(f"{name:<44} p50 {middle * 1000:7.1f} ms   p99 {last * 1000:7.1f} ms{ratio}")


def told_of(what: str, told: Told) -> None:
    spread(f"{what}: stored (202)", told.stored)
    spread(f"{what}: own message at the page", told.shown, told.stored)
    spread(f"{what}: the bot's answer at the page", told.answered, told.stored)


async def idle(server: Server, seconds: float) -> float:
    """CPU seconds per second while nobody does anything."""
    before = server.cpu()
    await asyncio.sleep(seconds)
    return (server.cpu() - before) / seconds


async def kept_open(folder: Path, count: int) -> tuple[float, float]:
    """(bytes, descriptors) of a connection that was answered once and is only kept open."""
    async with server(folder) as one:
        before = one.size()
        writers = []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.write(head("GET", "/healthz"))
            await reader.readuntil(b"}")
            writers.append(writer)
        after = one.size()
        for writer in writers:
            writer.close()
    return (after[0] - before[0]) / count, (after[1] - before[1]) / count


async def streams(folder: Path, count: int, bare: tuple[float, float]) -> None:
    async with server(folder) as one:
        await ask(one.port, "POST", "/chat/sessions", {})
        before, quiet = one.size(), await idle(one, 5)
        tasks: set[asyncio.Task[None]] = set()
        began = time.perf_counter()
        pages: list[Page] = await limited(count, lambda number: opened(one.port, number, tasks))  # type: ignore[assignment]
        took = time.perf_counter() - began
        open_ = one.size()
        each = (open_[0] - before[0]) / count, (open_[1] - before[1]) / count
        print(f"{'an idle server':<44} {before[0] / 1e6:8.1f} MB   {before[1]} descriptors")
        print(
            f"{f'with {count} streams':<44} {open_[0] / 1e6:8.1f} MB   {open_[1]} descriptors   opened in {took:.1f} s"
        )
        print(f"{'a connection only kept open':<44} {bare[0] / 1e3:8.1f} kB   {bare[1]:.2f} descriptors")
        print(
            f"{'a stream':<44} {each[0] / 1e3:8.1f} kB   {each[1]:.2f} descriptors   {each[0] / bare[0]:.1f} × bare"
        )
        print(
            f"{'CPU while idle, without and with streams':<44} {quiet:8.2%}   {await idle(one, IDLE_SECONDS):.2%}"
        )
        alone = Told()
        for _ in range(ALONE):
            await say(one.port, pages[0], alone)
        told_of("one chat, the others idle", alone)
        every = Told()
        await limited(count, lambda number: say(one.port, pages[number], every))
        told_of(f"{count} chats, {AT_ONCE} at once", every)
        busy = one.size()
        for page in pages:
            assert page.writer is not None
            page.writer.close()
        await asyncio.wait(tasks, timeout=10)
        await asyncio.sleep(1)
        left = one.size()
        print(f"{'after the messages':<44} {busy[0] / 1e6:8.1f} MB   {busy[1]} descriptors")
        print(f"{'after all pages left':<44} {left[0] / 1e6:8.1f} MB   {left[1]} descriptors")
        again: set[asyncio.Task[None]] = set()
        second: list[Page] = await limited(count, lambda number: opened(one.port, number, again))  # type: ignore[assignment]
        print(
            f"{f'with {count} streams once more':<44} {one.size()[0] / 1e6:8.1f} MB   {one.size()[1]} descriptors"
        )
        assert left[1] <= before[1] + 5, "descriptors were not given back"
        # and the server is stopped with all of them open
        assert all(page.ready.is_set() for page in second)
    _, pending = await asyncio.wait(again, timeout=10)
    assert not pending, "streams outlived the server"
    for page in second:
        assert page.writer is not None
        page.writer.close()


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bare = await kept_open(Path(folder) / "bare", count)
        await streams(Path(folder) / "streams", count, bare)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    asked = parser.parse_args()
    if not 1 <= asked.streams <= MOST:
        raise SystemExit(f"--streams must be from 1 to {MOST}")
    asyncio.run(main(asked.streams))
