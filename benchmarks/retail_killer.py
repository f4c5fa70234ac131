"""`supportbot serve` in a process of its own, and what kills it at chosen places of the retail tasks.

A tool call, the model and the receiver of callbacks say where they are, and wait; there the process may die.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from retail import Task

KINDS = ("model", "answered", "read begun", "read done", "effect begun", "effect open", "effect done", "reply")
LATER = ("answered", "read done")
"""Kinds whose kill comes up to 10 ms after, so that it falls somewhere between two steps."""
TOGETHER = 2
KILLS = 2
"""Kills for each few tasks that run together: a turn that is begun a fourth time goes to a human."""


class NotUp(Exception):
    """The server ended before it took connections."""


@dataclass
class Server:
    """`supportbot serve` in a process of its own, started again and again over the same folder."""

    folder: Path
    config: Path
    port: int
    environment: Mapping[str, str]
    process: asyncio.subprocess.Process | None = None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self) -> bool:
        """Whether it came up; False if it ended before that."""
        command = (sys.executable, "-m", "supportbot", "serve", "--config", str(self.config))
        with (self.folder / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, env=dict(self.environment), stdout=log, stderr=log
            )
        async with httpx2.AsyncClient(trust_env=False) as client:
            for _ in range(1500):
                with contextlib.suppress(httpx2.TransportError):
                    if (await client.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200:
                        return True
                if not self.alive:
                    break
                await asyncio.sleep(0.02)
        return False

    def log_end(self) -> str:
        return (self.folder / "server.log").read_text("utf-8", "replace")[-2000:]

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()


@dataclass
class Killer:
    """Kills the server when one of the `targets` (task, step, kind) is reached; each of them once."""

    rng: random.Random
    server: Server | None = None
    targets: set[tuple[str, int, str]] = field(default_factory=set)
    kills: Counter[str] = field(default_factory=Counter)
    fallen: asyncio.Event = field(default_factory=asyncio.Event)
    up: asyncio.Event = field(default_factory=asyncio.Event)

    def reached(self, task: str, step: int, kind: str) -> bool:
        """Whether the process dies of it."""
        target = task, step, kind
        if self.fallen.is_set() or target not in self.targets:
            return self.fallen.is_set()
        self.targets.discard(target)
        self.kills[kind] += 1
        if kind in LATER:
            asyncio.get_running_loop().call_later(self.rng.choice((0.0, 0.001, 0.003, 0.01)), self._kill)
            return False
        self._kill()
        return True

    def _kill(self) -> None:
        if self.server is not None and self.server.process is not None and self.server.alive:
            with contextlib.suppress(ProcessLookupError):
                self.server.process.kill()
            self.up.clear()
            self.fallen.set()

    async def restarting(self) -> None:
        """Starts the server again after each kill, until cancelled; also after one while it comes up."""
        while True:
            await self.fallen.wait()
            assert self.server is not None and self.server.process is not None
            await self.server.process.wait()
            self.fallen.clear()
            if await self.server.start():
                self.up.set()
            elif not self.fallen.is_set():
                raise NotUp(f"the server did not come up again:\n{self.server.log_end()}")

    async def gate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One tool call says where it is; it gets no answer if the process dies there."""
        with contextlib.suppress(OSError, ValueError):
            said = json.loads(await reader.readline())
            if not self.reached(said["task"], said["step"], said["stage"]):
                writer.write(b"go\n")
                await writer.drain()
        writer.close()


def in_parallel(task: Task) -> bool:
    """Which tasks are called for in one message while the server is killed: every other one."""
    return int(task.id) % 2 == 1 if task.id.isdigit() else len(task.id) % 2 == 1


def choose(tasks: Sequence[Task], killer: Killer, planned: Counter[str]) -> None:
    """Sets the targets for these tasks: kinds that have come least so far, at any step that has them."""
    for _ in range(KILLS):
        places = {kind: _places(tasks, kind) for kind in KINDS}
        possible = [kind for kind in KINDS if set(places[kind]) - killer.targets]
        kind = min(possible, key=lambda one: (planned[one], killer.rng.random()))
        target = killer.rng.choice(sorted(set(places[kind]) - killer.targets))
        killer.targets.add(target)
        planned[kind] += 1
        if kind.startswith("effect") and len(killer.targets) < KILLS and killer.rng.random() < 0.4:
            killer.targets.add((target[0], -1, "recover"))
            planned["recover"] += 1
            return


def _places(tasks: Sequence[Task], kind: str) -> list[tuple[str, int, str]]:
    if kind == "reply":
        return [(task.id, -1, kind) for task in tasks]
    if kind in ("model", "answered"):
        return [(task.id, step, kind) for task in tasks for step in _asked_at(task)]
    effects = kind.startswith("effect")
    return [
        (task.id, number, kind)
        for task in tasks
        for number, step in enumerate(task.steps)
        if step.effects == effects and not step.unknown_tool
    ]


def _asked_at(task: Task) -> Sequence[int]:
    """The numbers of tool messages with which the model is asked."""
    return sorted({0, len(task.steps)}) if in_parallel(task) else range(len(task.steps) + 1)
