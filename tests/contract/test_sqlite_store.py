"""SqliteStore with LocalQueue keeps the store's contract."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    "supportbot.testing.store_contract", "supportbot.testing.store_contract_effects", "supportbot.testing.pairs"
)

from supportbot.testing.local_pair import local_pairs  # noqa: E402 - after the rewriting
from supportbot.testing.pairs import Pairs  # noqa: E402
from supportbot.testing.store_contract import StoreContract  # noqa: E402


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def pairs(self, tmp_path: Path) -> Pairs:
        return local_pairs(tmp_path / "bot" / "store.db")
