"""Sends a thousand messages through a channel and counts, from the platform's own ledger, what became of each.

    python benchmarks/channels.py slack-http slack-socket telegram-webhook telegram-polling --messages 1000 --kills 10

A real `supportbot serve` with the platforms' own SDKs; stand-ins for Slack and Telegram on loopback that enforce
limits and fail one sending call in ten (429, 5xx, errors, connections reset before and after the message was taken);
one message in ten comes twice, one in ten before the one that was written before it. The model names the messages it
answers. Exits 1 if any acknowledged message was lost, answered twice, copied outside the documented windows or out
of order in its chat, or if a rate limit was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

sys.path.insert(0, str(Path(__file__).parent))
from echo import MARK, Echo
from platforms import Chat, Platform, platform, sleep_a_little
from wires import free_port

MODES = ("slack-http", "slack-socket", "telegram-webhook", "telegram-polling")
BEFORE, AFTER = 1.0, 0.25
"""Seconds around a kill in which a message may have been taken and not recorded, and so comes twice."""
NEAR = 0.25
"""Seconds between a fault and the message whose answer it lost, as the ledgers write them down."""
HANDED_OVER = "passed your conversation on to our team"
"""What a customer is told when a turn was cut off by three kills: a human has the conversation then."""
WRONG = ("lost", "answered twice", "copies outside the windows", "out of order", "rate limit broken")


@dataclass
class Run:
    name: str
    folder: Path
    port: int
    platform: Platform
    environment: dict[str, str]
    process: asyncio.subprocess.Process | None = None
    kills: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    repeats: int = 0
    early: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        command = (sys.executable, "-m", "supportbot", "serve", "--config", str(self.folder / "config.yaml"))
        with (self.folder / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, env=self.environment, stdout=log, stderr=log
            )
        async with httpx2.AsyncClient(trust_env=False) as client:
            for _ in range(600):
                try:
                    if (await client.get(f"{self.url}/readyz")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(0.05)
        raise SystemExit(f"the server did not come up; see {self.folder / 'server.log'}")

    async def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.kills.append(self.platform.clock())  # type: ignore[attr-defined]  # each platform has its ledger's clock
        await self.process.wait()
        await self.start()


def write_bot(folder: Path, port: int, side: Platform) -> None:
    for name in ("prompts", "flows"):
        (folder / name).mkdir()
    persona = "name: Mia\nrole: support at Acme\ntone: brief\nlanguages: [en]\n"
    (folder / "prompts" / "persona.yaml").write_text(persona)
    config = {
        "bot": {"name": "Bench", "persona": "prompts/persona.yaml", "flows": "flows", "locale": "en"},
        "model": {"name": "echo", "timeout": "10s"},
        "channels": {side.options["type"]: side.options},
        "web": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
    }
    (folder / "config.yaml").write_text(json.dumps(config))


async def accepted(run: Run, chat: Chat, mark: str, payload: Any) -> None:
    """Delivers until the bot acknowledges, as a patient platform does."""
    for _ in range(200):
        took = await run.platform.deliver(run.url, payload)
        if took is not None:
            if mark not in chat.accepted:
                chat.accepted.append(mark)
                run.seconds.append(took)
            return
        await asyncio.sleep(0.2)
    raise SystemExit(f"{mark} was never acknowledged; see {run.folder / 'server.log'}")


async def customer(run: Run, chat: Chat, marks: list[str], rng: random.Random) -> None:
    written = [(mark, run.platform.message(chat, f"{mark} Where is my order?")) for mark in marks]
    for at in range(1, len(written)):
        if rng.random() < 0.1:
            written[at - 1], written[at] = written[at], written[at - 1]
            run.early += 1
    for mark, payload in written:
        await accepted(run, chat, mark, payload)
        if rng.random() < 0.1:
            run.repeats += 1
            await accepted(run, chat, mark, payload)
        await sleep_a_little(rng)


def judge(run: Run, chats: list[Chat]) -> Counter[str]:
    """What became of every acknowledged message."""
    answers = defaultdict(list)
    for answer in run.platform.answers():
        answers[answer.chat].append(answer)
    result: Counter[str] = Counter(dict.fromkeys(("accepted", "answered", *WRONG), 0))
    excuses = run.platform.lost_answers()
    for chat in chats:
        texts: dict[str, str] = {}
        seen: dict[str, float] = {}
        last = -1
        for answer in answers[chat.name]:
            marks = MARK.findall(answer.text)
            if answer.text in seen and marks:
                first = seen[answer.text]
                excused = any(abs(first - at) <= NEAR for at in excuses)
                excused = excused or any(-AFTER <= at - first <= BEFORE for at in run.kills)
                result["copies" if excused else "copies outside the windows"] += 1
                seen[answer.text] = answer.at
                continue
            seen[answer.text] = answer.at
            for mark in marks:
                result["answered twice"] += texts.setdefault(mark, answer.text) != answer.text
            places = [chat.accepted.index(mark) for mark in marks if mark in chat.accepted]
            result["out of order"] += bool(places) and max(places) < last
            last = max([last, *places])
        result["accepted"] += len(chat.accepted)
        result["answered"] += sum(mark in texts for mark in chat.accepted)
        unanswered = sum(mark not in texts for mark in chat.accepted)
        human = any(HANDED_OVER in answer.text for answer in answers[chat.name])
        result["owned by a human" if human else "lost"] += unanswered
    result["rate limit broken"] = run.platform.too_fast()
    return result


async def quiet(run: Run, chats: list[Chat], seconds: float) -> None:
    """Until every acknowledged message is answered, and a moment longer for copies to come."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and judge(run, chats)["lost"]:
        await asyncio.sleep(0.5)
    await asyncio.sleep(3)


async def killing(run: Run, kills: int, rng: random.Random) -> None:
    for _ in range(kills):
        await asyncio.sleep(rng.uniform(1.0, 4.0))
        await run.kill()


async def measure(name: str, options: argparse.Namespace) -> Counter[str]:
    rng = random.Random(options.seed)
    side = platform(name, options.failing, options.seed)
    folder = Path(options.keep or tempfile.mkdtemp(prefix="channels-")) / name
    folder.mkdir(parents=True)
    async with side.fake, Echo() as model:
        side.ready()
        port = free_port()
        write_bot(folder, port, side)
        keys = {"OPENAI_API_KEY": "sk-bench-0000000000", "OPENAI_BASE_URL": model.url}
        run = Run(name, folder, port, side, {**os.environ, **keys, **side.environment})
        await run.start()
        began = time.monotonic()
        chats = [side.chat(number, rng) for number in range(options.chats)]
        marks: dict[str, list[str]] = defaultdict(list)
        for number in range(options.messages):
            marks[rng.choice(chats).name].append(f"q{number}")
        killer = asyncio.create_task(killing(run, options.kills, rng))
        await asyncio.gather(
            *(customer(run, chat, marks[chat.name], random.Random(rng.random())) for chat in chats)
        )
        await killer
        await quiet(run, chats, 180)
        result = judge(run, chats)
        assert run.process is not None
        run.process.terminate()
        code = await run.process.wait()
        report(run, result, time.monotonic() - began, code)
    return result


def report(run: Run, result: Counter[str], seconds: float, code: int) -> None:
    faults = Counter(
        f"{fault.kind}{' (taken)' if _taken(fault) else ''}" for _, _, fault in run.platform.fake.faults
    )
    ordered = sorted(run.seconds)
    p50, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    print(f"{run.name}: {seconds:.0f} s, {len(run.kills)} kills, exit code at the end {code}")
    print(f"  {run.repeats} repeats, {run.early} came early, faults in sending: {dict(faults)}")
    print(f"  {', '.join(f'{what} {count}' for what, count in result.items())}")
    print(f"  acknowledged within: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms", flush=True)


def _taken(fault: Any) -> bool:
    return bool(getattr(fault, "accepted", False) or getattr(fault, "accepts", False))


async def main(options: argparse.Namespace) -> int:
    if unknown := set(options.modes) - set(MODES):
        raise SystemExit(f"there is no {', '.join(unknown)}; there are {', '.join(MODES)}")
    results = [await measure(name, options) for name in options.modes or MODES]
    return 1 if any(result[what] for result in results for what in WRONG) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modes", nargs="*", help=f"some of {', '.join(MODES)}; all of them if none is named")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--chats", type=int, default=150)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--failing", type=float, default=0.1, help="share of sending calls that fail")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="a folder to work in and keep")
    raise SystemExit(asyncio.run(main(parser.parse_args())))
