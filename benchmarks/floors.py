"""The floors that turns are measured against, each in a process of its own.

    python benchmarks/floors.py MODEL_PORT CALLS CONCURRENCY HISTORY COMMITS

Calls `create()` of the openai package, as a program without any framework does, with HISTORY earlier messages and
COMMITS durable SQLite commits a call. Prints seconds of wall time and of CPU, and the
calls' latency, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI
from wires import ANSWER, QUESTION

SYSTEM = "You are Mia, customer support at Acme Home. Be warm, brief and concrete. " * 20


def messages(history: int) -> list[Any]:
    past = [
        {"role": "user", "content": QUESTION} if number % 2 == 0 else {"role": "assistant", "content": ANSWER}
        for number in range(history)
    ]
    return [{"role": "system", "content": SYSTEM}, *past, {"role": "user", "content": QUESTION}]


async def main(port: int, calls: int, concurrency: int, history: int, commits: int) -> None:
    client = AsyncOpenAI(api_key="none", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0)
    given = messages(history)
    left = calls
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None, check_same_thread=False)
        database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE rows (text TEXT);")

        seconds: list[float] = []

        async def one() -> None:
            began = time.perf_counter()
            await client.chat.completions.create(model="gpt-4.1-mini", messages=given)
            seconds.append(time.perf_counter() - began)
            for _ in range(commits):
                database.execute("INSERT INTO rows VALUES (?)", (QUESTION,))

        async def lane() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await one()

        await asyncio.gather(*(one() for _ in range(concurrency)))
        seconds.clear()
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(lane() for _ in range(concurrency)))
        print(
            json.dumps(
                {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "calls": calls}
                | {"p50": statistics.median(seconds), "p95": sorted(seconds)[int(len(seconds) * 0.95)]}
            )
        )
        database.close()


if __name__ == "__main__":
    asyncio.run(main(*(int(argument) for argument in sys.argv[1:6])))
