"""The database's history: one function per migration, applied in order, never edited once released.

A migration runs inside the caller's BEGIN IMMEDIATE: sqlite-utils' own deferred BEGIN would fail beside a writer.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database, Migrations

from supportbot.errors import StoreError, StoreNewer
from supportbot.stores import connect, tallies
from supportbot.stores.schema_pages import PAGES

migrations = Migrations("supportbot")

_FIRST = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE conversations (
        id INTEGER PRIMARY KEY,
        public TEXT NOT NULL UNIQUE,
        channel TEXT NOT NULL,
        chat TEXT NOT NULL,
        thread TEXT NOT NULL,
        customer TEXT NOT NULL,
        customer_name TEXT NOT NULL,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        turn INTEGER NOT NULL DEFAULT 0,
        cut INTEGER NOT NULL DEFAULT 0,
        attempt INTEGER NOT NULL DEFAULT 0,
        tries INTEGER NOT NULL DEFAULT 0,
        locale TEXT NOT NULL DEFAULT '',
        summary TEXT NOT NULL DEFAULT '',
        UNIQUE (channel, chat, thread))""",
    "CREATE INDEX conversations_by_change ON conversations (updated_at)",
    # roles are numbers (codec.ROLES); NULL stands for "" and ()
    """CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL REFERENCES conversations,
        turn INTEGER NOT NULL,
        role INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        content TEXT NOT NULL,
        name TEXT,
        tool_calls TEXT,
        tool_call_id TEXT)""",
    "CREATE INDEX messages_by_turn ON messages (conversation, turn)",
    """CREATE TABLE states (
        conversation INTEGER NOT NULL REFERENCES conversations,
        author TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (conversation, author)) WITHOUT ROWID""",
    # AUTOINCREMENT: a position is never used twice, also after the newest rows were swept
    """CREATE TABLE inbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL REFERENCES conversations,
        channel TEXT NOT NULL,
        message TEXT NOT NULL,
        kind TEXT NOT NULL,
        digest TEXT NOT NULL,
        user TEXT NOT NULL,
        user_name TEXT NOT NULL,
        text TEXT NOT NULL,
        extra TEXT,
        received_at REAL NOT NULL,
        ready_at REAL NOT NULL,
        turn INTEGER,
        done_at REAL,
        UNIQUE (channel, message))""",
    "CREATE INDEX inbox_pending ON inbox (conversation, id) WHERE done_at IS NULL",
    "CREATE INDEX inbox_done ON inbox (done_at) WHERE done_at IS NOT NULL",
    # text and extra (buttons) make the reply; an event has extra (its data) only
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        public TEXT NOT NULL,
        conversation INTEGER NOT NULL REFERENCES conversations,
        turn INTEGER NOT NULL,
        channel TEXT NOT NULL,
        kind TEXT NOT NULL,
        user TEXT NOT NULL,
        user_name TEXT NOT NULL,
        in_reply_to TEXT NOT NULL,
        part INTEGER NOT NULL,
        parts INTEGER NOT NULL,
        text TEXT,
        extra TEXT,
        preview TEXT NOT NULL,
        created_at REAL NOT NULL,
        due_at REAL NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 0,
        handle TEXT,
        error TEXT,
        finished_at REAL,
        dead INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX outbox_by_turn ON outbox (conversation, turn)",
    "CREATE INDEX outbox_unsent ON outbox (public) WHERE finished_at IS NULL",
    "CREATE INDEX outbox_due ON outbox (due_at) WHERE finished_at IS NULL",
    "CREATE INDEX outbox_lanes ON outbox (conversation, channel, id) WHERE finished_at IS NULL",
    "CREATE INDEX outbox_sent ON outbox (finished_at) WHERE finished_at IS NOT NULL AND dead = 0",
    "CREATE INDEX outbox_dead ON outbox (id) WHERE dead = 1",
    """CREATE TABLE journal (
        conversation INTEGER NOT NULL REFERENCES conversations,
        turn INTEGER NOT NULL,
        position INTEGER NOT NULL,
        kind TEXT NOT NULL,
        digest TEXT NOT NULL,
        result TEXT,
        PRIMARY KEY (conversation, turn, position)) WITHOUT ROWID""",
    """CREATE TABLE timers (
        conversation INTEGER NOT NULL REFERENCES conversations,
        name TEXT NOT NULL,
        due_at REAL NOT NULL,
        data TEXT NOT NULL,
        PRIMARY KEY (conversation, name)) WITHOUT ROWID""",
    "CREATE INDEX timers_due ON timers (due_at)",
    """CREATE TABLE handoffs (
        id INTEGER PRIMARY KEY,
        public TEXT NOT NULL UNIQUE,
        conversation INTEGER NOT NULL REFERENCES conversations,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        summary TEXT NOT NULL,
        requested_at REAL NOT NULL,
        deadline REAL NOT NULL,
        ceiling REAL NOT NULL,
        status TEXT NOT NULL,
        agent TEXT NOT NULL,
        claimed_at REAL,
        ended_at REAL,
        noticed INTEGER NOT NULL,
        notes TEXT NOT NULL,
        user TEXT NOT NULL,
        user_name TEXT NOT NULL)""",
    "CREATE INDEX handoffs_by_conversation ON handoffs (conversation)",
    "CREATE INDEX handoffs_open ON handoffs (conversation) WHERE status IN ('waiting', 'claimed')",
    """CREATE TABLE usage (
        id INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL REFERENCES conversations,
        turn INTEGER NOT NULL,
        at REAL NOT NULL,
        model TEXT NOT NULL,
        purpose TEXT NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        cost INTEGER,
        outcome TEXT NOT NULL,
        seconds REAL NOT NULL)""",
    "CREATE INDEX usage_by_turn ON usage (conversation, turn)",
    "CREATE INDEX usage_by_time ON usage (at)",
    # body: JSON [config, steps], compressed by zlib when that is shorter
    """CREATE TABLE traces (
        conversation INTEGER NOT NULL REFERENCES conversations,
        turn INTEGER NOT NULL,
        at REAL NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (conversation, turn)) WITHOUT ROWID""",
)


@migrations()
def m0001_first_edition(db: Database) -> None:
    for statement in _FIRST:
        db.execute(statement)


@migrations()
def m0002_channels(db: Database) -> None:
    # images: JSON list of digests; NULL stands for none
    for column in ("images", "source", "only_for"):
        db.execute(f"ALTER TABLE messages ADD COLUMN {column} TEXT")
    db.execute(
        """CREATE TABLE aside (
        id INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        message TEXT NOT NULL,
        content TEXT NOT NULL,
        reason TEXT NOT NULL,
        at REAL NOT NULL,
        UNIQUE (channel, message))"""
    )


_AUTHORITY = (
    # body: JSON of identity and challenge
    """CREATE TABLE standings (
        conversation INTEGER NOT NULL REFERENCES conversations,
        author TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (conversation, author)) WITHOUT ROWID""",
    """CREATE TABLE calls (
        id INTEGER PRIMARY KEY,
        public TEXT NOT NULL UNIQUE,
        conversation INTEGER NOT NULL REFERENCES conversations,
        tool TEXT NOT NULL,
        arguments TEXT NOT NULL,
        author TEXT NOT NULL,
        author_name TEXT NOT NULL,
        question TEXT NOT NULL,
        digest TEXT NOT NULL,
        shared INTEGER NOT NULL,
        bound TEXT NOT NULL,
        answer TEXT NOT NULL,
        waits_for TEXT NOT NULL,
        by TEXT NOT NULL,
        asked_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        consents TEXT NOT NULL,
        status TEXT NOT NULL,
        decided_by TEXT NOT NULL,
        note TEXT NOT NULL)""",
    "CREATE INDEX calls_waiting ON calls (conversation) WHERE status IN ('waiting', 'ended')",
    "CREATE INDEX calls_for ON calls (waits_for, id) WHERE status = 'waiting'",
    """CREATE TABLE ledger (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        tool TEXT NOT NULL,
        conversation TEXT NOT NULL,
        customer TEXT NOT NULL,
        arguments TEXT NOT NULL,
        consents TEXT NOT NULL,
        at REAL NOT NULL,
        outcome TEXT NOT NULL,
        finished_at REAL)""",
    # what counts under the limits; a call that failed is taken out again
    """CREATE TABLE counted (
        scope TEXT NOT NULL,
        at REAL NOT NULL,
        key TEXT NOT NULL,
        amount INTEGER NOT NULL,
        PRIMARY KEY (scope, at, key)) WITHOUT ROWID""",
    "CREATE INDEX counted_by_key ON counted (key)",
)


@migrations()
def m0003_tools(db: Database) -> None:
    for statement in _AUTHORITY:
        db.execute(statement)


_DESKS = (
    # more: JSON of what differs from the defaults
    *(
        f"ALTER TABLE handoffs ADD COLUMN {column}"
        for column in (
            "desk TEXT NOT NULL DEFAULT ''",
            "assignee TEXT NOT NULL DEFAULT ''",
            "priority INTEGER NOT NULL DEFAULT 0",
            "more TEXT",
        )
    ),
    "CREATE INDEX handoffs_at_desk ON handoffs (desk, requested_at)",
    "ALTER TABLE outbox ADD COLUMN handoff TEXT",
    "CREATE INDEX outbox_places ON outbox (channel) WHERE kind = 'handoff.requested' AND finished_at IS NULL",
    # where a handoff stands at a desk: a thread, a topic, a ticket
    """CREATE TABLE places (
        id INTEGER PRIMARY KEY,
        desk TEXT NOT NULL,
        place TEXT NOT NULL,
        handoff TEXT NOT NULL,
        UNIQUE (desk, handoff))""",
    "CREATE INDEX places_by_place ON places (desk, place)",
    # the line at each desk, and how many handoffs each agent has; state: 0 its turn is not committed yet, 1 it waits,
    # 2 it is claimed
    """CREATE TABLE seats (
        conversation INTEGER PRIMARY KEY REFERENCES conversations,
        desk TEXT NOT NULL,
        agent TEXT NOT NULL,
        priority INTEGER NOT NULL,
        since REAL NOT NULL,
        taken_at REAL NOT NULL,
        state INTEGER NOT NULL)""",
    "CREATE INDEX seats_in_line ON seats (desk, state, priority, since)",
    "CREATE INDEX seats_of_agents ON seats (desk, agent) WHERE agent <> ''",
    """CREATE TABLE rota (
        desk TEXT NOT NULL,
        agent TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (desk, agent)) WITHOUT ROWID""",
    "CREATE INDEX conversations_by_customer ON conversations (channel, customer, updated_at)",
    "CREATE INDEX standings_by_customer ON standings (json_extract(body, '$.identity.customer'))",
)


@migrations()
def m0004_desks(db: Database) -> None:
    for statement in _DESKS:
        db.execute(statement)


@migrations()
def m0005_pages(db: Database) -> None:
    for statement in PAGES:
        db.execute(statement)
    tallies.backfill(db.conn)


TABLES = (
    "conversations",
    "messages",
    "states",
    "inbox",
    "outbox",
    "journal",
    "timers",
    "handoffs",
    "usage",
    "traces",
    "aside",
    "standings",
    "calls",
    "ledger",
    "counted",
    "places",
    "seats",
    "rota",
    "shelf",
    "feed",
    "accounts",
    "sessions",
    "audit",
    "canned",
    "tallies",
    "unanswered",
)


def database(connection: sqlite3.Connection) -> Database:
    """sqlite-utils' view of a connection, without plugins."""
    return Database(connection, execute_plugins=False)


def refuse_foreign(db: Database, path: Path) -> None:
    """StoreNewer for a newer supportbot's database, StoreError for somebody else's; an empty one is fine."""
    applied = [migration.name for migration in migrations.applied(db)]
    known = {migration.name for migration in migrations._migrations}
    newer = [name for name in applied if name not in known]
    if newer:
        raise StoreNewer(
            f"{path} was written by a newer supportbot (its migration {newer[-1]} is unknown here): "
            "upgrade supportbot, or restore a backup made before the upgrade."
        )
    if not applied and db.table_names():
        raise StoreError(f"{path} is a database of another program: name another file in `store`.")


def missing(db: Database) -> list[str]:
    """The names of the migrations still to be applied, in order."""
    return [migration.name for migration in migrations.pending(db)]


def behind(path: Path) -> list[str]:
    """What will be applied to a database that is there already; a large one may take a minute."""
    if not path.is_file() or not path.stat().st_size:
        return []
    try:
        with closing(connect.reading(path)) as connection:
            db = database(connection)
            return missing(db) if any(migrations.applied(db)) else []
    except sqlite3.Error:
        return []  # opening it says what is wrong


def open_migrated(path: Path) -> tuple[sqlite3.Connection, list[str]]:
    """The writing connection to an existing file, brought to this version, and what was applied.

    Raises StoreNewer and StoreError before the file is touched. The caller holds the lock.
    """
    with closing(connect.reading(path)) as connection:
        refuse_foreign(database(connection), path)
    connection = connect.writing(path)
    try:
        return connection, _migrate(connection)
    except BaseException:
        connection.close()
        raise


def _migrate(connection: sqlite3.Connection) -> list[str]:
    """Applies what is missing in one transaction; nothing is written when nothing is missing."""
    db = database(connection)
    names = missing(db)
    if not names:
        return []
    connection.execute("BEGIN IMMEDIATE")
    try:
        migrations.apply(db)
        connection.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise
    return names
