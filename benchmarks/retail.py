"""The retail tasks: their data, the model that follows them, and the judge of what a bot made of them.

The model keeps nothing of a conversation: it finds the task in the first user message ("task 17: …"), counts the tool
messages after it, and gives the next calls, or the last words. The judge reads one database per conversation.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from retail_tools import SCHEMA, canonical

from supportbot.testing.openai_server import Say
from supportbot.types import ToolCall

BYSTANDER = "bystander"
"""Whose database belongs to no task, and must not move."""
_TASK = re.compile(r"task (\S+):")


@dataclass(frozen=True, slots=True)
class Step:
    """One call: what it gives, as the data has it."""

    name: str
    arguments: str
    result: str
    error: bool
    unknown_tool: bool
    effects: bool

    def is_answered_by(self, content: str) -> bool:
        """Verbatim; a tool that does not exist is told of in the bot's own words, which begin with "Error: "."""
        if self.unknown_tool:
            return content.startswith("Error: ") and self.name in content
        return content == self.result


@dataclass(frozen=True, slots=True)
class Task:
    id: str
    says: str
    steps: tuple[Step, ...]
    informs: tuple[str, ...]
    before: str
    after: str

    @property
    def customer(self) -> str:
        return f"task-{self.id}"

    @property
    def logged(self) -> list[tuple[str, str]]:
        """What the log of calls has to be: a tool that does not exist is never called."""
        return [(step.name, canonical(json.loads(step.arguments))) for step in self.steps if not step.unknown_tool]

    def sorted_reads(self, calls: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """The calls with each run of reading ones, from one action to the next, in one fixed order."""
        effects = {step.name for step in self.steps if step.effects}
        runs = groupby(calls, key=lambda call: call[0] in effects)
        return [call for acts, run in runs for call in (run if acts else sorted(run))]

    @property
    def last_words(self) -> str:
        return " ".join((f"Task {self.id} is done.", *self.informs))


def load(folder: Path, most: int = 0) -> list[Task]:
    tools = json.loads((folder / "tools.json").read_text("utf-8"))
    effects = {entry["function"]["name"]: bool(entry["x_mutates"]) for entry in tools}
    lines = (folder / "tasks.jsonl").read_text("utf-8").splitlines()
    return [_task(json.loads(line), effects) for line in lines][: most or None]


def _task(line: Mapping[str, Any], effects: Mapping[str, bool]) -> Task:
    steps = tuple(
        Step(
            name=step["name"],
            arguments=json.dumps(step["arguments"]),
            result=step["result"],
            error=step["error"],
            unknown_tool=step["unknown_tool"],
            effects=effects.get(step["name"], False),
        )
        for step in line["steps"]
    )
    says = f"task {line['id']}: {line['user_scenario']['reason_for_call']}"
    informs = tuple(line["communicate_info"] or ())
    return Task(str(line["id"]), says, steps, informs, line["initial_db_sha256"], line["final_db_sha256"])


class Agent:
    """Answers chat requests for FakeOpenAI, and checks each of them.

    `parallel` says which tasks are called for in one message. `announce(task, step, stage)` hears "model" before an
    answer and "answered" with it. `wrong` holds what was not as it should be, by task; `told` the tool messages that
    were found verbatim at the last request; `at_once` the most conversations that were in the middle of their task.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        offered: Sequence[Mapping[str, Any]],
        *,
        parallel: Callable[[Task], bool] = lambda task: False,
        streamed: bool = False,
        delay: Callable[[], float] = lambda: 0.0,
        announce: Callable[[str, int, str], None] = lambda task, step, stage: None,
    ) -> None:
        self._tasks = {task.id: task for task in tasks}
        self._offered = [_spec(entry["function"]) for entry in offered]
        self.parallel = parallel
        self._streamed = streamed
        self._delay = delay
        self._announce = announce
        self.calls = 0
        self.at_once = 0
        self._open: set[str] = set()
        self.wrong: dict[str, set[str]] = defaultdict(set)
        self.told: Counter[str] = Counter()

    def __call__(self, body: Mapping[str, Any]) -> Say:
        self.calls += 1
        messages = body["messages"]
        first = next(at for at, message in enumerate(messages) if message["role"] == "user")
        found = _TASK.match(str(messages[first]["content"]))
        if found is None or found[1] not in self._tasks:
            self.wrong["?"].add(f"no task is named in {str(messages[first]['content'])[:80]!r}")
            return Say("Which task?")
        task = self._tasks[found[1]]
        if body.get("stream", False) != self._streamed:
            self.wrong[task.id].add(f"a request asked for stream: {body.get('stream', False)}")
        if [_spec(tool["function"]) for tool in body.get("tools", ())][: len(self._offered)] != self._offered:
            self.wrong[task.id].add("the tools were not offered as they are")
        done = self._check(task, messages[first + 1 :])
        self._count(task, done)
        self._announce(task.id, done, "model")
        answer = self._next(task, done)
        self._announce(task.id, done, "answered")
        return answer

    def _count(self, task: Task, done: int) -> None:
        """Follows how many conversations are in the middle of their task."""
        if done < len(task.steps):
            self._open.add(task.id)
        else:
            self._open.discard(task.id)
        self.at_once = max(self.at_once, len(self._open))

    def _check(self, task: Task, messages: Sequence[Mapping[str, Any]]) -> int:
        """How many steps are done; each tool message must stand verbatim under the id of its call."""
        asked = [call for message in messages for call in message.get("tool_calls") or ()]
        results = [message for message in messages if message["role"] == "tool"]
        if [_plain(call) for call in asked] != [_plain(call) for call in self._wire(task)[: len(asked)]]:
            self.wrong[task.id].add("the calls did not come back as they were made")
        self.told[task.id] = 0
        for number, message in enumerate(results[: len(task.steps)]):
            wanted, content = task.steps[number], message["content"]
            if message["tool_call_id"] != call_id(task, number):
                self.wrong[task.id].add(f"step {number} stands under {message['tool_call_id']}")
            elif not wanted.is_answered_by(content):
                self.wrong[task.id].add(f"step {number} reads {content[:120]!r}, not {wanted.result[:60]!r}")
            else:
                self.told[task.id] += 1
        if len(results) > len(task.steps) or len(results) != len(asked):
            self.wrong[task.id].add(f"{len(results)} tool messages for {len(asked)} calls")
        return len(results)

    def _next(self, task: Task, done: int) -> Say:
        left = range(done, len(task.steps) if self.parallel(task) else min(done + 1, len(task.steps)))
        calls = tuple(
            ToolCall(call_id(task, number), task.steps[number].name, task.steps[number].arguments)
            for number in left
        )
        if calls:
            return Say(tool_calls=calls, delay=self._delay())
        return Say(task.last_words, delay=self._delay(), pace=0.003 if self._streamed else 0.0)

    def _wire(self, task: Task) -> list[dict[str, Any]]:
        return [
            {"id": call_id(task, number), "function": {"name": step.name, "arguments": step.arguments}}
            for number, step in enumerate(task.steps)
        ]


def call_id(task: Task, number: int) -> str:
    return f"call_{task.id}_{number}"


def _plain(call: Mapping[str, Any]) -> tuple[str, str, str]:
    return call["id"], call["function"]["name"], call["function"]["arguments"]


def _spec(function: Mapping[str, Any]) -> dict[str, Any]:
    return {name: function.get(name) for name in ("name", "description", "parameters")}


# --- databases -----------------------------------------------------------------------------------------------


def fill(state: Path, data: Path, customers: Sequence[str]) -> str:
    """Gives each customer a database with the same records; the hash of what they begin with."""
    state.mkdir(parents=True, exist_ok=True)
    template = state / "template.db"
    with closing(sqlite3.connect(template)) as database:
        database.executescript(SCHEMA)
        for kind, records in json.loads((data / "db.json").read_text("utf-8")).items():
            database.execute("INSERT INTO kinds VALUES (?)", (kind,))
            rows = ((kind, key, json.dumps(value)) for key, value in records.items())
            database.executemany("INSERT INTO records VALUES (?, ?, ?)", rows)
        database.commit()
        found = fingerprint(database)
    for customer in customers:
        shutil.copyfile(template, state / f"{customer}.db")
    template.unlink()
    return found


def fingerprint(database: sqlite3.Connection) -> str:
    """The hash of all records, as the data has it."""
    db: dict[str, dict[str, Any]] = {kind: {} for (kind,) in database.execute("SELECT name FROM kinds")}
    for kind, key, value in database.execute("SELECT kind, key, value FROM records"):
        db[kind][key] = json.loads(value)
    return hashlib.sha256(json.dumps(db, sort_keys=True, default=str).encode()).hexdigest()


@dataclass
class Book:
    """What one conversation's database says after its task."""

    fingerprint: str
    calls: list[tuple[str, str]]
    conversations: set[str]
    again: int
    recovered: Counter[str]


def read(state: Path, customer: str) -> Book:
    with closing(sqlite3.connect(state / f"{customer}.db")) as database:
        rows = database.execute("SELECT name, arguments, conversation, again FROM log ORDER BY began").fetchall()
        recovered = database.execute("SELECT found FROM recoveries").fetchall()
        return Book(
            fingerprint=fingerprint(database),
            calls=[(name, arguments) for name, arguments, _, _ in rows],
            conversations={conversation for _, _, conversation, _ in rows},
            again=sum(again for *_, again in rows),
            recovered=Counter("done" if found else "not done" for (found,) in recovered),
        )


# --- the judge -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """One message that reached a customer: `to` is the conversation as the channel calls it."""

    id: str
    to: str
    kind: str
    text: str
    in_reply_to: tuple[str, ...]
    detail: str = ""


@dataclass
class Verdict:
    """What a mode came to: reasons by task for those that failed, and counts."""

    tasks: int
    wrong: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def passed(self) -> int:
        return self.tasks - sum(task != "-" for task in self.wrong)


def judge(
    tasks: Sequence[Task], agent: Agent, state: Path, initial: str, heard: Sequence[Heard], *, killed: bool
) -> Verdict:
    """Checks everything that can be seen from outside of the bot; `killed` says whether its process was."""
    verdict = Verdict(len(tasks))
    owners: dict[str, str] = {}
    for task in tasks:
        book = read(state, task.customer)
        reasons = [*sorted(agent.wrong.get(task.id, ())), *_told(task, agent)]
        reasons += [
            *_state(task, book, initial, owners),
            *_log(task, book, killed and agent.parallel(task), verdict.counts),
        ]
        reasons += _reply(task, [one for one in heard if one.to == task.customer], verdict.counts)
        if reasons:
            verdict.wrong[task.id] = reasons
        verdict.counts["tool calls"] += len(book.calls)
        verdict.counts["reads run again"] += book.again
        verdict.counts["found done"] += book.recovered["done"]
        verdict.counts["found not done"] += book.recovered["not done"]
    verdict.counts["model calls"] = agent.calls
    verdict.counts["at once"] = agent.at_once
    verdict.counts["unknown tools"] = sum(step.unknown_tool for task in tasks for step in task.steps)
    everywhere = _everywhere(tasks, agent, state, initial, heard)
    if everywhere:
        verdict.wrong["-"] = everywhere
    return verdict


def _told(task: Task, agent: Agent) -> list[str]:
    missing = len(task.steps) - agent.told[task.id]
    return [f"{missing} of {len(task.steps)} results were not with the model at the end"] if missing else []


def _state(task: Task, book: Book, initial: str, owners: dict[str, str]) -> list[str]:
    reasons = []
    if initial != task.before:
        reasons.append("the database did not begin as it should")
    if book.fingerprint != task.after:
        reasons.append("the database ended otherwise")
    taken = {owners.setdefault(one, task.customer) for one in book.conversations} - {task.customer}
    if len(book.conversations) > 1 or taken:
        reasons.append("another conversation called tools for this customer")
    return reasons


def _log(task: Task, book: Book, interrupted: bool, counts: Counter[str]) -> list[str]:
    """The calls have to have begun in the order of the steps, each once.

    Reading calls of one message run together: if a kill ends some of them, those begin anew, after the others.
    """
    if book.calls == task.logged:
        return []
    if interrupted and task.sorted_reads(book.calls) == task.sorted_reads(task.logged):
        counts["tasks with reads in another order"] += 1
        return []
    reasons = [f"the log has {len(book.calls)} calls, not just the {len(task.logged)} in their order"]
    repeated = Counter(book.calls) - Counter(task.logged)
    return reasons + [f"too often: {name} {arguments[:60]}" for name, arguments in repeated]


def _reply(task: Task, heard: Sequence[Heard], counts: Counter[str]) -> list[str]:
    reasons = [f"{one.kind}: {one.detail[:160]}" for one in heard if one.kind == "handoff.requested"]
    counts["unknown outcomes"] += sum("unknown" in reason for reason in reasons)
    replies = {one.id: one for one in heard if one.kind == "message.reply"}
    counts["second copies"] += sum(one.kind == "message.reply" for one in heard) - len(replies)
    if len(replies) != 1:
        reasons.append(f"{len(replies)} replies")
    for one in replies.values():
        if one.in_reply_to != (f"{task.customer}.0",):
            reasons.append(f"a reply is to {one.in_reply_to}")
        missing = [what for what in task.informs if what not in one.text]
        if missing:
            reasons.append(f"the customer was not told {missing}")
        elif one.text != task.last_words:
            reasons.append(f"the reply reads {one.text[:80]!r}")
    return reasons


def _everywhere(
    tasks: Sequence[Task], agent: Agent, state: Path, initial: str, heard: Sequence[Heard]
) -> list[str]:
    """What belongs to no task."""
    reasons = sorted(agent.wrong.get("?", ()))
    bystander = read(state, BYSTANDER)
    if bystander.fingerprint != initial or bystander.calls:
        reasons.append("the database of somebody else has moved")
    strangers = {one.to for one in heard} - {task.customer for task in tasks}
    if strangers:
        reasons.append(f"messages went to {sorted(strangers)[:3]}")
    return reasons


def environment(data: Path, state: Path, gate: int = 0) -> dict[str, str]:
    """What the tools are found by; without what an earlier run has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RETAIL_")}
    told = {"RETAIL_GATE": str(gate)} if gate else {}
    return {**kept, "RETAIL_DATA": str(data.resolve()), "RETAIL_STATE": str(state.resolve()), **told}
