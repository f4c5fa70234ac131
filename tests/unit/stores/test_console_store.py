"""The console's side of the real store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from supportbot.errors import Conflict, NotFound
from supportbot.stores import SqliteStore
from supportbot.stores.console import MOST_SESSIONS, SqliteConsole
from supportbot.types.console import AccountChange, AuditRow, Canned, ConsoleSession

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$YWJjZGVmZ2g"
IDLE = 600.0


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[SqliteConsole]:
    store = SqliteStore(tmp_path / "bot.db", enqueue=lambda transaction, job: None)
    await store.open()
    yield store.console
    await store.close()


def session(digest: str, account: int, *, at: float = 100.0, until: float = 10_000.0) -> ConsoleSession:
    return ConsoleSession(digest, account, f"csrf-{digest}", at, at, until)


def row(action: str, object: str = "", *, account: str = "ana", at: float = 1.0) -> AuditRow:
    return AuditRow(0, at, account, action, object, "", "192.0.2.1")


# --- accounts ---


async def test_an_account_is_found_by_id_login_and_subject(console: SqliteConsole) -> None:
    assert not await console.any_account()
    ana = await console.create("ana", name="Ana", role="lead", password=HASH, now=5.0)
    bob = await console.create("bob", subject="https://id.example|7", now=6.0)
    assert await console.any_account()
    assert (ana.login, ana.name, ana.role, ana.own_password, ana.created_at) == ("ana", "Ana", "lead", True, 5.0)
    assert (bob.name, bob.role, bob.own_password, bob.subject) == ("bob", "agent", False, "https://id.example|7")
    assert await console.account(ana.id) == ana
    assert await console.by_login("ana") == (ana, HASH)
    assert await console.by_login("bob") == (bob, "")
    assert await console.by_subject("https://id.example|7") == bob
    assert await console.by_login("eve") is None and await console.by_subject("") is None
    with pytest.raises(NotFound):
        await console.account(99)
    assert [one.login for one in await console.accounts()] == ["ana", "bob"]


async def test_a_login_and_a_subject_belong_to_one_account(console: SqliteConsole) -> None:
    await console.create("ana", subject="i|1", now=1.0)
    with pytest.raises(Conflict, match="There is an account 'ana' already"):
        await console.create("ana", now=2.0, audit=row("account.create"))
    with pytest.raises(Conflict, match="single sign-on"):
        await console.create("bob", subject="i|1", now=2.0)
    assert len(await console.accounts()) == 1
    assert await console.audit() == (), "what was refused is not in the audit log"


async def test_the_first_account_is_an_admin_if_nobody_says_otherwise(console: SqliteConsole) -> None:
    first = await console.create("ana", role=None, password=HASH, now=1.0)
    second = await console.create("bob", role=None, password=HASH, now=1.0)
    assert (first.role, second.role) == ("admin", "agent")


async def test_the_last_admin_stays_one(console: SqliteConsole) -> None:
    ana = await console.create("ana", role="admin", password=HASH, now=1.0)
    await console.create("nobody", role="admin", now=1.0)  # cannot sign in at all
    gone = await console.create("gone", role="admin", password=HASH, now=1.0)
    await console.set_disabled(gone.id, True)
    for change in (
        console.set_role(ana.id, "lead", audit=row("account.role")),
        console.set_disabled(ana.id, True),
    ):
        with pytest.raises(Conflict, match="ana is the last admin"):
            await change
    assert (await console.account(ana.id)).role == "admin" and await console.audit() == ()
    await console.set_role(ana.id, "admin")
    await console.set_disabled(gone.id, False)
    await console.set_role(ana.id, "lead")
    assert (await console.account(ana.id)).role == "lead"


async def test_two_admins_who_demote_each_other_at_once_leave_one(console: SqliteConsole) -> None:
    ana = await console.create("ana", role="admin", password=HASH, now=1.0)
    bob = await console.create("bob", role="admin", password=HASH, now=1.0)
    done = await asyncio.gather(
        console.set_role(ana.id, "agent"), console.set_disabled(bob.id, True), return_exceptions=True
    )
    assert [type(one) for one in done] == [type(None), Conflict]
    assert [one.role for one in await console.accounts() if not one.disabled] == ["agent", "admin"]


async def test_a_new_password_ends_every_session_and_a_rehash_none(console: SqliteConsole) -> None:
    ana = await console.create("ana", password=HASH, must_change=True, now=1.0)
    await console.open_session(session("a", ana.id))
    await console.rehash(ana.id, "another", "new")
    assert await console.password(ana.id) == HASH, "it was changed meanwhile"
    await console.rehash(ana.id, HASH, "new")
    assert await console.password(ana.id) == "new"
    assert await console.session("a", now=101.0, idle=IDLE) is not None
    with pytest.raises(Conflict, match="changed meanwhile"):
        await console.set_password(ana.id, "newer", instead_of=HASH)
    await console.set_password(ana.id, "newer", instead_of="new")
    assert await console.session("a", now=101.0, idle=IDLE) is None
    assert not (await console.account(ana.id)).must_change


async def test_nothing_is_done_to_an_account_that_is_not_there(console: SqliteConsole) -> None:
    for change in (
        console.rename(9, "x"),
        console.set_role(9, "lead"),
        console.set_disabled(9, True),
        console.set_password(9, HASH),
        console.password(9),
    ):
        with pytest.raises(NotFound):
            await change


@pytest.mark.parametrize("kind", ["password", "disable", "enable"])
async def test_a_shells_change_of_nobody_says_how_to_find_somebody(console: SqliteConsole, kind: str) -> None:
    with pytest.raises(NotFound, match="supportbot console users"):
        await console.apply(AccountChange(kind, "ana", by="shell:root", password=HASH), now=1.0)  # type: ignore[arg-type]


async def test_a_shells_changes_stand_in_the_audit_log_without_the_hash(console: SqliteConsole) -> None:
    made = await console.apply(AccountChange("create", "ana", by="shell:root", name="Ana", password=HASH), now=1.0)
    await console.open_session(session("a", made.id))
    await console.apply(AccountChange("password", "ana", by="shell:root", password=HASH + "x"), now=2.0)
    assert await console.session("a", now=101.0, idle=IDLE) is None
    with pytest.raises(Conflict):
        await console.apply(AccountChange("disable", "ana", by="shell:root"), now=3.0)
    rows = await console.audit()
    assert [(one.account, one.action, one.object) for one in rows] == [
        ("shell:root", "account.password", "account:ana"),
        ("shell:root", "account.create", "account:ana"),
    ]
    assert "argon2" not in str(rows) and HASH not in repr(AccountChange("create", "a", by="b", password=HASH))


# --- sessions ---


async def test_a_session_ends_by_itself_absolutely_and_when_it_lies_idle(console: SqliteConsole) -> None:
    ana = await console.create("ana", password=HASH, now=1.0)
    opened = session("a", ana.id, at=100.0, until=1000.0)
    await console.open_session(opened)
    assert await console.session("a", now=100.0 + IDLE - 1, idle=IDLE) is not None
    assert await console.session("a", now=100.0 + IDLE, idle=IDLE) is None
    await console.touch(opened, now=650.0)
    found = await console.session("a", now=999.0, idle=IDLE)
    assert found is not None and found[0].seen_at == 650.0 and found[1].seen_at == 650.0
    assert await console.session("a", now=1000.0, idle=IDLE) is None
    assert await console.sessions(ana.id, now=999.0, idle=IDLE) == (found[0],)


async def test_the_sessions_of_whoever_is_disabled_end_at_once_and_do_not_come_back(
    console: SqliteConsole,
) -> None:
    ana = await console.create("ana", password=HASH, now=1.0)
    await console.open_session(session("a", ana.id))
    await console.set_disabled(ana.id, True, audit=row("account.disable"))
    assert await console.session("a", now=101.0, idle=IDLE) is None
    await console.open_session(session("b", ana.id))
    assert await console.session("b", now=101.0, idle=IDLE) is None, "one that was opened meanwhile counts neither"
    await console.set_disabled(ana.id, False)
    assert await console.session("a", now=101.0, idle=IDLE) is None


async def test_signing_in_replaces_the_browsers_old_session(console: SqliteConsole) -> None:
    ana = await console.create("ana", password=HASH, now=1.0)
    await console.open_session(session("old", ana.id))
    await console.open_session(session("new", ana.id), replaces="old", audit=row("sign-in"))
    assert await console.session("old", now=101.0, idle=IDLE) is None
    assert await console.session("new", now=101.0, idle=IDLE) is not None
    assert [one.action for one in await console.audit()] == ["sign-in"]


async def test_all_sessions_but_one_can_be_ended(console: SqliteConsole) -> None:
    ana = await console.create("ana", password=HASH, now=1.0)
    bob = await console.create("bob", password=HASH, now=1.0)
    for digest, account in (("a", ana.id), ("b", ana.id), ("c", ana.id), ("d", bob.id)):
        await console.open_session(session(digest, account))
    assert await console.end_sessions(ana.id, keep="b") == 2
    await console.end_session("b")
    assert [await console.session(digest, now=101.0, idle=IDLE) is not None for digest in "abcd"] == [
        False
    ] * 3 + [True]


async def test_an_account_has_no_more_than_so_many_sessions(console: SqliteConsole) -> None:
    ana = await console.create("ana", password=HASH, now=1.0)
    for number in range(MOST_SESSIONS + 5):
        await console.open_session(session(f"s{number}", ana.id, at=100.0 + number))
    kept = await console.sessions(ana.id, now=101.0, idle=IDLE)
    assert len(kept) == MOST_SESSIONS and kept[0].digest == f"s{MOST_SESSIONS + 4}"


async def test_only_sessions_that_have_not_ended_are_listed(console: SqliteConsole) -> None:
    ana = await console.create("ana", password=HASH, now=1.0)
    await console.open_session(session("idle", ana.id, at=100.0))
    await console.open_session(session("over", ana.id, at=900.0, until=950.0))
    await console.open_session(session("good", ana.id, at=900.0))
    assert [one.digest for one in await console.sessions(ana.id, now=1000.0, idle=IDLE)] == ["good"]


async def test_each_sign_in_clears_away_the_sessions_whose_time_is_over(
    tmp_path: Path, console: SqliteConsole
) -> None:
    ana = await console.create("ana", password=HASH, now=1.0)
    await console.open_session(session("over", ana.id, at=100.0, until=200.0))
    await console.open_session(session("good", ana.id, at=150.0))
    await console.open_session(session("new", ana.id, at=200.0))
    with closing(sqlite3.connect(tmp_path / "bot.db")) as connection:
        kept = {token for (token,) in connection.execute("SELECT token FROM sessions")}
    assert kept == {"good", "new"}


# --- the audit log ---


async def test_the_audit_log_is_read_newest_first_by_pages_and_filters(console: SqliteConsole) -> None:
    for number in range(10):
        await console.record(
            row(("account.role", "sign-in")[number % 2], f"o{number % 5}", account=("ana", "bob")[number % 2])
        )
    every = await console.audit()
    assert [one.id for one in every] == sorted((one.id for one in every), reverse=True) and len(every) == 10
    first = await console.audit(limit=4)
    second = await console.audit(limit=4, before=first[-1].id)
    assert (*first, *second) == every[:8]
    assert {one.account for one in await console.audit(account="bob")} == {"bob"}
    assert {one.action for one in await console.audit(action="account.")} == {"account.role"}
    assert {one.object for one in await console.audit(object="o3", account="ana")} == {"o3"}
    assert await console.audit(action="%") == () and await console.audit(object="' OR 1=1 --") == ()


async def test_a_change_and_its_row_are_written_both_or_neither(console: SqliteConsole) -> None:
    ana = await console.create("ana", password=HASH, now=1.0)
    broken = AuditRow(0, 1.0, "ana", "account.name", "x", "", None)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        await console.rename(ana.id, "Other", audit=broken)
    assert (await console.account(ana.id)).name == "ana"


async def test_text_that_no_database_takes_is_taken(console: SqliteConsole) -> None:
    ana = await console.create("ana", name="\ud83d\ude00 \ud800", now=1.0)
    assert ana.name == "😀 \ufffd"
    await console.record(row("x", "\udc00"))


# --- canned replies ---


async def test_canned_replies_are_added_changed_and_deleted(console: SqliteConsole) -> None:
    late = await console.save_canned(
        Canned(0, "Late", "Sorry, it is late.", "en", "ana", 1.0), audit=row("canned.save")
    )
    await console.save_canned(Canned(0, "Hello", "Hello!", "", "ana", 2.0))
    assert [one.title for one in await console.canned()] == ["Hello", "Late"]
    assert await console.save_canned(Canned(late, "Late", "It is on its way.", "en", "bob", 3.0)) == late
    assert (await console.canned())[1] == Canned(late, "Late", "It is on its way.", "en", "bob", 3.0)
    with pytest.raises(Conflict, match="There is a reply 'Hello' already"):
        await console.save_canned(Canned(late, "Hello", "", "", "bob", 4.0))
    await console.delete_canned(late, audit=row("canned.delete"))
    with pytest.raises(NotFound):
        await console.save_canned(Canned(late, "Late", "", "", "bob", 5.0))
    assert [one.action for one in await console.audit()] == ["canned.delete", "canned.save"]


async def test_whoever_only_reads_changes_nothing(tmp_path: Path, console: SqliteConsole) -> None:
    await console.create("ana", now=1.0)
    reader = SqliteStore.read_only(tmp_path / "bot.db")
    await reader.open()
    try:
        assert [one.login for one in await reader.console.accounts()] == ["ana"]
        with pytest.raises(Exception, match="opened for reading only"):
            await reader.console.rename(1, "Eve")
    finally:
        await reader.close()


async def test_every_question_of_a_request_goes_by_an_index(tmp_path: Path, console: SqliteConsole) -> None:
    from supportbot.stores import console as module

    connection = sqlite3.connect(tmp_path / "bot.db")
    for query, values in (
        (module._ALIVE, ("a", 0, 0)),
        (module._BY_LOGIN, ("a",)),
        (module._BY_SUBJECT, ("a",)),
        (module._SESSIONS_OF, (1, 0, 0)),
    ):
        plan = " ".join(step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {query}", values))
        assert "SCAN" not in plan, plan
    connection.close()
