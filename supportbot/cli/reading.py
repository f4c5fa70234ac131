"""The commands that only look: conversations, handoffs, why, usage, adapters. Read-only, beside a running server."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import typer

from supportbot.cli import explaining
from supportbot.cli.options import reading
from supportbot.errors import NotFound
from supportbot.stores import SqliteStore
from supportbot.types import Conversation, Handoff, WaitingCall

T = TypeVar("T")
_SEARCHED = 100_000


def _with(config: Path, store: Path | None, look: Callable[[SqliteStore], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        opened = reading(config, store)
        await opened.open()
        try:
            return await look(opened)
        finally:
            await opened.close()

    return asyncio.run(run())


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their widest cell."""
    cells = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def _one(found: Sequence[T], what: str, id: str) -> T:
    if len(found) != 1:
        many = f"{len(found)} {what}s begin with" if found else f"there is no {what}"
        raise NotFound(f"{many} {id!r}")
    return found[0]


async def find_handoff(store: SqliteStore, id: str) -> Handoff:
    """The handoff whose id begins so. NotFound if there is none, or more than one."""
    every = await store.handoffs(open_only=False, limit=_SEARCHED)
    return _one([handoff for handoff in every if handoff.id.startswith(id)], "handoff", id)


async def _find_conversation(store: SqliteStore, id: str) -> Conversation:
    every = await store.conversations(limit=_SEARCHED)
    return _one([one for one in every if one.id.startswith(id)], "conversation", id)


def conversation_list(config: Path, store: Path | None, limit: int, *, as_json: bool) -> None:
    rows = _with(config, store, lambda opened: opened.conversations(limit=limit))
    if as_json:
        _print_json([asdict(row) for row in rows])
        return
    _table(
        ("id", "channel", "customer", "turns", "last change (UTC)"),
        [
            (
                row.id[:14],
                row.address.channel,
                row.customer.name or row.customer.id,
                row.turn,
                explaining.at(row.updated_at),
            )
            for row in rows
        ],
    )


def conversation_show(config: Path, store: Path | None, id: str, *, as_json: bool) -> None:
    async def look(opened: SqliteStore) -> Any:
        found = await _find_conversation(opened, id)
        return found, await opened.transcript(found.id)

    found, turns = _with(config, store, look)
    if as_json:
        _print_json({"conversation": asdict(found), "turns": [asdict(turn) for turn in turns]})
        return
    typer.echo(f"{found.id} on {found.address.channel}, {found.customer.name or found.customer.id}")
    typer.echo(explaining.transcript(turns))


async def find_waiting(path: Path, id: str) -> tuple[str, WaitingCall]:
    """(conversation, call) of the call that waits for a colleague and whose id begins so. NotFound if there is none."""
    store = SqliteStore.read_only(path)
    await store.open()
    try:
        every = await store.calls("human", limit=_SEARCHED)
    finally:
        await store.close()
    return _one([one for one in every if one[1].id.startswith(id)], "waiting call", id)


def calls_waiting(config: Path, store: Path | None, *, as_json: bool) -> None:
    rows = _with(config, store, lambda opened: opened.calls("human", limit=_SEARCHED))
    if as_json:
        _print_json([{"conversation": conversation, **asdict(call)} for conversation, call in rows])
    elif not rows:
        typer.echo("nothing waits for a colleague")
    else:
        shown = [
            (
                call.id[:14],
                call.tool,
                call.arguments[:60],
                call.author_name or call.author,
                explaining.at(call.expires_at),
            )
            for _, call in rows
        ]
        _table(("id", "tool", "arguments", "customer", "until (UTC)"), shown)


def calls_done(config: Path, store: Path | None, limit: int, *, as_json: bool) -> None:
    rows = _with(config, store, lambda opened: opened.ledger(limit=limit))
    if as_json:
        _print_json([asdict(row) for row in rows])
    elif not rows:
        typer.echo("no call has changed anything yet")
    else:
        shown = [
            (
                explaining.at(row.charge.at),
                row.charge.tool,
                row.outcome,
                row.charge.customer,
                ", ".join(row.charge.consents) or "-",
                row.charge.arguments[:60],
            )
            for row in rows
        ]
        _table(("at (UTC)", "tool", "outcome", "customer", "yes by", "arguments"), shown)


def set_aside(config: Path, store: Path | None, limit: int, *, as_json: bool) -> None:
    rows = _with(config, store, lambda opened: opened.aside(limit=limit))
    if as_json:
        _print_json([asdict(row) for row in rows])
    elif not rows:
        typer.echo("nothing was set aside")
    else:
        shown = [(row.channel, row.id[:40], explaining.at(row.at), row.reason) for row in rows]
        _table(("channel", "id", "at (UTC)", "why"), shown)


def handoff_list(config: Path, store: Path | None, everything: bool, *, as_json: bool) -> None:
    rows = _with(config, store, lambda opened: opened.handoffs(open_only=not everything))
    if as_json:
        _print_json([asdict(row) for row in rows])
        return
    if not rows:
        typer.echo("no handoffs" if everything else "no open handoffs")
        return
    _table(
        ("id", "status", "desk", "agent", "reason", "since (UTC)", "detail"),
        [
            (
                row.id[:14],
                row.status,
                row.desk or "-",
                row.agent or (f"({row.assignee})" if row.assignee else "-"),
                row.reason + (f" ({row.priority})" if row.priority != "normal" else ""),
                explaining.at(row.requested_at),
                row.detail[:60],
            )
            for row in rows
        ],
    )


def handoff_show(config: Path, store: Path | None, id: str, *, as_json: bool) -> None:
    async def look(opened: SqliteStore) -> Any:
        found = await find_handoff(opened, id)
        return found, await opened.transcript(found.conversation)

    found, turns = _with(config, store, look)
    if as_json:
        _print_json({"handoff": asdict(found), "turns": [asdict(turn) for turn in turns]})
        return
    typer.echo(f"{found.id} · {found.status}" + (f" by {found.agent}" if found.agent else ""))
    typer.echo(f"customer: {found.user.name or found.user.id}")
    typer.echo(f"why: {found.detail} ({found.reason})")
    for name, value in _about(found):
        typer.echo(f"{name}: {explaining.clean(value)}")
    typer.echo(
        f"asked at {explaining.at(found.requested_at)}, to be claimed by {explaining.at(found.deadline)} (UTC)"
    )
    typer.echo(f"summary:\n{found.summary or '(none)'}\n\nconversation:\n{explaining.transcript(turns)}")


def _about(handoff: Handoff) -> Iterator[tuple[str, str]]:
    """What not every handoff has."""
    if handoff.priority != "normal" or handoff.tags:
        yield "priority", f"{handoff.priority} {' '.join(f'#{tag}' for tag in handoff.tags)}".strip()
    if handoff.desk:
        yield "desk", " → ".join(handoff.desks) or handoff.desk
    if handoff.assignee:
        yield "offered to", handoff.assignee
    if handoff.slots:
        yield "gathered", ", ".join(f"{name} {value}" for name, value in handoff.slots.items())
    if handoff.reopened:
        yield "opened again", f"{handoff.reopened} time(s)"
    if handoff.rating:
        yield "rated", f"{handoff.rating} of 5"
    yield from (("note", note) for note in handoff.internal)


def explain(config: Path, store: Path | None, id: str, turns: int, *, as_json: bool) -> None:
    async def look(opened: SqliteStore) -> Any:
        return await opened.traces((await _find_conversation(opened, id)).id, limit=turns)

    traces = _with(config, store, look)
    if as_json:
        _print_json([{**entry, "usage": [asdict(one) for one in entry["usage"]]} for entry in traces])
        return
    typer.echo(
        "\n\n".join(explaining.trace(entry) for entry in reversed(traces)) or "nothing has been answered yet"
    )


def usage_report(config: Path, store: Path | None, days: int, *, as_json: bool) -> None:
    rows = _with(config, store, lambda opened: opened.usage(since=time.time() - days * 86_400))
    if as_json:
        _print_json([{"conversation": id, "channel": channel, **asdict(one)} for id, channel, one in rows])
        return
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0])
    for _, channel, one in rows:
        total = sums[explaining.at(one.at)[:10], channel, one.model]
        numbers = (
            1,
            one.outcome != "ok",
            one.prompt_tokens,
            one.cached_tokens,
            one.completion_tokens,
            one.cost or 0,
        )
        for place, number in enumerate(numbers):
            total[place] += number
    heads = ("day", "channel", "model", "calls", "failed", "tokens in", "cached", "tokens out", "dollars")
    _table(heads, [(*key, *total[:5], f"{total[5] / 1e6:.4f}") for key, total in sorted(sums.items())])


def account_list(config: Path, store: Path | None, *, as_json: bool) -> None:
    rows = _with(config, store, lambda opened: opened.console.accounts())
    if as_json:
        _print_json([asdict(row) for row in rows])
    elif not rows:
        typer.echo("no accounts: `supportbot console create-user LOGIN` makes one")
    else:
        shown = [
            (
                row.login,
                explaining.clean(row.name),
                row.role,
                "disabled" if row.disabled else "new password due" if row.must_change else "active",
                explaining.at(row.seen_at) if row.seen_at is not None else "never",
            )
            for row in rows
        ]
        _table(("login", "name", "role", "state", "last seen (UTC)"), shown)


def audit_list(config: Path, store: Path | None, limit: int, *, as_json: bool) -> None:
    rows = _with(config, store, lambda opened: opened.console.audit(limit=limit))
    if as_json:
        _print_json([asdict(row) for row in rows])
    elif not rows:
        typer.echo("nothing was done in the console yet")
    else:
        shown = [
            (explaining.at(row.at), row.account, row.action, row.object, explaining.clean(row.detail), row.address)
            for row in rows
        ]
        _table(("at (UTC)", "who", "action", "object", "detail", "address"), shown)
