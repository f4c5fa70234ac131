"""`benchmarks/tau.py` replays tasks against the real bot in each of its ways; here with a shop of three orders."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MODES = ("serial", "parallel", "interleaved", "streamed", "killed")
DB: dict[str, dict[str, Any]] = {
    "orders": {
        "#1": {"status": "pending", "items": [{"name": "Lamp", "price": 59.9}], "note": "größer"},
        "#2": {"status": "pending", "items": [], "note": None},
        "#3": {"status": "delivered", "items": [], "note": "x" * 900},
    },
    "users": {"ada": {"orders": ["#1", "#2", "#3"], "balance": 12.5}},
}
TOOLS = [
    {
        "type": "function",
        "x_mutates": acts,
        "function": {
            "name": name,
            "description": f"{name}\n\nTakes an order's id.",
            "parameters": {
                "type": "object",
                "properties": {"id": {"type": "string", "title": "Id"}, "why": {"$ref": "#/$defs/Why"}},
                "required": ["id"],
                "$defs": {"Why": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            },
        },
    }
    for name, acts in (("get_order", False), ("cancel_order", True))
]


def look(id: str) -> dict[str, Any]:
    found = DB["orders"].get(id)
    result = "Error: Order not found" if found is None else json.dumps(found)
    return step("get_order", {"id": id}, result)


def cancel(id: str, **more: Any) -> dict[str, Any]:
    done = {**DB["orders"][id], "status": "cancelled"}
    writes = [
        {"op": "set", "path": ["orders", id], "value": done},
        {"op": "set", "path": ["users", "ada"], "value": {**DB["users"]["ada"], "balance": 20}},
    ]
    return step("cancel_order", {"id": id, **more}, json.dumps(done), writes)


def refused(id: str) -> dict[str, Any]:
    return step("cancel_order", {"id": id}, "Error: A delivered order cannot be cancelled")


def step(name: str, arguments: dict[str, Any], result: str, writes: list[Any] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "arguments": arguments,
        "result": result,
        "error": result.startswith("Error: "),
        "unknown_tool": name not in {entry["function"]["name"] for entry in TOOLS},
        "mutates": bool(writes),
        "db_writes": writes or [],
    }


TASKS = [
    ("lamp", [look("#1"), cancel("#1", why=None), look("#1")], ["59.9"]),
    (
        "twice",
        [look("#9"), refused("#3"), look("#2"), look("#2"), cancel("#2", why="ordered twice")],
        ["20", "#2"],
    ),
    ("none", [step("send_flowers", {"to": "ada"}, "Error: Tool 'send_flowers' not found."), look("#3")], []),
]


def write_data(folder: Path) -> Path:
    (folder / "db.json").write_text(json.dumps(DB), "utf-8")
    (folder / "tools.json").write_text(json.dumps(TOOLS), "utf-8")
    lines = [
        {
            "id": id,
            "user_scenario": {"reason_for_call": "You want your order to be looked at."},
            "steps": steps,
            "communicate_info": informs,
            "initial_db_sha256": fingerprint([]),
            "final_db_sha256": fingerprint(steps),
        }
        for id, steps, informs in TASKS
    ]
    (folder / "tasks.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", "utf-8")
    return folder


def fingerprint(steps: list[dict[str, Any]]) -> str:
    db = copy.deepcopy(DB)
    for write in (write for one in steps for write in one["db_writes"]):
        kind, key = write["path"]
        db[kind][key] = write["value"]
    return hashlib.sha256(json.dumps(db, sort_keys=True, default=str).encode()).hexdigest()


def replayed(data: Path, modes: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    """The exit code, what each mode came to, and all that was written."""
    command = [sys.executable, ROOT / "benchmarks" / "tau.py", "--data", data, "--modes", modes, "--json"]
    path = f"{ROOT}{os.pathsep}{ROOT / 'adapters'}"
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path}, check=False
    )
    found = json.loads(ended.stdout)["modes"] if ended.stdout else []
    return ended.returncode, {one["mode"]: one for one in found}, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, dict[str, Any]], str]:
    return replayed(write_data(tmp_path_factory.mktemp("data")), ",".join(MODES))


@pytest.mark.parametrize("mode", MODES)
def test_every_task_comes_out_in_every_way_it_can_be_run(
    replay: tuple[int, dict[str, dict[str, Any]], str], mode: str
) -> None:
    code, modes, said = replay
    assert code == 0, said
    assert modes[mode]["passed"] == len(TASKS), said
    assert bool(modes[mode]["kills"]) == (mode == "killed"), said


def test_a_task_that_comes_out_otherwise_is_named_with_its_reason(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    lines = (data / "tasks.jsonl").read_text("utf-8").replace(fingerprint(TASKS[0][1]), "0" * 64)
    (data / "tasks.jsonl").write_text(lines, "utf-8")
    code, modes, said = replayed(data, "serial")
    assert code == 1, said
    assert modes["serial"]["passed"] == len(TASKS) - 1
    assert modes["serial"]["wrong"] == {"lamp": ["the database ended otherwise"]}
