"""What a turn costs: turns per second, CPU, added latency, growth with history, bytes, memory, start-up.

    python benchmarks/turns.py [--turns 3000]

Every figure stands beside floors measured in the same run; quote the ratios, machines are noisy. The server is a real
`supportbot serve` with durable commits; the model answers at once (or after 300 ms for the latency).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import psutil
from wires import ANSWER, QUESTION, SECRET, Callbacks, Sent, free_port, send, signed_request

from supportbot.queues.local import LocalQueue
from supportbot.stores import SqliteStore
from supportbot.types import Address, ChatMessage, Lease, Message, Outcome, User

HERE = Path(__file__).parent
CONCURRENCY = 64


class Server:
    """One running `supportbot serve` with a model of its own."""

    def __init__(self, folder: Path, model_port: int, callback_port: int = 0) -> None:
        self.folder = folder
        self.port = free_port()
        self.started = 0.0
        self._env = {
            **os.environ,
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1",
        }
        self._write(callback_port)

    def _write(self, callback_port: int) -> None:
        for name in ("prompts", "flows"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        persona = (
            "name: Mia\nrole: customer support at Acme Home\ntone: warm, brief and concrete\nlanguages: [en]\n"
        )
        (self.folder / "prompts" / "persona.yaml").write_text(persona)
        desk: dict[str, Any] = {"type": "webhook", "secrets": [SECRET], "allow_private": True}
        if callback_port:
            desk["callback_url"] = f"http://127.0.0.1:{callback_port}/"
        config = {
            "bot": {"name": "Bench", "persona": "prompts/persona.yaml", "flows": "flows"},
            "channels": {"desk": desk},
            "limits": {"workers": 512},
            "web": {"port": self.port},
            "logging": {"level": "warning", "format": "json"},
        }
        (self.folder / "config.yaml").write_text(json.dumps(config))

    async def __aenter__(self) -> Server:
        began = time.perf_counter()
        command = [sys.executable, "-m", "supportbot", "serve", "--config", str(self.folder / "config.yaml")]
        self._log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(command, env=self._env, stdout=self._log, stderr=self._log)
        self.ps = psutil.Process(self.process.pid)
        async with httpx2.AsyncClient(trust_env=False) as client:
            for _ in range(1000):
                with contextlib.suppress(httpx2.TransportError):
                    if (await client.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200:
                        break
                await asyncio.sleep(0.01)
        self.started = time.perf_counter() - began
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.process.terminate()
        self.process.wait(30)
        self._log.close()

    def cpu(self) -> float:
        times = self.ps.cpu_times()
        return times.user + times.system


def request(path: str, conversation: str, number: int) -> Callable[[], bytes]:
    def make() -> bytes:
        id = f"{conversation}.{number}.{time.perf_counter_ns()}"
        payload = {"id": id, "conversation": conversation, "user": {"id": conversation}, "text": QUESTION}
        return signed_request(SECRET, path, id, json.dumps(payload).encode())

    return make


async def measured(server: Server, path: str, lanes: int, each: int, prefix: str) -> tuple[Sent, float, float]:
    """Sends `lanes` × `each` turns; the answers, wall seconds and the server's CPU seconds."""
    load = [[request(path, f"{prefix}-{lane}", number) for number in range(each)] for lane in range(lanes)]
    cpu, wall = server.cpu(), time.perf_counter()
    sent = await send(server.port, load)
    return sent, time.perf_counter() - wall, server.cpu() - cpu


@contextlib.asynccontextmanager
async def model(delay_ms: int) -> AsyncIterator[int]:
    command = [sys.executable, str(HERE / "wires.py"), "model", str(delay_ms)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def floor(port: int, calls: int, history: int, commits: int, concurrency: int = CONCURRENCY) -> dict[str, float]:
    command = [sys.executable, str(HERE / "floors.py"), *map(str, (port, calls, concurrency, history, commits))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def line(name: str, turns: float, wall: float, cpu: float, base: float = 0.0) -> float:
    rate = turns / wall
    ratio = f", {rate / base:.2f} × the bare call's rate" if base else ""
    print(f"{name:<44} {rate:8.0f} /s   {cpu / turns * 1000:6.2f} ms CPU{ratio}")
    return rate


async def rates(folder: Path, port: int, turns: int) -> None:
    print(f"-- {turns} turns, {CONCURRENCY} at once, a model that answers at once")
    bare = floor(port, turns, 0, 0)
    base = line("floor: create() without history", turns, bare["wall"], bare["cpu"])
    history = floor(port, turns, 40, 0)
    line("floor: create() with 40 messages of history", turns, history["wall"], history["cpu"], base)
    both = floor(port, turns, 40, 2)
    line("floor: the same and two durable commits", turns, both["wall"], both["cpu"], base)
    each = turns // CONCURRENCY
    async with Server(folder / "wait", port) as server:
        await measured(server, "/webhook/desk?wait=30", CONCURRENCY, 2, "warm")
        sent, wall, cpu = await measured(server, "/webhook/desk?wait=30", CONCURRENCY, each, "wait")
        line("supportbot, ?wait= (three durable commits)", len(sent.seconds), wall, cpu, base)
        print(f"   answers: {sent.statuses}")
    await callback_rate(folder, port, each, base)
    again = floor(port, turns, 0, 0)
    line("floor again: create() without history", turns, again["wall"], again["cpu"], base)


async def callback_rate(folder: Path, port: int, each: int, base: float) -> None:
    server_ = await asyncio.get_running_loop().create_server(Callbacks, "127.0.0.1", 0)
    async with Server(folder / "callback", port, server_.sockets[0].getsockname()[1]) as server:
        Callbacks.complete = asyncio.Event()
        Callbacks.count, Callbacks.wanted = 0, CONCURRENCY * 8 * (each // 8)
        load = [
            [request("/webhook/desk", f"c-{lane}-{part}", 0) for part in range(8 * (each // 8))]
            for lane in range(CONCURRENCY)
        ]
        cpu, wall = server.cpu(), time.perf_counter()
        await send(server.port, load)
        async with asyncio.timeout(120):
            await Callbacks.complete.wait()
        line(
            "supportbot, callback (one turn a conversation)",
            Callbacks.count,
            time.perf_counter() - wall,
            server.cpu() - cpu,
            base,
        )
    server_.close()


async def latency(folder: Path) -> None:
    print("-- added latency: 200 conversations at once over a 300 ms model")
    async with model(300) as port, Server(folder / "latency", port) as server:
        await measured(server, "/webhook/desk?wait=30", 200, 1, "warm")
        sent, _, _ = await measured(server, "/webhook/desk?wait=30", 200, 5, "late")
        bare = floor(port, 1000, 0, 0, concurrency=200)
        print(
            f"   floor: p50 {(bare['p50'] - 0.3) * 1000:.1f} ms, p95 {(bare['p95'] - 0.3) * 1000:.1f} ms (bare create(), all at once)"
        )
        added = sorted(second - 0.3 for second in sent.seconds)
        p95 = added[int(len(added) * 0.95)]
        print(
            f"   supportbot: p50 {statistics.median(added) * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms over {len(added)} turns"
        )


async def prefill(path: Path, conversations: int, stored: int, prefix: str) -> None:
    """Gives each conversation that many stored messages, through the store's own door."""
    queue = LocalQueue(clock=time.time)
    store = SqliteStore(path, enqueue=queue.enqueue)
    queue.attach(store)
    await store.open()
    told = (ChatMessage("user", QUESTION, 22), ChatMessage("assistant", ANSWER, 20))

    async def one(number: int) -> None:
        name = f"{prefix}-{number}"
        for turn in range(stored // 2):
            message = Message(Address("desk", name), f"{name}.pre.{turn}", User(name), QUESTION)
            receipt = await store.receive(message, now=time.time(), ready_at=time.time())
            lease = Lease(receipt.conversation, turn + 1, 1, time.time() + 60)
            start = await store.begin(lease, now=time.time())
            assert start is not None
            cut = turn - 60 if turn > 60 and turn % 60 == 0 else None
            consumed = tuple(row.position for row in start.pending)
            await store.commit(lease, Outcome(consumed, told, cut=cut), now=time.time())

    for first in range(0, conversations, 100):
        await asyncio.gather(*(one(number) for number in range(first, min(first + 100, conversations))))
    await store.close()


async def growth(folder: Path, port: int) -> None:
    print("-- growth: CPU of a turn with that many messages stored before it")
    base = 0.0
    for stored in (10, 100, 1000):
        place = folder / f"growth-{stored}"
        database = place / "data" / "supportbot.db"
        database.parent.mkdir(parents=True)
        await prefill(database, 300, stored, "g")
        async with Server(place, port) as server:
            await measured(server, "/webhook/desk?wait=30", 32, 2, "warm")
            _, wall, cpu = await measured(server, "/webhook/desk?wait=30", 300, 4, "g")
            each = cpu / 1200 * 1000
            base = base or each
            print(
                f"   {stored:>5} messages: {each:.2f} ms CPU, {each / base:.2f} × the first, {1200 / wall:.0f} /s"
            )


async def size(folder: Path) -> None:
    print("-- bytes per stored message, finished inbox and outbox rows removed")
    path = folder / "wait" / "data" / "supportbot.db"
    store = SqliteStore(path, enqueue=lambda transaction, job: None)
    await store.open()
    await store.sweep(now=time.time() + 10, keep=0.0)
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("VACUUM")
        count = database.execute("SELECT count(*) FROM messages").fetchone()[0]
    print(f"   {path.stat().st_size / count:.0f} bytes over {count} messages")


async def memory(folder: Path, port: int) -> None:
    print("-- memory")
    async with Server(folder / "memory", port) as server:
        await measured(server, "/webhook/desk?wait=30", CONCURRENCY, 8, "warm")
        before = server.ps.memory_info().rss
        load = [[request("/webhook/desk?wait=30", f"m-{lane}-{n}", 0) for n in range(100)] for lane in range(50)]
        await send(server.port, load)
        await asyncio.sleep(1)
        after = server.ps.memory_info().rss
        print(
            f"   server {before / 2**20:.0f} MiB; {(after - before) / 5000:.0f} bytes per idle conversation (5,000)"
        )
        print(f"   start-up: {server.started:.2f} s to /readyz")


def command_line() -> None:
    seconds = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "supportbot", "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - began)
    print(f"   supportbot --help: {statistics.median(seconds):.2f} s (median of 7)")


async def main(turns: int) -> None:
    with tempfile.TemporaryDirectory(prefix="turns-") as name:
        folder = Path(name)
        async with model(0) as port:
            await rates(folder, port, turns)
            await latency(folder)
            await growth(folder, port)
            await size(folder)
            await memory(folder, port)
        command_line()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3072)
    asyncio.run(main(parser.parse_args().turns))
