"""Stores: where every conversation is kept. `SqliteStore` for one process."""

from __future__ import annotations

from supportbot.stores.connect import library_warning
from supportbot.stores.sqlite import SqliteStore

__all__ = ["SqliteStore", "library_warning"]
