"""`supportbot console …` at a shell: with nothing running, and beside the process that owns the database."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from commands import COMMAND, Done, assert_refused, environment, run, serving

from supportbot.console.passwords import Passwords
from supportbot.stores import SqliteStore
from supportbot.testing import FakeInbox
from supportbot.types.console import AccountChange, ConsoleSession
from supportbot.web import control

STORE = ("--store", "bot.db")
PASSWORD = "seven green lamps at noon"


def console(folder: Path, *args: str, stdin: str = "") -> Done:
    return run(folder, "console", *args, *STORE, stdin=stdin.encode())


def created(folder: Path, login: str, *args: str) -> Done:
    done = console(folder, "create-user", login, "--password-stdin", *args, stdin=PASSWORD + "\n")
    assert (done.code, done.err) == (0, ""), done
    return done


async def hash_of(folder: Path, login: str) -> str:
    store = SqliteStore.read_only(folder / "bot.db")
    await store.open()
    try:
        found = await store.console.by_login(login)
    finally:
        await store.close()
    assert found is not None
    return found[1]


def test_the_first_account_is_an_admin_and_its_made_password_is_printed_once(tmp_path: Path) -> None:
    done = console(tmp_path, "create-user", "Root", "--name", "Root R.")
    assert done.code == 0 and done.out.startswith("created root (admin)\npassword: ")
    password = done.out.split()[-1]
    assert re.fullmatch(r"[a-z0-9]{5}(-[a-z0-9]{5}){3}", password) and "changed at the first sign-in" in done.err
    hash = asyncio.run(hash_of(tmp_path, "root"))
    assert asyncio.run(Passwords().check(password, hash))
    (row,) = console(tmp_path, "users", "--json").rows
    assert (row["login"], row["name"], row["role"], row["must_change"]) == ("root", "Root R.", "admin", True)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert password.encode() not in kept
    listed = console(tmp_path, "users")
    assert "root" in listed.out and "new password due" in listed.out and password not in listed.out


def test_accounts_are_made_changed_and_listed(tmp_path: Path) -> None:
    assert created(tmp_path, "root").out == "created root (admin)\n"
    assert created(tmp_path, "ana", "--role", "lead", "--name", "Ana").out == "created ana (lead)\n"
    assert created(tmp_path, "bob").out == "created bob (agent)\n"
    assert console(tmp_path, "disable", "bob").out == "bob is disabled\n"
    states = {row["login"]: (row["role"], row["disabled"]) for row in console(tmp_path, "users", "--json").rows}
    assert states == {"root": ("admin", False), "ana": ("lead", False), "bob": ("agent", True)}
    assert console(tmp_path, "enable", "bob").code == 0
    before = asyncio.run(hash_of(tmp_path, "bob"))
    reset = console(tmp_path, "reset-password", "bob")
    assert reset.code == 0 and "password: " in reset.out
    assert asyncio.run(hash_of(tmp_path, "bob")) != before
    rows = console(tmp_path, "audit", "--json").rows
    assert [(row["action"], row["object"]) for row in rows] == [
        ("account.password", "account:bob"),
        ("account.enable", "account:bob"),
        ("account.disable", "account:bob"),
        ("account.create", "account:bob"),
        ("account.create", "account:ana"),
        ("account.create", "account:root"),
    ]
    assert {row["account"].partition(":")[0] for row in rows} == {"shell"}
    shown = console(tmp_path, "audit", "--limit", "2").out
    assert "account.password" in shown and "account.create" not in shown and "argon2" not in shown


@pytest.mark.parametrize(
    ("args", "stdin", "sentence"),
    [
        (("create-user", "root", "--password-stdin"), PASSWORD, "There is an account 'root' already"),
        (("create-user", "a b", "--password-stdin"), PASSWORD, "A login has up to 64 small letters"),
        (("create-user", "-", "--password-stdin"), PASSWORD, "A login has up to 64 small letters"),
        (("create-user", "ana", "--role", "king"), "", "There is no role 'king': write agent, lead or admin."),
        (("create-user", "ana", "--name", "x" * 81), "", "The name is too long"),
        (("create-user", "ana", "--password-stdin"), "short", "The password is too short"),
        (("create-user", "ana", "--password-stdin"), "", "The password is too short"),
        (("create-user", "ana", "--password-stdin"), "x" * 9_000, "The password is too long"),
        (("reset-password", "eve"), "", "There is no account 'eve': `supportbot console users` lists them."),
        (("disable", "eve"), "", "There is no account 'eve'"),
        (("disable", "root"), "", "root is the last admin"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(tmp_path: Path, args: tuple[str, ...], stdin: str, sentence: str) -> None:
    created(tmp_path, "root")
    assert_refused(console(tmp_path, *args, stdin=stdin), sentence)
    assert [row["login"] for row in console(tmp_path, "users", "--json").rows] == ["root"]


def test_what_is_no_text_is_no_password(tmp_path: Path) -> None:
    done = run(tmp_path, "console", "create-user", "ana", "--password-stdin", *STORE, stdin=b"\xff\xfe" * 20)
    assert_refused(done, "No password was given.")


def test_lists_of_a_database_that_is_not_there_are_one_sentence(tmp_path: Path) -> None:
    assert_refused(console(tmp_path, "users"), "There is no database")
    assert_refused(console(tmp_path, "audit"), "There is no database")


def test_the_database_of_the_config_is_used(tmp_path: Path) -> None:
    assert run(tmp_path, "init", "bot").code == 0
    bot = tmp_path / "bot"
    assert run(bot, "console", "create-user", "ana").code == 0
    assert (bot / "data" / "supportbot.db").exists()
    assert [row["login"] for row in run(bot, "console", "users", "--json").rows] == ["ana"]
    assert "ana" in run(bot, "console", "users").out and "account:ana" in run(bot, "console", "audit").out


# --- at a terminal ---


def typed(folder: Path, *lines: str) -> tuple[int, str]:
    """The exit code and what is shown when the lines are typed, each at its prompt."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "console", "create-user", "ana", *STORE],
        cwd=folder,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    shown, waiting, end = "", list(lines), time.monotonic() + 30
    try:
        while time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                try:
                    shown += os.read(master, 65_536).decode()
                except OSError:  # the other side is closed
                    break
            elif process.poll() is not None:
                break
            if waiting and shown.endswith(": "):
                os.write(master, waiting.pop(0).encode())
                shown += "\n"
        return process.wait(10), shown
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)


def test_at_a_terminal_the_password_is_asked_for_twice_and_never_shown(tmp_path: Path) -> None:
    code, shown = typed(tmp_path, PASSWORD + "\n", PASSWORD + "\n")
    assert code == 0 and "created ana (admin)" in shown, shown
    assert PASSWORD not in shown and shown.count(": ") == 2
    assert asyncio.run(Passwords().check(PASSWORD, asyncio.run(hash_of(tmp_path, "ana"))))


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ((PASSWORD + "\n", PASSWORD + "x\n"), "The two passwords are not the same."),
        (("short\n", "short\n"), "The password is too short"),
        (("\x04",), "No password was given."),
    ],
)
def test_a_mistake_at_the_terminal_is_one_sentence(tmp_path: Path, lines: tuple[str, ...], sentence: str) -> None:
    code, shown = typed(tmp_path, *lines)
    assert code == 2 and sentence in shown and "Traceback" not in shown, shown
    assert not (tmp_path / "bot.db").exists()


def test_nothing_typed_makes_a_password(tmp_path: Path) -> None:
    code, shown = typed(tmp_path, "\n")
    assert code == 0 and re.search(r"password: [a-z0-9-]{23}", shown), shown


# --- beside the process that owns the database ---


@pytest.fixture
async def owner(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store that is open here, and reached by its socket."""
    store = SqliteStore(tmp_path / "bot.db", enqueue=lambda transaction, job: None)
    await store.open()
    async with control.listening(
        tmp_path / "bot.sock", FakeInbox(), lambda change: store.console.apply(change, now=time.time())
    ):
        yield store
    await store.close()


async def test_beside_a_server_the_change_is_done_by_the_server(tmp_path: Path, owner: SqliteStore) -> None:
    made = await asyncio.to_thread(created, tmp_path, "root")
    assert made.out == "created root (admin)\n"
    found = await owner.console.by_login("root")
    assert found is not None and await Passwords().check(PASSWORD, found[1])
    now = time.time()
    await owner.console.open_session(ConsoleSession("d", found[0].id, "c", now, now, now + 60))
    reset = await asyncio.to_thread(console, tmp_path, "reset-password", "root")
    assert reset.code == 0 and "password: " in reset.out
    assert await owner.console.session("d", now=now, idle=60) is None
    assert [row.action for row in await owner.console.audit()] == ["account.password", "account.create"]
    listed = await asyncio.to_thread(console, tmp_path, "users", "--json")
    assert [row["login"] for row in listed.rows] == ["root"]


def test_an_account_made_beside_a_running_server_signs_in_there_at_once(tmp_path: Path) -> None:
    assert run(tmp_path, "init", "bot").code == 0
    bot = tmp_path / "bot"
    with serving(bot) as server:
        made = run(bot, "console", "create-user", "ana", "--password-stdin", stdin=PASSWORD.encode())
        assert (made.code, made.out) == (0, "created ana (admin)\n"), made
        with httpx2.Client(trust_env=False, base_url=server.url, headers={"origin": server.url}) as browser:
            done = browser.post("/console/sign-in", data={"login": "ana", "password": PASSWORD})
            assert done.status_code == 303, done.text
            assert browser.get("/console/accounts").status_code == 200
            assert run(bot, "console", "reset-password", "ana").code == 0
            assert browser.get("/console/accounts").status_code == 303
        assert server.stop() == 0
    assert PASSWORD not in "".join(server.log)


async def test_what_the_server_refuses_is_one_sentence(tmp_path: Path, owner: SqliteStore) -> None:
    await asyncio.to_thread(created, tmp_path, "root")
    for args, sentence in (
        (("disable", "root"), "root is the last admin"),
        (("create-user", "root"), "There is an account 'root' already"),
        (("enable", "eve"), "There is no account 'eve'"),
    ):
        assert_refused(await asyncio.to_thread(console, tmp_path, *args), sentence)


async def test_a_process_without_accounts_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "bot.db", enqueue=lambda transaction, job: None)
    await store.open()
    async with control.listening(tmp_path / "bot.sock", FakeInbox()):
        assert_refused(await asyncio.to_thread(console, tmp_path, "create-user", "ana"), "has no accounts")
    await store.close()


async def test_the_socket_takes_no_password_and_nothing_that_is_no_change(
    tmp_path: Path, owner: SqliteStore
) -> None:
    good = {"kind": "create", "login": "ana", "by": "shell:x", "password": "$argon2id$v=19$m=8,t=1,p=1$YWJj$YWJj"}
    bad: list[object] = [
        {},
        [],
        7,
        good | {"password": PASSWORD},
        good | {"password": ""},
        good | {"kind": "delete"},
        good | {"role": "king"},
        good | {"login": 7},
        good | {"more": 1},
        good | {"must_change": "yes"},
        good | {"kind": "disable"},
    ]
    transport = httpx2.AsyncHTTPTransport(uds=str(tmp_path / "bot.sock"))
    async with httpx2.AsyncClient(transport=transport) as client:
        for body in bad:
            assert (await client.post("http://x/account", json=body)).status_code == 400, body
        for raw in (b"", b"\xff", b"[" * 5000):
            assert (await client.post("http://x/account", content=raw)).status_code == 400
        assert (await client.post("http://x/account", content=b"x" * 30_000)).status_code == 413
        assert (await client.post("http://x/account", json=good)).status_code == 200
    assert [one.login for one in await owner.console.accounts()] == ["ana"]


def test_a_change_does_not_show_its_hash() -> None:
    assert "$argon2" not in repr(AccountChange("password", "ana", by="x", password="$argon2id$secret"))
