"""Queues: which conversation is next. `LocalQueue` for one process, beside `SqliteStore`."""

from __future__ import annotations

from supportbot.queues.local import LocalQueue

__all__ = ["LocalQueue"]
