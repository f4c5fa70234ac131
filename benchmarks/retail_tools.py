"""The tools of the retail tasks, for the bot that `tau.py` runs (`tools.modules`).

RETAIL_DATA is the folder with tasks.jsonl and tools.json, RETAIL_STATE the one with a SQLite file per conversation.
RETAIL_GATE (a port, may be missing) is told where a call is before it goes on, so that the process can be killed there.

Rules:
1. The customer's id names the task. A call takes the first of its steps that is not in the log and has the same name
   and arguments.
2. The change of the records, the line in the log, the call's key and its result are one transaction.
3. A reading tool that runs again under the same key is logged once. An action that does is logged twice, and fails.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from supportbot import Tool, ToolContext, ToolError
from supportbot.protocols import NotDone

SCHEMA = """
CREATE TABLE kinds (name TEXT PRIMARY KEY);
CREATE TABLE records (kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE log (
    began INTEGER NOT NULL, key TEXT NOT NULL, conversation TEXT NOT NULL, step INTEGER NOT NULL, name TEXT NOT NULL,
    arguments TEXT NOT NULL, result TEXT NOT NULL, error INTEGER NOT NULL, again INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE recoveries (key TEXT, found INTEGER);
"""
NOWHERE = -1
"""Stands for the step of a call that no step of the task asks for, and where it does not matter."""


def canonical(arguments: Any) -> str:
    return json.dumps(arguments, sort_keys=True, separators=(",", ":"))


@functools.cache
def _tasks() -> dict[str, list[dict[str, Any]]]:
    lines = (Path(os.environ["RETAIL_DATA"]) / "tasks.jsonl").read_text("utf-8").splitlines()
    return {str(task["id"]): task["steps"] for task in map(json.loads, lines)}


def opened(customer: str) -> sqlite3.Connection:
    """The database of this customer's conversation; it has to be there."""
    path = Path(os.environ["RETAIL_STATE"]) / f"{customer}.db"
    return sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None, timeout=10)


def _announce(context: ToolContext, step: int, stage: str) -> None:
    """Says where the call is and waits for leave to go on."""
    port = os.environ.get("RETAIL_GATE")
    if not port:
        return
    said = {"task": context.customer.id.removeprefix("task-"), "step": step, "stage": stage}
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as line:
        line.sendall(json.dumps(said).encode() + b"\n")
        line.recv(16)


def _logged(database: sqlite3.Connection, key: str) -> tuple[str, bool] | None:
    row = database.execute("SELECT result, error FROM log WHERE key = ?", (key,)).fetchone()
    return None if row is None else (row[0], bool(row[1]))


def _next(
    database: sqlite3.Connection, context: ToolContext, name: str, wanted: str
) -> tuple[int, dict[str, Any]]:
    """The first step that is not in the log and asks for this call, with its number; else one that fails."""
    done = {row[0] for row in database.execute("SELECT step FROM log")}
    for number, step in enumerate(_tasks().get(context.customer.id.removeprefix("task-"), [])):
        if number not in done and step["name"] == name and canonical(step["arguments"]) == wanted:
            return number, step
    return NOWHERE, {"result": "Error: no such step", "error": True, "db_writes": []}


def _write(database: sqlite3.Connection, writes: list[dict[str, Any]]) -> None:
    for write in writes:
        kind, key = write["path"]
        if write["op"] == "delete":
            database.execute("DELETE FROM records WHERE kind = ? AND key = ?", (kind, key))
        else:
            values = (kind, key, json.dumps(write["value"]))
            database.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", values)


def _given(result: str, error: bool) -> str:
    if error:
        raise ToolError(result.removeprefix("Error: "))
    return result


def run(name: str, effects: bool, arguments: dict[str, Any], context: ToolContext) -> str:
    """Does the call: its step's writes, its line in the log; gives the step's result, or raises its error."""
    began, kind = time.monotonic_ns(), "effect" if effects else "read"
    with closing(opened(context.customer.id)) as database:
        known = _logged(database, context.key)
        if known is not None and not effects:
            database.execute("UPDATE log SET again = again + 1 WHERE key = ?", (context.key,))
            return _given(*known)
        wanted = canonical(arguments)
        _announce(context, _next(database, context, name, wanted)[0], f"{kind} begun")
        database.execute("BEGIN IMMEDIATE")
        number, step = _next(
            database, context, name, wanted
        )  # another call of the same message may have taken one
        _write(database, step["db_writes"])
        line = (began, context.key, context.conversation, number, name, wanted, step["result"], step["error"])
        columns = "began, key, conversation, step, name, arguments, result, error"
        database.execute(f"INSERT INTO log ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", line)
        if effects:
            _announce(context, number, "effect open")
        database.execute("COMMIT")
    _announce(context, number, f"{kind} done")
    return _given(step["result"], step["error"])


def recover(arguments: dict[str, Any], context: ToolContext) -> str:
    """What an interrupted action came to: its result, its error, or NotDone."""
    with closing(opened(context.customer.id)) as database:
        known = _logged(database, context.key)
        _announce(context, NOWHERE, "recover")
        database.execute("INSERT INTO recoveries VALUES (?, ?)", (context.key, known is not None))
    if known is None:
        raise NotDone
    return _given(*known)


def _call(name: str, effects: bool) -> Callable[[dict[str, Any], ToolContext], str]:
    return lambda arguments, context: run(name, effects, arguments, context)


def tools(folder: Path) -> list[Tool]:
    """One tool for each entry of tools.json, with its name, description and parameters as they are."""
    found = []
    for entry in json.loads((folder / "tools.json").read_text("utf-8")):
        spec, effects = entry["function"], bool(entry["x_mutates"])
        call = _call(spec["name"], effects)
        found.append(
            Tool(
                spec["name"],
                spec["description"],
                spec["parameters"],
                call,
                effects=effects,
                recover=recover if effects else None,
            )
        )
    return found


TOOLS = tools(Path(os.environ["RETAIL_DATA"])) if "RETAIL_DATA" in os.environ else []
