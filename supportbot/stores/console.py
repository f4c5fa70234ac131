"""The console's accounts, sessions, audit log and canned replies.

1. Of a password only its argon2 hash comes in here, of a session's token only its SHA-256.
2. Some admin can always sign in: what would take the last one away is refused, in the same transaction.
3. A session counts only with its account: whoever is disabled has none, at once.
4. Where a change has a row for the audit log, both are written or neither.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from supportbot.errors import Conflict, NotFound
from supportbot.stores.codec import Row, clean
from supportbot.stores.run import Run
from supportbot.types.console import Account, AccountChange, AuditRow, Canned, ConsoleSession, Role

T = TypeVar("T")

MOST_SESSIONS = 20
"""Of one account; the one that was seen longest ago makes room."""

_EVERY = """SELECT id, login, name, role, created_at, seen_at, disabled, must_change, password <> '',
    coalesce(subject, ''), password FROM accounts """
_BY_ID = _EVERY + "WHERE id = ?"
_BY_LOGIN = _EVERY + "WHERE login = ?"
_BY_SUBJECT = _EVERY + "WHERE subject = ?"
_ACCOUNTS = _EVERY + "ORDER BY disabled, login LIMIT ?"
_ANY = "SELECT EXISTS (SELECT 1 FROM accounts)"
_ADD = """INSERT INTO accounts (login, name, role, password, subject, created_at, must_change)
    VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"""
_OTHER_ADMIN = """SELECT EXISTS (SELECT 1 FROM accounts WHERE role = 'admin' AND NOT disabled AND id <> ?
    AND (password <> '' OR subject IS NOT NULL))"""
_SET_NAME = "UPDATE accounts SET name = ? WHERE id = ?"
_SET_ROLE = "UPDATE accounts SET role = ? WHERE id = ?"
_SET_DISABLED = "UPDATE accounts SET disabled = ? WHERE id = ?"
_SET_PASSWORD = "UPDATE accounts SET password = ?, must_change = ? WHERE id = ?"  # noqa: S105 - a statement
_REHASH = "UPDATE accounts SET password = ? WHERE id = ? AND password = ?"
_SEEN = "UPDATE accounts SET seen_at = ? WHERE id = ?"

_ALIVE = """SELECT token, account, csrf, sessions.created_at, sessions.seen_at, expires_at, accounts.id, login, name,
    role, accounts.created_at, accounts.seen_at, disabled, must_change, password <> '', coalesce(subject, '')
    FROM sessions JOIN accounts ON accounts.id = sessions.account
    WHERE token = ? AND expires_at > ? AND sessions.seen_at > ? AND NOT disabled"""
_OPEN = "INSERT INTO sessions (token, account, csrf, created_at, seen_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)"
_TOUCH = "UPDATE sessions SET seen_at = ? WHERE token = ? AND seen_at < ?"
_END = "DELETE FROM sessions WHERE token = ?"
_END_OVER = "DELETE FROM sessions WHERE expires_at <= ?"
_END_ALL = "DELETE FROM sessions WHERE account = ? AND token <> ?"
_CROWDED = """DELETE FROM sessions WHERE token IN
    (SELECT token FROM sessions WHERE account = ? ORDER BY seen_at DESC LIMIT -1 OFFSET ?)"""
_SESSIONS_OF = """SELECT token, account, csrf, created_at, seen_at, expires_at FROM sessions
    WHERE account = ? AND expires_at > ? AND seen_at > ? ORDER BY seen_at DESC"""

_RECORD = "INSERT INTO audit (at, account, action, object, detail, address) VALUES (?, ?, ?, ?, ?, ?)"
_AUDIT = """SELECT id, at, account, action, object, detail, address FROM audit
    WHERE id < ?{filters} ORDER BY id DESC LIMIT ?"""
_LAST = 2**62

_CANNED = "SELECT id, title, text, locale, by, changed_at FROM canned ORDER BY title LIMIT ?"
_TITLE_TAKEN = "SELECT EXISTS (SELECT 1 FROM canned WHERE title = ? AND id <> ?)"
_ADD_CANNED = "INSERT INTO canned (title, text, locale, by, changed_at) VALUES (?, ?, ?, ?, ?) RETURNING id"
_SET_CANNED = "UPDATE canned SET title = ?, text = ?, locale = ?, by = ?, changed_at = ? WHERE id = ? RETURNING id"
_DROP_CANNED = "DELETE FROM canned WHERE id = ?"


class SqliteConsole:
    """Asks and changes by way of the store's threads; every method is one read or one transaction."""

    def __init__(self, read: Run, write: Run) -> None:
        self._read = read
        self._write = write

    # --- accounts ---

    async def any_account(self) -> bool:
        return await self._read(lambda connection: bool(connection.execute(_ANY).fetchone()[0]))

    async def accounts(self, *, limit: int = 1000) -> tuple[Account, ...]:
        """Those who can sign in first, by login."""
        return await self._read(lambda db: tuple(_account(row) for row in db.execute(_ACCOUNTS, (limit,))))

    async def account(self, id: int) -> Account:
        """NotFound if there is none."""
        return await self._read(lambda connection: _found(connection, id)[0])

    async def by_login(self, login: str) -> tuple[Account, str] | None:
        """The account and the hash of its password ("" for none)."""
        return await self._read(lambda connection: _one(connection, _BY_LOGIN, clean(login)))

    async def by_subject(self, subject: str) -> Account | None:
        found = await self._read(lambda connection: _one(connection, _BY_SUBJECT, clean(subject)))
        return None if found is None else found[0]

    async def password(self, id: int) -> str:
        """The hash of the account's password. NotFound if there is no account."""
        return await self._read(lambda connection: _found(connection, id)[1])

    async def create(
        self,
        login: str,
        *,
        name: str = "",
        role: Role | None = "agent",
        password: str = "",
        subject: str = "",
        must_change: bool = False,
        now: float,
        audit: AuditRow | None = None,
    ) -> Account:
        """Conflict if the login or the subject is taken. `role` None: admin for the first, agent for others."""
        values = (clean(login), clean(name), role, password, clean(subject), now, must_change)
        return await self._change(lambda connection: _create(connection, values), audit)

    async def rename(self, id: int, name: str, *, audit: AuditRow | None = None) -> None:
        await self._change(lambda connection: _update(connection, id, _SET_NAME, clean(name)), audit)

    async def set_role(self, id: int, role: Role, *, audit: AuditRow | None = None) -> None:
        """Conflict if they are the last admin and would be none."""
        await self._change(lambda connection: _set_role(connection, id, role), audit)

    async def set_disabled(self, id: int, disabled: bool, *, audit: AuditRow | None = None) -> None:
        """Ends their sessions. Conflict if they are the last admin."""
        await self._change(lambda connection: _set_disabled(connection, id, disabled), audit)

    async def set_password(
        self,
        id: int,
        password: str,
        *,
        must_change: bool = False,
        instead_of: str | None = None,
        audit: AuditRow | None = None,
    ) -> None:
        """Another hash; ends every session of the account. Conflict if the old one is not `instead_of`."""
        await self._change(
            lambda connection: _set_password(connection, id, password, must_change, instead_of), audit
        )

    async def rehash(self, id: int, old: str, new: str) -> None:
        """The same password under other parameters; nothing if it was changed meanwhile."""
        await self._write(lambda connection: connection.execute(_REHASH, (new, id, old)).rowcount)

    async def apply(self, change: AccountChange, *, now: float) -> Account:
        """What somebody at a shell asks, with its row in the audit log. NotFound, Conflict."""
        return await self._write(lambda connection: _apply(connection, change, now))

    # --- sessions ---

    async def open_session(
        self, session: ConsoleSession, *, replaces: str = "", audit: AuditRow | None = None
    ) -> None:
        await self._change(lambda connection: _open(connection, session, replaces), audit)

    async def session(self, digest: str, *, now: float, idle: float) -> tuple[ConsoleSession, Account] | None:
        """The session and whose it is; None if it ended, lay idle for so long (seconds), or is disabled."""
        row = await self._read(lambda db: db.execute(_ALIVE, (digest, now, now - idle)).fetchone())
        return None if row is None else (ConsoleSession(*row[:6]), _account(row[6:]))

    async def sessions(self, account: int, *, now: float, idle: float) -> tuple[ConsoleSession, ...]:
        """Those of one account that hold, the last seen first."""
        values = (account, now, now - idle)
        return await self._read(lambda db: tuple(ConsoleSession(*row) for row in db.execute(_SESSIONS_OF, values)))

    async def touch(self, session: ConsoleSession, *, now: float) -> None:
        await self._write(lambda connection: _touch(connection, session, now))

    async def end_session(self, digest: str, *, audit: AuditRow | None = None) -> None:
        await self._change(lambda connection: connection.execute(_END, (digest,)).rowcount, audit)

    async def end_sessions(self, account: int, *, keep: str = "", audit: AuditRow | None = None) -> int:
        """Ends all of an account but `keep`; how many."""
        return await self._change(lambda db: db.execute(_END_ALL, (account, keep)).rowcount, audit)

    # --- the audit log ---

    async def record(self, row: AuditRow) -> None:
        """Writes it; its `id` counts for nothing."""
        await self._write(lambda connection: _record(connection, row))

    async def audit(
        self,
        *,
        account: str = "",
        action: str = "",
        object: str = "",
        before: int | None = None,
        limit: int = 50,
    ) -> tuple[AuditRow, ...]:
        """Newest first; `action` is the beginning of one, `before` an id."""
        wanted = {" AND account = ?": account, " AND substr(action, 1, length(?)) = ?": action}
        wanted[" AND object = ?"] = object
        kept = {part: clean(value) for part, value in wanted.items() if value}
        values = [value for part, value in kept.items() for _ in range(part.count("?"))]
        query = _AUDIT.format(filters="".join(kept))
        asked = (_LAST if before is None else before, *values, limit)
        return await self._read(lambda db: tuple(AuditRow(*row) for row in db.execute(query, asked)))

    # --- canned replies ---

    async def canned(self, *, limit: int = 1000) -> tuple[Canned, ...]:
        """By title."""
        return await self._read(lambda db: tuple(Canned(*row) for row in db.execute(_CANNED, (limit,))))

    async def save_canned(self, reply: Canned, *, audit: AuditRow | None = None) -> int:
        """Adds it (`id` 0) or changes it; its id. Conflict if the title is taken, NotFound if it is gone."""
        return await self._change(lambda connection: _save_canned(connection, reply), audit)

    async def delete_canned(self, id: int, *, audit: AuditRow | None = None) -> None:
        await self._change(lambda connection: connection.execute(_DROP_CANNED, (id,)).rowcount, audit)

    async def _change(self, function: Callable[[sqlite3.Connection], T], audit: AuditRow | None) -> T:
        def both(connection: sqlite3.Connection) -> T:
            result = function(connection)
            if audit is not None:
                _record(connection, audit)
            return result

        return await self._write(both)


def _account(row: Row) -> Account:
    id, login, name, role, created_at, seen_at, disabled, must_change, own, subject = row[:10]
    flags = bool(disabled), bool(must_change), bool(own)
    return Account(id, login, name, role, created_at, seen_at, *flags, subject)


def _one(connection: sqlite3.Connection, query: str, value: object) -> tuple[Account, str] | None:
    row = connection.execute(query, (value,)).fetchone()
    return None if row is None else (_account(row), row[10])


def _found(connection: sqlite3.Connection, id: int) -> tuple[Account, str]:
    found = _one(connection, _BY_ID, id)
    if found is None:
        raise NotFound("There is no such account.")
    return found


def _create(connection: sqlite3.Connection, values: Row) -> Account:
    login, name, role, password, subject, now, must_change = values
    if _one(connection, _BY_LOGIN, login) is not None:
        raise Conflict(f"There is an account {login!r} already: choose another login.")
    if subject and _one(connection, _BY_SUBJECT, subject) is not None:
        raise Conflict("There is an account for this single sign-on already.")
    first = not connection.execute(_ANY).fetchone()[0]
    row = (
        login,
        name or login,
        role or ("admin" if first else "agent"),
        password,
        subject or None,
        now,
        must_change,
    )
    return _found(connection, connection.execute(_ADD, row).fetchone()[0])[0]


def _update(connection: sqlite3.Connection, id: int, query: str, *values: object) -> None:
    if not connection.execute(query, (*values, id)).rowcount:
        raise NotFound("There is no such account.")


def _keep_an_admin(connection: sqlite3.Connection, account: Account) -> None:
    """Conflict if nobody else is an admin who can sign in."""
    counts = account.role == "admin" and not account.disabled
    if counts and not connection.execute(_OTHER_ADMIN, (account.id,)).fetchone()[0]:
        raise Conflict(f"{account.login} is the last admin: make somebody else an admin first.")


def _set_role(connection: sqlite3.Connection, id: int, role: Role) -> None:
    account = _found(connection, id)[0]
    if role != "admin":
        _keep_an_admin(connection, account)
    _update(connection, id, _SET_ROLE, role)


def _set_disabled(connection: sqlite3.Connection, id: int, disabled: bool) -> None:
    account = _found(connection, id)[0]
    if disabled:
        _keep_an_admin(connection, account)
    _update(connection, id, _SET_DISABLED, disabled)
    connection.execute(_END_ALL, (id, ""))


def _set_password(
    connection: sqlite3.Connection, id: int, password: str, must_change: bool, instead_of: str | None = None
) -> None:
    if instead_of is not None and _found(connection, id)[1] != instead_of:
        raise Conflict("The password was changed meanwhile: sign in again.")
    _update(connection, id, _SET_PASSWORD, password, must_change)
    connection.execute(_END_ALL, (id, ""))


def _apply(connection: sqlite3.Connection, change: AccountChange, now: float) -> Account:
    login = clean(change.login)
    if change.kind == "create":
        values = (login, clean(change.name), change.role, change.password, "", now, change.must_change)
        account = _create(connection, values)
    else:
        found = _one(connection, _BY_LOGIN, login)
        if found is None:
            raise NotFound(f"There is no account {login!r}: `supportbot console users` lists them.")
        account = found[0]
        if change.kind == "password":
            _set_password(connection, account.id, change.password, change.must_change)
        else:
            _set_disabled(connection, account.id, change.kind == "disable")
        account = _found(connection, account.id)[0]
    detail = account.role if change.kind == "create" else ""
    _record(connection, AuditRow(0, now, change.by, f"account.{change.kind}", f"account:{login}", detail, ""))
    return account


def _open(connection: sqlite3.Connection, session: ConsoleSession, replaces: str) -> None:
    connection.execute(_END, (replaces,))
    connection.execute(_END_OVER, (session.created_at,))
    values = (session.digest, session.account, session.csrf, session.created_at, session.seen_at)
    connection.execute(_OPEN, (*values, session.expires_at))
    connection.execute(_CROWDED, (session.account, MOST_SESSIONS))
    connection.execute(_SEEN, (session.created_at, session.account))


def _touch(connection: sqlite3.Connection, session: ConsoleSession, now: float) -> None:
    if connection.execute(_TOUCH, (now, session.digest, now)).rowcount:
        connection.execute(_SEEN, (now, session.account))


def _record(connection: sqlite3.Connection, row: AuditRow) -> None:
    texts = (clean(text) for text in (row.account, row.action, row.object, row.detail, row.address))
    connection.execute(_RECORD, (row.at, *texts))


def _save_canned(connection: sqlite3.Connection, reply: Canned) -> int:
    title = clean(reply.title)
    if connection.execute(_TITLE_TAKEN, (title, reply.id)).fetchone()[0]:
        raise Conflict(f"There is a reply {title!r} already: choose another title.")
    values = (title, clean(reply.text), clean(reply.locale), clean(reply.by), reply.changed_at)
    query, asked = (_SET_CANNED, (*values, reply.id)) if reply.id else (_ADD_CANNED, values)
    row = connection.execute(query, asked).fetchone()
    if row is None:
        raise NotFound("There is no such reply any more.")
    id: int = row[0]
    return id
