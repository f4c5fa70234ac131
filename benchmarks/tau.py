"""Replays retail customer-service tasks and checks all that can be seen from outside of the bot.

    python benchmarks/tau.py --data DIR [--modes serial,parallel,interleaved,streamed,killed] [--tasks N] [--json]

DIR has tasks.jsonl, tools.json and db.json of tau2-bench. A task has passed if its database ended as it should and its
log has exactly its calls in order, every result stood verbatim with the model, the customer was told once, and no other
conversation's database moved. The modes:

serial         one call a message, one conversation after the other, through `supportbot serve` and signed webhooks
parallel       the same, all calls of the task in one message
interleaved    one call a message, 50 conversations at once
streamed       one call a message, in this process, on a channel that shows the answer while it is written
killed         both ways of calling, two conversations at once, and the server killed (SIGKILL) twice in each of them:
               while the model answers, while a tool reads, and while an action runs: before its write, with the write
               not committed, and after it; while it is asked what an action came to; and while the reply leaves

In the log a reading call that ran again after a kill, under the same key, counts once; an action counts every time.
Exits 1 if any mode has fewer than all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

sys.path.insert(0, str(Path(__file__).parent))
import retail
from retail import BYSTANDER, Agent, Heard, Task, Verdict
from retail_killer import TOGETHER, Killer, NotUp, Server, choose, in_parallel
from wires import free_port

from supportbot import Adapter, Address, Bot, Capabilities, Message, Outgoing, User
from supportbot.testing.openai_server import FakeOpenAI
from supportbot.testing.receiver import Receiver, signed_headers
from supportbot.testing.site import SECRET, write_bot

HERE = Path(__file__).parent
MODES = ("serial", "parallel", "interleaved", "streamed", "killed")
AT_ONCE = 50
PATIENCE = 90.0
"""Seconds for one task, restarts included."""


@dataclass
class Run:
    """One mode's run: what it works with."""

    mode: str
    tasks: Sequence[Task]
    data: Path
    folder: Path
    agent: Agent
    rng: random.Random

    @property
    def state(self) -> Path:
        return self.folder / "state"


class Desk(Receiver):
    """Takes the callbacks, and says when a customer has been answered or handed over."""

    def __init__(self, killer: Killer | None) -> None:
        super().__init__(SECRET)
        self._killer = killer
        self.done: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def _judge(self, *arguments: Any) -> Any:
        delivery = super()._judge(*arguments)
        if delivery.accepted:
            payload = delivery.payload
            if self._killer is not None and payload["type"] == "message.reply":
                self._killer.reached(payload["conversation"].removeprefix("task-"), -1, "reply")
            self.done[payload["conversation"]].set()
        return delivery

    def heard(self) -> list[Heard]:
        return [_heard(delivery.payload) for delivery in self.accepted]


def _heard(payload: Mapping[str, Any]) -> Heard:
    return Heard(
        id=payload["id"],
        to=payload["conversation"],
        kind=payload["type"],
        text=payload.get("text", ""),
        in_reply_to=tuple(payload.get("in_reply_to", ())),
        detail=f"{payload.get('reason', '')}: {payload.get('detail', '')}",
    )


# --- the modes -----------------------------------------------------------------------------------------------


async def post(client: httpx2.AsyncClient, port: int, task: Task) -> None:
    """Sends the task's message until it is accepted, as a platform does."""
    id = f"{task.customer}.0"
    payload = {"id": id, "conversation": task.customer, "user": {"id": task.customer}, "text": task.says}
    body = json.dumps(payload).encode()
    for _ in range(600):
        headers = {**signed_headers(SECRET, id, body), "content-type": "application/json"}
        with contextlib.suppress(httpx2.TransportError):
            answer = await client.post(f"http://127.0.0.1:{port}/webhook/desk", content=body, headers=headers)
            if answer.status_code in (200, 202):
                return
        await asyncio.sleep(0.1)
    raise SystemExit(f"{id} was never accepted")


async def served(run: Run, model: FakeOpenAI, killer: Killer | None, at_once: int) -> list[Heard]:
    """Runs the tasks through a served bot; what its customers heard."""
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(Desk(killer))
        gate = 0
        if killer is not None:
            doors = await stack.enter_async_context(await asyncio.start_server(killer.gate, "127.0.0.1", 0))
            gate = doors.sockets[0].getsockname()[1]
        server = _server(run, model, desk.url, gate)
        stack.push_async_callback(server.stop)
        if not await server.start():
            raise NotUp(f"the server did not come up:\n{server.log_end()}")
        client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=10))

        async def one(task: Task) -> None:
            await post(client, server.port, task)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await desk.done[task.customer].wait()

        if killer is None:
            await _all(one, run.tasks, at_once)
        else:
            await _killing(one, run.tasks, killer, server)
        await asyncio.sleep(0.5)  # for what should not come
        return desk.heard()


def _server(run: Run, model: FakeOpenAI, callback: str, gate: int) -> Server:
    port = free_port()
    shutil.copy(HERE / "retail_tools.py", run.folder)
    extra = {
        "tools": {"modules": ["retail_tools.py"]},
        "web": {"port": port},
        "logging": {"level": "warning", "format": "json"},
    }
    environment = {
        **retail.environment(run.data, run.state, gate),
        "OPENAI_API_KEY": model.key,
        "OPENAI_BASE_URL": model.base_url,
    }
    config = write_bot(run.folder, callback_url=callback, config=extra)
    return Server(run.folder, config, port, environment)


async def _all(one: Any, tasks: Sequence[Task], at_once: int) -> None:
    slots = asyncio.Semaphore(at_once)

    async def in_slot(task: Task) -> None:
        async with slots:
            await one(task)

    await asyncio.gather(*map(in_slot, tasks))


async def _killing(one: Any, tasks: Sequence[Task], killer: Killer, server: Server) -> None:
    """A few tasks at a time, with the kills that were chosen for them."""
    killer.server = server
    killer.up.set()
    planned: Counter[str] = Counter()

    async def groups() -> None:
        for first in range(0, len(tasks), TOGETHER):
            few = tasks[first : first + TOGETHER]
            choose(few, killer, planned)
            await asyncio.gather(*map(one, few))
            killer.targets.clear()
            await asyncio.sleep(0.02)  # for a kill that comes a little later
            await killer.up.wait()

    working, restarting = asyncio.create_task(groups()), asyncio.create_task(killer.restarting())
    try:
        await asyncio.wait((working, restarting), return_when=asyncio.FIRST_COMPLETED)
        if restarting.done():
            restarting.result()
        await working
    finally:
        working.cancel()
        restarting.cancel()
        await asyncio.wait((restarting,))


class Screen(Adapter):
    """A channel in this process that shows the answer while it is written."""

    capabilities = Capabilities(streaming=True, preview_interval=0.0, burst_wait=0.0, events=True)

    def __init__(self) -> None:
        super().__init__("screen", {})
        self.heard: list[Heard] = []
        self.shown: dict[str, list[str]] = defaultdict(list)
        self.done: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def preview(self, outgoing: Outgoing, text: str) -> str:
        self.shown[outgoing.address.chat].append(text)
        return f"shown-{outgoing.address.chat}"

    async def send(self, outgoing: Outgoing) -> str:
        text = outgoing.reply.text if outgoing.reply is not None else ""
        detail = f"{outgoing.data.get('reason', '')}: {outgoing.data.get('detail', '')}"
        to = outgoing.address.chat
        self.heard.append(Heard(outgoing.id, to, outgoing.kind, text, outgoing.in_reply_to, detail))
        self.done[to].set()
        return ""


async def streamed(run: Run, model: FakeOpenAI, verdicts: Counter[str]) -> list[Heard]:
    """Runs the tasks through a Bot in this process, on a channel that streams."""
    os.environ.update(retail.environment(run.data, run.state))
    shutil.copy(HERE / "retail_tools.py", run.folder)
    config = write_bot(
        run.folder, callback_url="http://127.0.0.1:9/", config={"tools": {"modules": ["retail_tools.py"]}}
    )
    screen = Screen()
    told = {**os.environ, "OPENAI_API_KEY": model.key, "OPENAI_BASE_URL": model.base_url}
    bot = Bot.from_config(config, env=told, channels={"screen": screen}, only_channels=True)
    async with bot:

        async def one(task: Task) -> None:
            message = Message(
                Address("screen", task.customer), f"{task.customer}.0", User(task.customer), task.says
            )
            await bot.receive(message)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await screen.done[task.customer].wait()

        await _all(one, run.tasks, 8)
        await asyncio.sleep(0.3)
    for task in run.tasks:
        pieces = screen.shown[task.customer]
        verdicts["shown while written"] += len(pieces)
        if not pieces or not all(task.last_words.startswith(piece) for piece in pieces):
            run.agent.wrong[task.id].add(f"the answer was not shown while it was written: {pieces[:2]}")
    return screen.heard


async def play(mode: str, options: argparse.Namespace, tasks: Sequence[Task], folder: Path) -> dict[str, Any]:
    """One mode from its empty databases to its verdict."""
    rng = random.Random(options.seed)
    killer = Killer(rng) if mode == "killed" else None
    pause = {"interleaved": 0.02, "streamed": 0.002}.get(mode, 0.0)
    agent = Agent(
        tasks,
        json.loads((options.data / "tools.json").read_text("utf-8")),
        parallel=(in_parallel if killer else lambda task: mode == "parallel"),
        streamed=mode == "streamed",
        delay=lambda: rng.uniform(0.0, pause),
        **({"announce": killer.reached} if killer else {}),
    )
    run = Run(mode, tasks, options.data, folder, agent, rng)
    folder.mkdir(parents=True)
    initial = retail.fill(run.state, options.data, [BYSTANDER, *(task.customer for task in tasks)])
    extra: Counter[str] = Counter()
    async with FakeOpenAI(agent) as model:
        began = time.monotonic()
        if mode == "streamed":
            heard = await streamed(run, model, extra)
        else:
            heard = await served(run, model, killer, AT_ONCE if mode == "interleaved" else 1)
        seconds = time.monotonic() - began
        refused = sorted(set(model.refused))
    verdict = retail.judge(tasks, agent, run.state, initial, heard, killed=killer is not None)
    verdict.counts += extra
    verdict.wrong.update({"-": [*verdict.wrong.get("-", []), *refused]} if refused else {})
    if verdict.counts["second copies"] and mode != "killed":
        verdict.wrong.setdefault("-", []).append("replies came twice without a kill")
    return result(mode, verdict, seconds, killer)


def result(mode: str, verdict: Verdict, seconds: float, killer: Killer | None) -> dict[str, Any]:
    return {
        "mode": mode,
        "passed": verdict.passed,
        "tasks": verdict.tasks,
        "seconds": round(seconds, 1),
        "counts": {name: count for name, count in verdict.counts.items() if count},
        "kills": dict(killer.kills) if killer else {},
        "wrong": verdict.wrong,
    }


def show(found: Mapping[str, Any]) -> None:
    """One line, and why anything failed."""
    counts = ", ".join(f"{name} {count}" for name, count in found["counts"].items())
    print(f"{found['mode']:<12} {found['passed']:>4}/{found['tasks']:<4} {found['seconds']:7.1f} s   {counts}")
    if found["kills"]:
        kills = ", ".join(f"{kind} {count}" for kind, count in sorted(found["kills"].items()))
        print(f"{'':<12} kills: {sum(found['kills'].values())} ({kills})")
    for task, reasons in found["wrong"].items():
        print(f"   {'task ' + task if task != '-' else 'anywhere'}: {'; '.join(reasons)}")


def compared(tasks: Sequence[Task]) -> str:
    steps = [step for task in tasks for step in task.steps]
    unknown = sum(step.unknown_tool for step in steps)
    said = f"{len(tasks)} tasks, {len(steps)} steps: {len(steps) - unknown} results compared verbatim"
    return f"{said}, {unknown} calls of unknown tools by `Error: ` and the tool's name"


async def main(options: argparse.Namespace) -> int:
    tasks = retail.load(options.data, options.tasks)
    found = []
    if not options.json:
        print(compared(tasks))
    for mode in options.modes.split(","):
        with tempfile.TemporaryDirectory(prefix=f"tau-{mode}-") as name:
            folder = Path(options.keep or name) / mode
            found.append(await play(mode, options, tasks, folder))
        if not options.json:
            show(found[-1])
    if options.json:
        print(json.dumps({"compared": compared(tasks), "modes": found}, indent=2))
    return 1 if any(one["passed"] < one["tasks"] or one["wrong"] for one in found) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--tasks", type=int, default=0, help="only the first N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", help="a folder to work in and keep; one that does not exist yet")
    raise SystemExit(asyncio.run(main(parser.parse_args())))
