"""The statements of migration m0005_pages: what channels keep, the console, the dashboards and the search."""

from __future__ import annotations

PAGES = (
    # JSON list of attachments; NULL stands for none
    "ALTER TABLE messages ADD COLUMN files TEXT",
    # what a channel that is its own platform keeps: values by key, and what its pages show, in order
    """CREATE TABLE shelf (
        channel TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        until REAL,
        PRIMARY KEY (channel, key)) WITHOUT ROWID""",
    "CREATE INDEX shelf_until ON shelf (until) WHERE until IS NOT NULL",
    # AUTOINCREMENT: a position is never used twice
    """CREATE TABLE feed (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL,
        chat TEXT NOT NULL,
        key TEXT NOT NULL,
        at REAL NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (channel, key))""",
    "CREATE INDEX feed_by_chat ON feed (channel, chat, id)",
    # the console's people; password: an argon2 hash, "" for those who come by single sign-on only
    """CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        login TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        password TEXT NOT NULL,
        subject TEXT,
        created_at REAL NOT NULL,
        seen_at REAL,
        disabled INTEGER NOT NULL DEFAULT 0,
        must_change INTEGER NOT NULL DEFAULT 0)""",
    "CREATE UNIQUE INDEX accounts_by_subject ON accounts (subject) WHERE subject IS NOT NULL",
    # token: SHA-256 of what the browser holds
    """CREATE TABLE sessions (
        token TEXT PRIMARY KEY,
        account INTEGER NOT NULL REFERENCES accounts,
        csrf TEXT NOT NULL,
        created_at REAL NOT NULL,
        seen_at REAL NOT NULL,
        expires_at REAL NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX sessions_of_account ON sessions (account)",
    "CREATE INDEX sessions_by_end ON sessions (expires_at)",
    """CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        account TEXT NOT NULL,
        action TEXT NOT NULL,
        object TEXT NOT NULL,
        detail TEXT NOT NULL,
        address TEXT NOT NULL)""",
    "CREATE INDEX audit_by_object ON audit (object, id)",
    "CREATE INDEX audit_by_account ON audit (account, id)",
    """CREATE TABLE canned (
        id INTEGER PRIMARY KEY,
        title TEXT NOT NULL UNIQUE,
        text TEXT NOT NULL,
        locale TEXT NOT NULL,
        by TEXT NOT NULL,
        changed_at REAL NOT NULL)""",
    # counted by the hour (UTC, hours since the epoch), so that a day begins when it does where people are
    """CREATE TABLE tallies (
        hour INTEGER NOT NULL,
        channel TEXT NOT NULL,
        name TEXT NOT NULL,
        amount INTEGER NOT NULL,
        PRIMARY KEY (hour, channel, name)) WITHOUT ROWID""",
    # turns in which the bot had no answer
    """CREATE TABLE unanswered (
        conversation INTEGER NOT NULL REFERENCES conversations,
        turn INTEGER NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (conversation, turn)) WITHOUT ROWID""",
    "CREATE INDEX unanswered_by_time ON unanswered (at)",
    "CREATE INDEX handoffs_by_request ON handoffs (requested_at)",
    "CREATE INDEX handoffs_by_status ON handoffs (status, requested_at)",
    "CREATE INDEX conversations_by_start ON conversations (created_at)",
    # what was said by people and the bot (roles 1 and 2), for the search
    """CREATE VIRTUAL TABLE said USING fts5 (content, content = 'messages', content_rowid = 'id',
        tokenize = "unicode61 remove_diacritics 2")""",
    """CREATE TRIGGER said_new AFTER INSERT ON messages WHEN new.role IN (1, 2) AND new.content <> '' BEGIN
        INSERT INTO said (rowid, content) VALUES (new.id, new.content); END""",
    """CREATE TRIGGER said_gone AFTER DELETE ON messages WHEN old.role IN (1, 2) AND old.content <> '' BEGIN
        INSERT INTO said (said, rowid, content) VALUES ('delete', old.id, old.content); END""",
    """CREATE TRIGGER said_taken_back AFTER UPDATE OF content ON messages WHEN old.role IN (1, 2) BEGIN
        INSERT INTO said (said, rowid, content) SELECT 'delete', old.id, old.content WHERE old.content <> '';
        INSERT INTO said (rowid, content) SELECT new.id, new.content WHERE new.content <> ''; END""",
    "INSERT INTO said (rowid, content) SELECT id, content FROM messages WHERE role IN (1, 2) AND content <> ''",
)
