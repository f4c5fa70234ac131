"""Kills the server again and again under load and counts, from the receiver's own ledger, what became of each message.

    python benchmarks/durability.py --data DATA --kills 50 --seed 1

A real `supportbot serve` on a real database; real signed webhooks in and callbacks out; an independent OpenAI mock
behind a gate that fails in each of a model's ways; a tool with effects whose calls are counted outside.
Exits 1 if any accepted message was lost, any reply doubled outside the documented window, anything out of order, or
any action repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

sys.path.insert(0, str(Path(__file__).parent))
from aimock import aimock
from customers import Customer, customers
from gate import Gate
from wires import SECRET, free_port

from supportbot.testing.receiver import Receiver, signed_headers

WINDOW = 1.0
"""Seconds before a kill within which a message is accepted and not recorded, and so comes twice."""
ON_THE_WIRE = 0.25
"""Seconds after a kill in which the ledger may still read what the killed server had sent; well below a restart."""
STAGES = ("receive", "turn", "tool", "send")
TOOL = """
import json, os, urllib.request
from supportbot import Tool

def call(arguments, context):
    body = json.dumps({"key": context.key, "conversation": context.conversation}).encode()
    request = urllib.request.Request(os.environ["LEDGER_URL"], body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()

TOOLS = [Tool("record", "Writes something down.",
              {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}, call, effects=True)]
"""
FIXTURES: list[dict[str, Any]] = [
    {"match": {"hasToolResult": True}, "response": {"content": "I have written that down for you."}},
    {
        "match": {"userMessage": "please"},
        "response": {"toolCalls": [{"name": "record", "arguments": {"what": "a wish"}}]},
    },
    {"match": {"userMessage": ""}, "response": {"content": "Here is what I know about that."}},
]


@dataclass
class Killer:
    """Kills the server when the armed stage is reached, and counts the kills by stage."""

    rng: random.Random
    process: asyncio.subprocess.Process | None = None
    armed: str = ""
    kills: Counter[str] = field(default_factory=Counter)
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    times: list[float] = field(default_factory=list)

    def reached(self, stage: str) -> None:
        if self.armed == stage and self.process is not None and self.process.returncode is None:
            self.armed = ""
            self.kills[stage] += 1
            delay = self.rng.choice((0.0, 0.0, 0.001, 0.003, 0.01))
            asyncio.get_running_loop().call_later(delay, self._kill)

    def _kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.times.append(time.time())
        self.killed.set()


@dataclass
class Run:
    folder: Path
    port: int
    killer: Killer
    environment: dict[str, str]
    accepted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[int] = field(default_factory=Counter)

    async def start(self) -> None:
        log = (self.folder / "server.log").open("ab")
        command = (sys.executable, "-m", "supportbot", "serve", "--config", str(self.folder / "config.yaml"))
        self.killer.process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=log, stderr=log
        )
        log.close()
        async with httpx2.AsyncClient(trust_env=False) as client:
            for _ in range(600):
                try:
                    if (await client.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(0.05)
        raise SystemExit(f"the server did not come up; see {self.folder / 'server.log'}")


async def post(run: Run, client: httpx2.AsyncClient, payload: dict[str, Any], *, tries: int = 2000) -> int:
    """Sends one webhook until it is accepted, as a platform does; the id stays the same."""
    body = json.dumps(payload).encode()
    for _ in range(tries):
        run.killer.reached("receive") if run.killer.rng.random() < 0.3 else None
        headers = {**signed_headers(SECRET, payload["id"], body), "content-type": "application/json"}
        try:
            answer = await client.post(f"http://127.0.0.1:{run.port}/webhook/desk", content=body, headers=headers)
        except httpx2.TransportError:
            await asyncio.sleep(0.1)
            continue
        if answer.status_code in (200, 202):
            return answer.status_code
        run.refused[answer.status_code] += 1
        await asyncio.sleep(0.1)
    raise SystemExit(f"{payload['id']} was never accepted")


async def customer(run: Run, client: httpx2.AsyncClient, who: Customer, rng: random.Random) -> None:
    for number, text in enumerate(who.texts):
        id = f"{who.conversation}.{number}"
        payload = {"id": id, "conversation": who.conversation, "user": {"id": who.conversation}, "text": text}
        if rng.random() < 0.3:
            payload["text"] = text + " please"
        await post(run, client, payload)
        run.accepted[who.conversation].append(id)
        if rng.random() < 0.05:
            await post(run, client, payload)
        await asyncio.sleep(rng.choice((0.0, 0.01, 0.3, 1.0)))


class Ledger:
    """What was really done: the tool's calls and the callbacks, kept outside of the bot."""

    def __init__(self, killer: Killer, receiver: Receiver) -> None:
        self.calls: Counter[str] = Counter()
        self._killer = killer
        self._receiver = receiver

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
            )
            self.calls[json.loads(await reader.readexactly(length))["key"]] += 1
            self._killer.reached("tool")
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class KillingReceiver(Receiver):
    """The callback receiver; a kill may fall between its acceptance and the bot's commit."""

    killer: Killer

    def _judge(self, *arguments: Any) -> Any:
        delivery = super()._judge(*arguments)
        self.killer.reached("send")
        return delivery


def judge(run: Run, receiver: Receiver) -> dict[str, Any]:
    """Counts from the ledger: lost, doubled, out of order."""
    replies: dict[str, list[dict[str, Any]]] = defaultdict(list)
    seen: Counter[str] = Counter()
    owned: dict[str, int] = {}
    outside = 0
    first: dict[str, float] = {}
    for delivery in receiver.accepted:
        payload = delivery.payload
        seen[payload["id"]] += 1
        if seen[payload["id"]] > 1:
            outside += not any(-ON_THE_WIRE <= at - first[payload["id"]] <= WINDOW for at in run.killer.times)
            continue
        first[payload["id"]] = delivery.at
        if payload["type"] == "message.reply":
            replies[payload["conversation"]].append(payload)
        elif payload["type"] == "handoff.requested":
            owned.setdefault(payload["conversation"], len(replies[payload["conversation"]]))
    result: Counter[str] = Counter({"lost": 0, "answered twice": 0, "out of order": 0})
    result["forged"] = sum(not delivery.genuine for delivery in receiver.ledger)
    result["doubled outside the window"] = outside
    result["doubled outside the window"] = outside
    for conversation, ids in run.accepted.items():
        answered: dict[str, str] = {}
        last = -1
        for reply in replies[conversation]:
            turn = ",".join(reply["in_reply_to"])
            for id in reply["in_reply_to"]:
                result["answered twice"] += answered.setdefault(id, turn) != turn
            places = [ids.index(id) for id in reply["in_reply_to"] if id in ids]
            result["out of order"] += bool(places) and max(places) < last
            last = max([last, *places])
        for id in ids:
            if id in answered:
                result["answered"] += 1
            elif conversation in owned:
                result["owned by a human"] += 1
            else:
                result["lost"] += 1
    result["handoffs"] = len(owned)
    result["second copies (window)"] = sum(count - 1 for count in seen.values())
    return dict(result)


def write_bot(folder: Path, port: int, callback: str) -> None:
    (folder / "prompts").mkdir()
    (folder / "flows").mkdir()
    (folder / "knowledge").mkdir()
    (folder / "prompts" / "persona.yaml").write_text(
        "name: Mia\nrole: support at Acme\ntone: brief\nlanguages: [en]\n"
    )
    (folder / "knowledge" / "delivery.md").write_text("# Delivery\n\nA parcel takes two to four working days.\n")
    (folder / "bench_tools.py").write_text(TOOL)
    config = {
        "bot": {"name": "Bench", "persona": "prompts/persona.yaml", "flows": "flows", "locale": "en"},
        "model": {"name": "gpt-4.1-mini", "timeout": "3s"},
        "knowledge": {"paths": ["knowledge"]},
        "tools": {"modules": ["bench_tools.py"]},
        "channels": {
            "desk": {"type": "webhook", "secrets": [SECRET], "callback_url": callback, "allow_private": True}
        },
        "web": {"port": port},
        "logging": {"format": "json"},
    }
    (folder / "config.yaml").write_text(json.dumps(config))


async def wait_until_quiet(run: Run, receiver: Receiver, seconds: float) -> None:
    """Until nothing is missing, or nothing new has come for a while."""
    ends, quiet = time.monotonic() + seconds, 0
    while time.monotonic() < ends and quiet < 30:
        before = len(receiver.accepted)
        await asyncio.sleep(1)
        quiet = quiet + 1 if len(receiver.accepted) == before else 0
        if judge(run, receiver)["lost"] == 0 and quiet >= 3:
            return


async def killing(run: Run, kills: int, done: asyncio.Event) -> None:
    """Arms one stage after the other; restarts the server after each kill."""
    killer = run.killer
    for number in range(kills):
        await asyncio.sleep(killer.rng.uniform(0.3, 1.5))
        killer.killed.clear()
        killer.armed = STAGES[number % len(STAGES)]
        try:
            async with asyncio.timeout(30):
                await killer.killed.wait()
        except TimeoutError:
            killer.armed = ""
            continue
        assert killer.process is not None
        await killer.process.wait()
        await run.start()
    done.set()


async def main(options: argparse.Namespace) -> int:
    rng = random.Random(options.seed)
    killer = Killer(rng)
    receiver = KillingReceiver(SECRET)
    receiver.killer = killer
    ledger = Ledger(killer, receiver)
    who = customers(options.data, options.messages)
    rng.shuffle(who)
    with contextlib.ExitStack() as mocks:
        name = mocks.enter_context(tempfile.TemporaryDirectory(prefix="durability-"))
        folder = Path(options.keep or name)
        folder.mkdir(parents=True, exist_ok=True)
        books = await asyncio.start_server(ledger.serve, "127.0.0.1", 0)
        ledger_url = f"http://127.0.0.1:{books.sockets[0].getsockname()[1]}/"
        upstream = mocks.enter_context(aimock(FIXTURES, options=("--journal-max", "10")))
        async with (
            receiver,
            Gate(upstream, failing=options.failing, rng=rng, announce=lambda: killer.reached("turn")) as gate,
        ):
            port = free_port()
            write_bot(folder, port, receiver.url)
            environment = {
                **os.environ,
                "OPENAI_API_KEY": "sk-" + secrets.token_hex(8),
                "OPENAI_BASE_URL": gate.url,
                "LEDGER_URL": ledger_url,
            }
            run = Run(folder, port, killer, environment)
            await run.start()
            started = time.monotonic()
            await load(run, who, rng, options.kills)
            await wait_until_quiet(run, receiver, 180)
            result = judge(run, receiver)
            assert killer.process is not None
            killer.process.terminate()
            code = await killer.process.wait()
            report(run, result, gate, ledger, time.monotonic() - started, code)
        books.close()
    wrong = ("lost", "answered twice", "out of order", "forged", "doubled outside the window")
    bad = sum(result[what] for what in wrong)

    repeated = sum(count - 1 for count in ledger.calls.values())
    return 1 if bad or repeated else 0


async def load(run: Run, who: list[Customer], rng: random.Random, kills: int) -> None:
    done = asyncio.Event()
    killer = asyncio.create_task(killing(run, kills, done))
    limits = httpx2.Limits(max_connections=64)
    slots = asyncio.Semaphore(48)

    async with httpx2.AsyncClient(trust_env=False, timeout=10, limits=limits) as client:

        async def one(customer_: Customer, seed: int) -> None:
            async with slots:
                await customer(run, client, customer_, random.Random(seed))

        await asyncio.gather(*(one(customer_, rng.randrange(2**32)) for customer_ in who))
        extra = 0
        while not done.is_set() and extra < 20_000:
            name = f"more-{extra}"
            extra += 1
            await one(Customer(name, ("and please one more thing",)), rng.randrange(2**32))
    await killer


def report(run: Run, result: dict[str, Any], gate: Gate, ledger: Ledger, seconds: float, code: int) -> None:
    accepted = sum(len(ids) for ids in run.accepted.values())
    print(f"accepted messages: {accepted} in {len(run.accepted)} conversations, {seconds:.0f} s")
    print(f"kills by stage: {dict(run.killer.kills)} (in all {sum(run.killer.kills.values())})")
    for what, count in result.items():
        print(f"{what}: {count}")
    print(f"model calls by way: {dict(gate.counts)}")
    print(f"actions: {len(ledger.calls)}, repeated: {sum(count - 1 for count in ledger.calls.values())}")
    print(f"other answers to the sender: {dict(run.refused)}; exit code at the end: {code}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--messages", type=int, default=5500)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failing", type=float, default=0.15, help="share of model calls that fail")
    parser.add_argument("--keep", help="a folder to work in and keep")
    raise SystemExit(asyncio.run(main(parser.parse_args())))
