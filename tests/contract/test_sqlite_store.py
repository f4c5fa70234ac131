"""SqliteStore with LocalQueue keeps the store's contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from supportbot.testing.local_pair import local_pairs
from supportbot.testing.pairs import Pairs
from supportbot.testing.store_contract import StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def pairs(self, tmp_path: Path) -> Pairs:
        return local_pairs(tmp_path / "bot" / "store.db")
